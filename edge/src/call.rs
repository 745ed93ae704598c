//! The innermost: a request becomes a gRPC call to the method's service, its answer what the
//! caller's protocol makes of it.

mod connect;
mod events;
mod pass;
mod rest;
mod socket;
mod uplink;
mod upload;
mod web;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri, header, request};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use kit::{
    BRAND_ID, Error, IDEMPOTENCY_KEY, TRACEPARENT,
    layers::{Receipt, SafeView},
};
use tokio::time::Instant;
use tonic::{Code, Status, body::Body};
use tower::ServiceExt as _;

use crate::{
    Parts, grpc,
    layers::{Allowance, body_too_large, coding::Coding},
    page,
    protocol::Protocol,
    record::{Called, Record},
};

/// What of a request's headers a service sees. Everything else stays outside.
const PASSED_ON: [HeaderName; 4] = [header::AUTHORIZATION, BRAND_ID, IDEMPOTENCY_KEY, TRACEPARENT];

/// What of an answer's headers the caller sees.
const PASSED_BACK: HeaderName = HeaderName::from_static("idempotent-replayed");

const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

pub(crate) use connect::failure as connect_failure;
pub(crate) use socket::bearer;
#[cfg(test)]
pub(crate) use web::decode as decode_web_text;
pub(crate) use web::failure as web_failure;

/// A request that has been let in, and what it stands on.
pub(crate) struct Ongoing {
    parts: Arc<Parts>,
    record: Arc<Record>,
    head: request::Parts,
}

pub(crate) async fn call(
    parts: Arc<Parts>,
    request: Request<Body>,
) -> Result<Response<Body>, Status> {
    let record = Record::of(request.extensions());
    if record.called().is_none() || request.extensions().get::<SafeView>().is_none() {
        return Err(Error::internal(anyhow::anyhow!("a request came around checkpoint 4")).into());
    }
    let (head, body) = request.into_parts();
    let ongoing = Ongoing { parts, record, head };
    match ongoing.called().protocol {
        Protocol::Rest(_) => rest::call(ongoing, body).await,
        Protocol::Socket { .. } => socket::call(ongoing).await,
        Protocol::Grpc => pass::call(ongoing, body).await,
        Protocol::GrpcWeb { text } => web::call(ongoing, body, text).await,
        Protocol::Connect(how) => connect::call(ongoing, body, how).await,
    }
}

impl Ongoing {
    fn called(&self) -> &Called {
        self.record.called().expect("only calls of methods come here")
    }

    /// Reads the caller's body to its end.
    async fn read(&self, body: Body) -> Result<Bytes, Error> {
        read(&self.head.headers, body, self.parts.config.limits.body).await
    }

    /// Sends one message to the method's service.
    async fn send(&self, message: &[u8]) -> Result<Response<Body>, Status> {
        self.send_body(Body::new(Full::new(grpc::frame(message)))).await
    }

    /// Sends framed messages to the method's service.
    async fn send_body(&self, body: Body) -> Result<Response<Body>, Status> {
        let request = self.outgoing(body);
        Ok(reach(&self.parts, self.called().method.service, request).await?)
    }

    /// The same, to be awaited by somebody else.
    fn sending(&self, body: Body) -> impl Future<Output = Result<Response<Body>, Status>> + use<> {
        let (request, parts) = (self.outgoing(body), self.parts.clone());
        let service = self.called().method.service;
        async move { Ok(reach(&parts, service, request).await?) }
    }

    fn outgoing(&self, body: Body) -> Request<Body> {
        let mut call = Request::new(body);
        *call.method_mut() = http::Method::POST;
        *call.uri_mut() = Uri::from_static(self.called().method.path);
        let headers = call.headers_mut();
        page::forwarded(headers, &self.parts, &self.record, &self.head);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        for name in PASSED_ON {
            headers.extend(self.head.headers.get(&name).map(|it| (name, it.clone())));
        }
        put(headers, TIMEOUT, &grpc_timeout(self.deadline()));
        call
    }

    /// When the call must have ended.
    fn deadline(&self) -> Instant {
        let limits = &self.parts.config.limits;
        let limit = if self.called().streams() { limits.stream } else { limits.timeout };
        let allowance = self.head.extensions.get::<Allowance>();
        allowance.expect("the limits give every request an allowance").until(limit).into()
    }
}

/// What of the service's headers goes to the caller; the receipt is for checkpoint 5 alone, and
/// extensions stay inside.
fn pass_back<B>(told: &HeaderMap, response: &mut Response<B>) {
    if let Some(replayed) = told.get(PASSED_BACK) {
        response.headers_mut().insert(PASSED_BACK, replayed.clone());
    }
    if let Some(receipt) = told.get(kit::RECEIPT).and_then(|it| it.to_str().ok()) {
        response.extensions_mut().insert(Receipt::Shown(receipt.to_owned()));
    }
}

/// Reads a body of at most `most` bytes, coded and restored, to its end.
pub(crate) async fn read(headers: &HeaderMap, body: Body, most: usize) -> Result<Bytes, Error> {
    match Limited::new(body, most).collect().await {
        Ok(body) => match Coding::of(headers)? {
            Some(coding) => coding.decode(&body.to_bytes(), most),
            None => Ok(body.to_bytes()),
        },
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

/// The time that is left, as `grpc-timeout` says it: at most eight digits and a unit.
fn grpc_timeout(deadline: Instant) -> String {
    let left = deadline.saturating_duration_since(Instant::now()).as_millis();
    format!("{}m", left.clamp(1, 99_999_999))
}

/// A stream that has lasted too long.
fn too_late() -> Status {
    Error::new(Code::DeadlineExceeded, "DEADLINE", "took longer than it may").into()
}

/// A stream that would outlast this process.
fn shutting_down() -> Status {
    Error::unavailable("SHUTTING_DOWN", "this gateway ends; connect again").into()
}

/// Sets a header, if the text can be one.
pub(crate) fn put(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_deadline_always_leaves_a_millisecond() {
        assert_eq!(grpc_timeout(Instant::now()), "1m");
        assert_eq!(grpc_timeout(Instant::now() + Duration::from_secs(1 << 30)), "99999999m");
    }
}
