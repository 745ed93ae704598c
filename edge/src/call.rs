//! The innermost: a request becomes a gRPC call to the method's service, its answer what the
//! caller's protocol makes of it.

mod compression;
mod conditional;
mod connect;
mod events;
mod metadata;
mod multipart;
mod pass;
mod preference;
mod raw;
mod rest;
mod retry;
mod socket;
mod uplink;
mod upload;
mod web;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, header, request};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body as _;
use kit::{
    BRAND_ID, Error, IDEMPOTENCY_KEY, REQUEST_ID, TRACEPARENT,
    layers::{Receipt, SafeView},
};
use tokio::time::Instant;
use tonic::{Code, Status, body::Body};
use transcode::{Metadata, Style};

use crate::{
    Parts, grpc,
    layers::{body_too_large, coding::Coding},
    page,
    protocol::Protocol,
    record::{Called, Record},
};

/// What of a request's headers a service sees. Everything else stays outside.
const PASSED_ON: [HeaderName; 4] = [header::AUTHORIZATION, BRAND_ID, IDEMPOTENCY_KEY, TRACEPARENT];

/// What of an answer's headers the caller sees.
const PASSED_BACK: HeaderName = HeaderName::from_static("idempotent-replayed");

/// As many headers as a call mostly has.
const HEADERS: usize = 14;

const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// What the way back from a service takes of a call's time at most.
const HOP: Duration = Duration::from_millis(50);

pub(crate) use connect::failure as connect_failure;
pub(crate) use socket::bearer;
#[cfg(test)]
pub(crate) use web::decode as decode_web_text;
pub(crate) use web::failure as web_failure;

use preference::Preference;

/// A request that has been let in, and what it stands on.
pub(crate) struct Ongoing {
    parts: Arc<Parts>,
    record: Arc<Record>,
    /// Boxed, so that a call is moved about cheaply.
    head: Box<request::Parts>,
}

/// How long a service has for a call.
#[derive(Clone, Copy)]
struct Time {
    left: Duration,
    until: Instant,
}

impl Time {
    /// So much less than the caller has that the service's own word of having had too little still
    /// arrives.
    fn before(deadline: Instant, now: Instant) -> Self {
        let left = deadline.saturating_duration_since(now);
        let left = left - (left / 20).min(HOP);
        Self { left, until: now + left }
    }
}

pub(crate) fn call(
    parts: Arc<Parts>,
    request: Request<Body>,
) -> impl Future<Output = Result<Response<Body>, Status>> {
    let begun = Ongoing::begin(parts, request);
    async {
        let (ongoing, body) = begun?;
        // Boxed, so that the usual call is not moved about in the room of the largest.
        match ongoing.called().protocol {
            Protocol::Rest(_) => rest::call(ongoing, body).await,
            Protocol::Socket { .. } => Box::pin(socket::call(ongoing)).await,
            Protocol::Grpc => Box::pin(pass::call(ongoing, body)).await,
            Protocol::GrpcWeb { text } => Box::pin(web::call(ongoing, body, text)).await,
            Protocol::Connect(how) => Box::pin(connect::call(ongoing, body, how)).await,
        }
    }
}

impl Ongoing {
    fn begin(parts: Arc<Parts>, request: Request<Body>) -> Result<(Self, Body), Error> {
        let record = Record::of(request.extensions()).clone();
        if record.called().is_none() || request.extensions().get::<SafeView>().is_none() {
            return Err(Error::internal(anyhow::anyhow!("a request came around checkpoint 4")));
        }
        let (head, body) = request.into_parts();
        let ongoing = Self { parts, record, head: Box::new(head) };
        metadata::check(ongoing.metadata(), &ongoing.head.headers)?;
        Ok((ongoing, body))
    }

    fn called(&self) -> &Called {
        self.record.called().expect("only calls of methods come here")
    }

    /// What crosses besides messages.
    fn metadata(&self) -> &'static Metadata {
        self.called().plan.metadata()
    }

    /// Reads the caller's body to its end.
    async fn read(&self, body: Body) -> Result<Bytes, Error> {
        read(&self.head.headers, body, self.largest_body()).await
    }

    /// The largest body of a request for the method, in bytes; of a stream, the largest message.
    fn largest_body(&self) -> usize {
        self.parts.config.limits.body_of(self.called().plan.largest_body())
    }

    /// Sends one message to the method's service.
    async fn send(&self, message: &[u8]) -> Result<Response<Body>, Status> {
        self.send_whole(grpc::frame(message)).await
    }

    /// Sends a stream of framed messages to the method's service.
    async fn send_body(&self, body: Body) -> Result<Response<Body>, Status> {
        let request = self.outgoing(body, self.time().left);
        self.told(reach(&self.parts, self.called().method.service, request).await?)
    }

    /// The same, to be awaited by somebody else.
    fn sending(&self, body: Body) -> impl Future<Output = Result<Response<Body>, Status>> + use<> {
        let (request, parts) = (self.outgoing(body, self.time().left), self.parts.clone());
        let service = self.called().method.service;
        async move { Ok(reach(&parts, service, request).await?) }
    }

    /// An answer, unless it is a failure whose service tells more than that.
    fn told(&self, answer: Response<Body>) -> Result<Response<Body>, Status> {
        metadata::failure(self.metadata(), answer.headers()).map_or(Ok(answer), Err)
    }

    fn outgoing<B>(&self, body: B, left: Duration) -> Request<B> {
        let mut call = Request::new(body);
        *call.method_mut() = http::Method::POST;
        *call.uri_mut() = self.called().uri.clone();
        let headers = call.headers_mut();
        headers.reserve(HEADERS);
        page::forwarded(headers, &self.parts, &self.record, &self.head);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        for name in PASSED_ON {
            headers.extend(self.head.headers.get(&name).map(|it| (name, it.clone())));
        }
        metadata::pass_on(self.metadata(), &self.head.headers, headers);
        headers.insert(TIMEOUT, grpc_timeout(left));
        // What is not the same the next time has no place in a connection's table (RFC 7541
        // section 7.1), and a token not in anybody's.
        for name in [header::AUTHORIZATION, REQUEST_ID, TIMEOUT] {
            if let Some(value) = headers.get_mut(name) {
                value.set_sensitive(true);
            }
        }
        call
    }

    /// How the caller wants the JSON of the answer. OAuth's (RFC 6749) and that of well-known
    /// documents (RFC 8615) have the names that their standards give them, which are our own.
    fn preference(&self) -> Result<Preference, Error> {
        let is_standard =
            self.called().plan.oauth_errors() || self.head.uri.path().starts_with("/.well-known/");
        match is_standard {
            true => Ok(Preference::usual(Style::Rest)),
            false => Preference::of(&self.head, self.parts.config.style),
        }
    }

    /// When the call must have ended.
    fn deadline(&self) -> Instant {
        let limits = &self.parts.config.limits;
        let limit = if self.called().streams() { limits.stream } else { limits.timeout };
        let allowance = self.record.allowance.get();
        allowance.expect("the limits give every request an allowance").until(limit).into()
    }

    /// The time that the service has from now on.
    fn time(&self) -> Time {
        Time::before(self.deadline(), Instant::now())
    }
}

/// What of the service's headers goes to the caller; the receipt is for checkpoint 5 alone, and
/// extensions stay inside.
fn pass_back<B>(metadata: &Metadata, told: &HeaderMap, response: &mut Response<B>) {
    metadata::pass_back(metadata, told, response.headers_mut());
    if let Some(replayed) = told.get(PASSED_BACK) {
        response.headers_mut().insert(PASSED_BACK, replayed.clone());
    }
    if let Some(receipt) = told.get(kit::RECEIPT).and_then(|it| it.to_str().ok()) {
        response.extensions_mut().insert(Receipt::Shown(receipt.to_owned()));
    }
}

/// Reads a body of at most `most` bytes, coded and restored, to its end.
pub(crate) async fn read(headers: &HeaderMap, body: Body, most: usize) -> Result<Bytes, Error> {
    if body.is_end_stream() && !headers.contains_key(header::CONTENT_ENCODING) {
        return Ok(Bytes::new());
    }
    if most < usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX) {
        return Err(body_too_large(most));
    }
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
    Ok(parts.mesh.peer(name)?.stream(request).await?)
}

/// The time that is left, as `grpc-timeout` says it: at most eight digits and a unit.
fn grpc_timeout(left: Duration) -> HeaderValue {
    let mut left = (left.as_millis().clamp(1, 99_999_999) as u32).to_string();
    left.push('m');
    HeaderValue::try_from(left).expect("digits and a letter")
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
    use super::*;

    #[test]
    fn a_service_has_a_little_less_time_than_its_caller() {
        let now = Instant::now();
        for (left, less) in [(30_000, 50), (1000, 50), (400, 20), (0, 0)] {
            let left = Duration::from_millis(left);
            let time = Time::before(now + left, now);
            assert_eq!(left - time.left, Duration::from_millis(less));
            assert_eq!(time.until, now + time.left);
        }
        assert_eq!(Time::before(now, now + HOP).left, Duration::ZERO);
    }

    #[test]
    fn a_deadline_always_leaves_a_millisecond() {
        assert_eq!(grpc_timeout(Duration::ZERO), "1m");
        assert_eq!(grpc_timeout(Duration::from_secs(1 << 30)), "99999999m");
    }
}
