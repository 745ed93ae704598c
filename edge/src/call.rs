//! The innermost: a request becomes a gRPC call to the method's service, its answer JSON.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri, header, request};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use kit::{
    BRAND_ID, Error, IDEMPOTENCY_KEY, TRACEPARENT,
    layers::{Receipt, SafeView},
};
use tonic::{Status, body::Body};
use tower::ServiceExt as _;
use transcode::{Match, Style};

use crate::{
    Parts, grpc,
    layers::{Deadline, body_too_large},
    page,
    record::Record,
};

/// What of a request's headers a service sees. Everything else stays outside.
const PASSED_ON: [HeaderName; 4] = [header::AUTHORIZATION, BRAND_ID, IDEMPOTENCY_KEY, TRACEPARENT];

/// What of an answer's headers the caller sees.
const PASSED_BACK: HeaderName = HeaderName::from_static("idempotent-replayed");

const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

pub(crate) async fn call(
    parts: Arc<Parts>,
    request: Request<Body>,
) -> Result<Response<Body>, Status> {
    let record = Record::of(request.extensions());
    let (Some(route), Some(_)) = (record.route(), request.extensions().get::<SafeView>()) else {
        return Err(Error::internal(anyhow::anyhow!("a request came around checkpoint 4")).into());
    };
    let (head, body) = request.into_parts();
    let body = read(body, parts.config.limits.body).await?;
    let message = message(route, &head, &body)?;
    let name = record.method().map(|it| it.service).unwrap_or_default();
    let call = outgoing(&parts, &record, &head, route.method().grpc_path(), &message);
    let answer = grpc::Answer::read(reach(&parts, name, call).await?).await?;
    respond(route, &answer)
}

/// Reads a body of at most `most` bytes to its end.
pub(crate) async fn read(body: Body, most: usize) -> Result<Bytes, Error> {
    match Limited::new(body, most).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(cause) if cause.is::<LengthLimitError>() => Err(body_too_large(most)),
        Err(_) => Err(Error::invalid("BODY_INCOMPLETE", "body", "must be sent whole")),
    }
}

/// Sends a request to a service, wherever it lives.
pub(crate) async fn reach(
    parts: &Parts,
    name: &str,
    request: Request<Body>,
) -> Result<Response<Body>, Error> {
    let peer = parts.mesh.peer(name)?;
    peer.oneshot(request).await.map_err(|cause| {
        Error::unavailable("PEER_UNREACHABLE", "a service is not reachable")
            .caused_by(anyhow::anyhow!(cause).context(format!("{name} is not reachable")))
    })
}

fn message(route: &Match<'_>, head: &request::Parts, body: &[u8]) -> Result<Vec<u8>, Status> {
    let content_type = head.headers.get(header::CONTENT_TYPE);
    let content_type = content_type.map(|it| it.to_str().unwrap_or_default());
    route
        .request(head.uri.query(), content_type, body, Style::Rest)
        .map_err(|error| grpc::status(&(&error).into()))
}

fn outgoing(
    parts: &Parts,
    record: &Record,
    head: &request::Parts,
    path: &str,
    message: &[u8],
) -> Request<Body> {
    let mut call = Request::new(Body::new(Full::new(grpc::frame(message))));
    *call.method_mut() = http::Method::POST;
    *call.uri_mut() = Uri::try_from(path).expect("a gRPC path is a path");
    let headers = call.headers_mut();
    page::forwarded(headers, parts, record, head);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    for name in PASSED_ON {
        headers.extend(head.headers.get(&name).map(|it| (name, it.clone())));
    }
    if let Some(deadline) = head.extensions.get::<Deadline>() {
        put(headers, TIMEOUT, &deadline.grpc_timeout());
    }
    call
}

/// Sets a header, if the text can be one.
pub(crate) fn put(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

fn respond(route: &Match<'_>, answer: &grpc::Answer) -> Result<Response<Body>, Status> {
    let worded = route.response(&answer.message, Style::Rest).map_err(|error| {
        tracing::error!(method = route.method().grpc_path(), cause = %error, "no JSON");
        grpc::status(&(&error).into())
    })?;
    let mut response = Response::new(Body::new(Full::from(worded.body)));
    *response.status_mut() = worded.status;
    if let Some(content_type) = worded.content_type {
        put(response.headers_mut(), header::CONTENT_TYPE, &content_type);
    }
    if let Some(replayed) = answer.headers.get(PASSED_BACK) {
        response.headers_mut().insert(PASSED_BACK, replayed.clone());
    }
    // For checkpoint 5; extensions stay inside.
    if let Some(receipt) = answer.headers.get(kit::RECEIPT).and_then(|it| it.to_str().ok()) {
        response.extensions_mut().insert(Receipt(receipt.to_owned()));
    }
    Ok(response)
}
