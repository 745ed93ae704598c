//! What a method's caller and its service may tell each other besides their messages.

use prost_reflect::DynamicMessage;

use crate::options::texts;

/// Names of headers, in lower case. The values of those that end with `-bin` are bytes in base64.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Headers of a request that the service sees.
    pub request: Vec<String>,
    /// Headers and trailers of the service that the caller sees.
    pub response: Vec<String>,
}

/// Beginnings of names that belong to a protocol or to the platform.
const TAKEN_BEGINNINGS: [&str; 11] = [
    "accept",
    "access-control-",
    "connect-",
    "content-",
    "grpc-",
    "loop-",
    "proxy-",
    "ratelimit-",
    "sec-",
    "x-forwarded-",
    "x-loop-",
];

/// Names that mean something to HTTP, to a proxy or to the platform, and so are not a method's.
const TAKEN: [&str; 43] = [
    "age",
    "allow",
    "alt-svc",
    "authorization",
    "cache-control",
    "connection",
    "cookie",
    "date",
    "deprecation",
    "etag",
    "expect",
    "expires",
    "forwarded",
    "host",
    "idempotency-key",
    "idempotent-replayed",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "keep-alive",
    "last-modified",
    "link",
    "location",
    "origin",
    "prefer",
    "preference-applied",
    "range",
    "referer",
    "request-timeout",
    "retry-after",
    "server",
    "set-cookie",
    "strict-transport-security",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
];

/// Names of the platform's own that begin with `x-`, and `www-authenticate`.
const OWN: [&str; 7] = [
    "www-authenticate",
    "x-accel-buffering",
    "x-brand-id",
    "x-content-type-options",
    "x-http-method-override",
    "x-real-ip",
    "x-request-id",
];

impl Metadata {
    pub(crate) fn read(option: Option<&DynamicMessage>) -> Self {
        let names = |field| option.map(|it| texts(it, field)).unwrap_or_default();
        Self { request: names("request"), response: names("response") }
    }

    /// What is wrong with the names.
    pub(crate) fn problems(&self) -> Vec<String> {
        [&self.request, &self.response].into_iter().flat_map(|it| problems(it)).collect()
    }
}

fn problems(names: &[String]) -> Vec<String> {
    let problem = |(at, name): (usize, &String)| {
        let rule = match &**name {
            name if !is_key(name) => "must be lower-case letters, digits, '-', '_' and '.'",
            name if is_taken(name) => "is not a method's own to pass on",
            _ if names[..at].contains(name) => "is there twice",
            _ => return None,
        };
        Some(format!("names the metadata `{name}`, which {rule}"))
    };
    names.iter().enumerate().filter_map(problem).collect()
}

/// Header-Name of gRPC over HTTP/2, "Requests".
fn is_key(name: &str) -> bool {
    let fits = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || b"-_.".contains(&it);
    name.starts_with(|it: char| it.is_ascii_lowercase()) && name.bytes().all(fits)
}

fn is_taken(name: &str) -> bool {
    TAKEN.contains(&name)
        || OWN.contains(&name)
        || TAKEN_BEGINNINGS.iter().any(|it| name.starts_with(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_of_its_own_is_a_methods_metadata() {
        let problem = |name: &str| problems(&[name.to_owned()]).pop().unwrap_or_default();
        for name in ["x-lab-order", "trace.id", "x-signature-bin", "experiment_2"] {
            assert_eq!(problem(name), "", "{name}");
        }
        for name in ["X-Lab", "", "-x", "x lab", "größe", ":path", "x:y"] {
            assert!(problem(name).contains("must be"), "{name}");
        }
        for name in [
            "authorization",
            "cookie",
            "te",
            "grpc-timeout",
            "loop-receipt",
            "x-forwarded-for",
            "x-brand-id",
            "content-type",
            "accept",
            "set-cookie",
            "x-request-id",
        ] {
            assert!(problem(name).contains("not a method's own"), "{name}");
        }
        let twice = problems(&["a".to_owned(), "b".to_owned(), "a".to_owned()]);
        assert_eq!(twice, ["names the metadata `a`, which is there twice"]);
    }
}
