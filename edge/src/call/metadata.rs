//! Metadata of a method: the headers that its contract lets through, both ways
//! (`loop.options.v1.metadata`). All others stay where they are.
//!
//! The value of a name that ends with `-bin` is bytes in base64, with padding or without, and
//! several of them may stand in one header (gRPC over HTTP/2, "Custom-Metadata").

use base64::Engine as _;
use http::{HeaderMap, HeaderName, HeaderValue};
use kit::{Error, Result};
use tonic::Status;
use transcode::Metadata;

use crate::grpc::{self, BASE64};

/// Refuses a request whose binary metadata is none.
pub(super) fn check(metadata: &Metadata, headers: &HeaderMap) -> Result<()> {
    for name in metadata.request.iter().filter(|it| is_binary(it)) {
        let mut values = headers.get_all(name).iter().flat_map(parts);
        if values.any(|it| BASE64.decode(it).is_err()) {
            return Err(Error::invalid("MALFORMED_REQUEST", name.as_str(), "must be base64"));
        }
    }
    Ok(())
}

/// Lets a request's metadata through to the service.
pub(super) fn pass_on(metadata: &Metadata, sent: &HeaderMap, headers: &mut HeaderMap) {
    for name in &metadata.request {
        for value in sent.get_all(name) {
            match is_binary(name) {
                // Not every reader takes a list apart.
                true => parts(value).filter_map(value_of).for_each(|it| {
                    headers.append(name, it);
                }),
                false => {
                    headers.append(name, value.clone());
                }
            }
        }
    }
}

/// Lets what a service tells, in headers or trailers, through to the caller.
pub(super) fn pass_back(metadata: &Metadata, told: &HeaderMap, headers: &mut HeaderMap) {
    for name in &metadata.response {
        for value in told.get_all(name) {
            headers.append(name, value.clone());
        }
    }
}

/// What an answer fails with before any message, and what its service tells besides; none if it
/// does not fail so.
pub(super) fn failure(metadata: &Metadata, told: &HeaderMap) -> Option<Status> {
    if metadata.response.is_empty() {
        return None; // Whoever reads the answer finds the failure.
    }
    let mut failure = grpc::failure(told)?;
    let mut kept = HeaderMap::new();
    pass_back(metadata, told, &mut kept);
    *failure.metadata_mut() = tonic::metadata::MetadataMap::from_headers(kept);
    Some(failure)
}

/// The trailers of a Connect call of one message, which are headers with a prefix.
pub(super) fn prefixed(metadata: &Metadata, trailers: &HeaderMap, headers: &mut HeaderMap) {
    for name in &metadata.response {
        let Ok(prefixed) = HeaderName::try_from(format!("trailer-{name}")) else { continue };
        for value in trailers.get_all(name) {
            headers.append(prefixed.clone(), value.clone());
        }
    }
}

/// The trailers of a Connect stream, as the object in its last envelope has them.
pub(super) fn object(metadata: &Metadata, trailers: &HeaderMap) -> serde_json::Value {
    let values = |name: &HeaderName| -> Vec<_> {
        trailers.get_all(name).iter().filter_map(|it| it.to_str().ok()).map(str::to_owned).collect()
    };
    let names = metadata.response.iter().map(|it| (it.as_str().to_owned(), values(it)));
    let told = names.filter(|(_, values)| !values.is_empty());
    told.map(|(name, values)| (name, values.into())).collect::<serde_json::Map<_, _>>().into()
}

fn is_binary(name: &HeaderName) -> bool {
    name.as_str().ends_with("-bin")
}

fn parts(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value.as_bytes().split(|it| *it == b',').map(<[u8]>::trim_ascii)
}

fn value_of(bytes: &[u8]) -> Option<HeaderValue> {
    HeaderValue::from_bytes(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata() -> Metadata {
        let names = || ["x-order", "x-key-bin"].map(HeaderName::from_static);
        Metadata { request: names().into(), response: names().into() }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_what_is_named_goes_through_and_all_of_it() {
        let sent = headers(&[
            ("x-order", "1, 2"),
            ("x-order", "3"),
            ("x-other", "4"),
            ("x-key-bin", "YQ==,Yg"),
            ("x-key-bin", "YWJj"),
        ]);
        let mut passed = HeaderMap::new();
        pass_on(&metadata(), &sent, &mut passed);
        let all = |name: &str| -> Vec<_> {
            passed.get_all(name).iter().map(|it| it.to_str().unwrap()).collect()
        };
        assert_eq!(all("x-order"), ["1, 2", "3"]);
        assert_eq!(all("x-key-bin"), ["YQ==", "Yg", "YWJj"]);
        assert_eq!(passed.len(), 5);
    }

    #[test]
    fn bytes_are_base64_of_the_standard_alphabet() {
        let fits = |value: &str| check(&metadata(), &headers(&[("x-key-bin", value)])).is_ok();
        for value in ["", "YQ", "YQ==", "+/+/", "YQ==, Yg"] {
            assert!(fits(value), "{value}");
        }
        for value in ["*", "-_-_", "YQ=a", "YQ==;Yg"] {
            assert!(!fits(value), "{value}");
        }
        assert!(check(&metadata(), &headers(&[("x-order", "*")])).is_ok());
    }
}
