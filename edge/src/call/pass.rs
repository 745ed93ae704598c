//! gRPC goes through as it came: the messages untouched, the headers cleaned.

use std::{
    future::{Future, pending},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, Version, header};
use http_body_util::Full;
use hyper::body::{Frame, SizeHint};
use kit::Error;
use tokio::time::sleep_until;
use tonic::{Status, body::Body};

use super::{Ongoing, pass_back, shutting_down, too_late};
use crate::{grpc, record::Record};

/// What of gRPC's own headers goes through on top of those of every call.
const ENCODINGS: [&str; 2] = ["grpc-encoding", "grpc-accept-encoding"];

pub(crate) async fn call(ongoing: Ongoing, body: Body) -> Result<Response<Body>, Status> {
    if ongoing.head.version != Version::HTTP_2 {
        return Err(Error::invalid("HTTP_VERSION", "version", "must be HTTP/2 for gRPC").into());
    }
    let answer = ongoing.send_on(body).await?;
    let (head, body) = answer.into_parts();
    if let Some(failure) = grpc::failure(&head.headers) {
        return Err(failure);
    }
    let ending = Ending::new(body, ongoing.ends(), ongoing.record.clone());
    let mut response = Response::new(Body::new(ending));
    *response.headers_mut() = grpc_headers(&head.headers);
    pass_back(&head.headers, &mut response);
    Ok(response)
}

impl Ongoing {
    /// Waits until the call has to end, whatever the service does: at its deadline; or with the
    /// gateway, if it might outlast that.
    pub(super) fn ends(&self) -> impl Future<Output = Status> + Send + use<> {
        let closing = self.called().streams().then(|| self.parts.closing.clone());
        let (deadline, closed) = (self.deadline(), async move {
            match closing {
                Some(closing) => closing.cancelled_owned().await,
                None => pending().await,
            }
        });
        async move {
            tokio::select! {
                () = sleep_until(deadline) => too_late(),
                () = closed => shutting_down(),
            }
        }
    }

    /// Sends a body of framed messages on: as it comes if the method takes a stream, whole if it
    /// takes one message, so that its size is known to be in bounds before anybody works on it.
    pub(super) async fn send_on(&self, body: Body) -> Result<Response<Body>, Status> {
        let body = match self.called().plan.is_client_streaming() {
            true => body,
            false => Body::new(Full::new(self.read(body).await?)),
        };
        let mut request = self.outgoing(body);
        for name in ENCODINGS.map(HeaderName::from_static) {
            if let Some(value) = self.head.headers.get(&name) {
                request.headers_mut().insert(name, value.clone());
            }
        }
        Ok(super::reach(&self.parts, self.called().method.service, request).await?)
    }
}

/// The headers of gRPC itself, and no others.
pub(super) fn grpc_headers(told: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    for name in ENCODINGS.map(HeaderName::from_static) {
        if let Some(value) = told.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    headers
}

/// The trailers of gRPC itself, and no others.
pub(super) fn grpc_trailers(told: &HeaderMap) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(3);
    for name in ["grpc-status", "grpc-message", "grpc-status-details-bin"] {
        let name = HeaderName::from_static(name);
        if let Some(value) = told.get(&name) {
            trailers.insert(name, value.clone());
        }
    }
    trailers
}

/// A body of framed messages that ends when it has to, with trailers that say so.
pub(super) struct Ending {
    body: Body,
    ends: Pin<Box<dyn Future<Output = Status> + Send>>,
    ended: bool,
    /// Kept until all has been sent.
    _record: Arc<Record>,
}

impl Ending {
    pub(super) fn new(
        body: Body,
        ends: impl Future<Output = Status> + Send + 'static,
        record: Arc<Record>,
    ) -> Self {
        Self { body, ends: Box::pin(ends), ended: false, _record: record }
    }

    fn end(&mut self, status: &Status) -> Frame<Bytes> {
        self.ended = true;
        self.body = Body::empty(); // Drops the call, which ends it at the service.
        let mut trailers = HeaderMap::new();
        if status.add_header(&mut trailers).is_err() {
            trailers.insert("grpc-status", HeaderValue::from(status.code() as i32));
        }
        Frame::trailers(trailers)
    }
}

impl hyper::body::Body for Ending {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            return Poll::Ready(match frame {
                Some(Ok(frame)) => Some(Ok(match frame.into_trailers() {
                    Ok(trailers) => Frame::trailers(grpc_trailers(&trailers)),
                    Err(data) => data,
                })),
                Some(Err(_)) => Some(Ok(this.end(&broken_off()))),
                None => None,
            });
        }
        match this.ends.as_mut().poll(context) {
            Poll::Ready(status) => Poll::Ready(Some(Ok(this.end(&status)))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn broken_off() -> Status {
    Error::unavailable("PEER_LOST", "a service broke off").into()
}
