//! Pages: HTTP passed through to the service that renders them, cleaned on both ways.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, Uri, header, request, uri::Authority,
};
use http_body_util::Full;
use kit::{Error, REQUEST_ID};
use tonic::{Status, body::Body};

use crate::{
    Parts, call, grpc,
    record::{Record, Target},
};

/// The largest form that anybody may send, in bytes.
pub(crate) const LARGEST_FORM: usize = 64 << 10;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Headers of one connection (RFC 9110 section 7.6.1), and those that the next one sets anew.
const HOP_BY_HOP: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers that services believe, so that no stranger may send them.
const BELIEVED: [&str; 5] = ["forwarded", "grpc-", "loop-", "x-forwarded-", "x-real-ip"];

pub(crate) async fn pass(
    parts: Arc<Parts>,
    request: Request<Body>,
) -> Result<Response<Body>, Status> {
    let record = Record::of(request.extensions()).clone();
    let Some(Target::Page(name)) = record.target.get() else {
        return Err(Error::internal(anyhow::anyhow!("what is no page came to the pages")).into());
    };
    let (head, body) = request.into_parts();
    let body = call::read(&head.headers, body, LARGEST_FORM).await?;
    let mut request = Request::new(Body::new(Full::new(body)));
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = head.uri.path_and_query().cloned().map_or_else(Uri::default, Uri::from);
    *request.headers_mut() = cleaned(&head.headers);
    request.headers_mut().remove(header::CONTENT_ENCODING);
    forwarded(request.headers_mut(), &parts, &record, &head);
    let (answer, body) = call::reach(&parts, name, request).await?.into_parts();
    if let Some(failure) = grpc::failure(&answer.headers) {
        return Err(failure);
    }
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    *response.headers_mut() = cleaned(&answer.headers);
    Ok(response)
}

/// What the gateway itself says of a request to a service.
pub(crate) fn forwarded(
    headers: &mut HeaderMap,
    parts: &Parts,
    record: &Record,
    head: &request::Parts,
) {
    let proxied = record.proxied.as_deref();
    let scheme = proxied.and_then(|it| it.scheme).unwrap_or(parts.config.scheme());
    call::put(headers, REQUEST_ID, &record.request_id.0);
    headers.insert(FORWARDED_FOR, record.client.header.clone());
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static(scheme));
    let named = head.headers.get(header::HOST);
    match asked_host(record, &head.uri, &head.headers) {
        // As it came, it need not be looked at again.
        Some(host) if named.is_some_and(|it| it == host) => {
            headers.extend(named.map(|it| (FORWARDED_HOST, it.clone())));
        }
        Some(host) => call::put(headers, FORWARDED_HOST, host),
        None => {}
    }
}

/// The host that was asked: a trusted proxy's word for it, or else the request's own.
pub(crate) fn asked_host<'r>(
    record: &'r Record,
    uri: &'r Uri,
    headers: &'r HeaderMap,
) -> Option<&'r str> {
    let proxied = record.proxied.as_deref().and_then(|it| it.host.as_ref());
    let named = || headers.get(header::HOST).and_then(|it| it.to_str().ok());
    proxied.or(uri.authority()).map(Authority::as_str).or_else(named)
}

/// The headers that go on: without those of the connection and those that would be believed.
fn cleaned(headers: &HeaderMap) -> HeaderMap {
    let connection = headers.get_all(header::CONNECTION).iter();
    let named: Vec<_> = connection
        .filter_map(|it| it.to_str().ok())
        .flat_map(|it| it.split(','))
        .map(|it| it.trim().to_ascii_lowercase())
        .collect();
    // A name with an underscore is one with a hyphen to those who read headers as variables.
    let stays = |name: &str| {
        name.contains('_')
            || HOP_BY_HOP.contains(&name)
            || BELIEVED.iter().any(|it| name.starts_with(it))
            || named.iter().any(|it| it == name)
    };
    let mut cleaned = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers.iter().filter(|(name, _)| !stays(name.as_str())) {
        cleaned.append(name, value.clone());
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_the_connection_nor_a_claim_goes_on() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Secret"),
            ("x-secret", "1"),
            ("transfer-encoding", "chunked"),
            ("x-forwarded-for", "203.0.113.9"),
            ("x-real-ip", "203.0.113.9"),
            ("forwarded", "for=203.0.113.9"),
            ("loop-acting-user", "usr_1"),
            ("grpc-timeout", "1H"),
            ("cookie", "a=1"),
            ("accept", "text/html"),
        ] {
            headers.append(name, value.parse().unwrap());
        }
        headers.append("set-cookie", "a=1".parse().unwrap());
        headers.append("set-cookie", "b=2".parse().unwrap());
        let cleaned = cleaned(&headers);
        let mut names: Vec<_> = cleaned.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "cookie", "set-cookie", "set-cookie"]);
    }
}
