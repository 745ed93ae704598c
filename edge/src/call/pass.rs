//! gRPC goes through as it came: the messages untouched, the headers cleaned.

use std::{
    future::Future as _,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, Version, header};
use hyper::body::{Frame, SizeHint};
use kit::Error;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::{Status, body::Body};
use transcode::Metadata;

use super::{
    Ongoing,
    compression::{self, GRPC, Restoring},
    metadata, pass_back, too_late,
    uplink::{self, Fault},
};
use crate::{grpc, record::Record};

/// What of gRPC's own headers comes back from a service that compresses its answers itself.
const ENCODINGS: [&str; 2] = ["grpc-encoding", "grpc-accept-encoding"];

pub(crate) async fn call(ongoing: Ongoing, body: Body) -> Result<Response<Body>, Status> {
    if ongoing.head.version != Version::HTTP_2 {
        return Err(Error::invalid("HTTP_VERSION", "version", "must be HTTP/2 for gRPC").into());
    }
    let (answer, fault) = match ongoing.called().plan.is_client_streaming() {
        true => ongoing.send_stream(body).await?,
        false => (ongoing.send_frames(ongoing.read(body).await?).await?, None),
    };
    let (head, body) = answer.into_parts();
    if let Some(failure) = grpc::failure(&head.headers) {
        return Err(fault.map_or(failure.clone(), |it| it.or(failure)));
    }
    let mut headers = grpc_headers(&head.headers);
    let body = ongoing.shrinking(body, &mut headers);
    let until = ongoing.deadline();
    let ending = Ending::new(body, until, ongoing.record.clone()).telling(ongoing.metadata());
    let ending = Ending { fault, ..ending };
    let mut response = Response::new(Body::new(ending));
    *response.headers_mut() = headers;
    pass_back(ongoing.metadata(), &head.headers, &mut response);
    Ok(response)
}

impl Ongoing {
    /// Sends a stream of framed messages on: as they come if they are plain, or else restored.
    async fn send_stream(&self, body: Body) -> Result<(Response<Body>, Option<Fault>), Status> {
        let Some(coding) = GRPC.sent(&self.head.headers)? else {
            return Ok((self.send_body(body).await?, None));
        };
        let largest = self.largest_body();
        let (body, fault) = uplink::body(Restoring::new(body, coding, largest));
        let answer = self.send_body(body).await.map_err(|it| fault.or(it))?;
        Ok((answer, Some(fault)))
    }

    /// Sends framed messages on that are here as a whole, so that their size is known to be in
    /// bounds before anybody works on them.
    pub(super) async fn send_frames(&self, frames: Bytes) -> Result<Response<Body>, Status> {
        let frames = match GRPC.sent(&self.head.headers)? {
            Some(coding) => compression::plain(frames, coding, self.largest_body())?,
            None => frames,
        };
        self.send_whole(frames).await
    }

    /// The frames of an answer, compressed if the caller wants that and nobody has done it.
    pub(super) fn shrinking(&self, body: Body, headers: &mut HeaderMap) -> Body {
        let accepted = GRPC.accepted(&self.head.headers);
        match accepted.filter(|_| !headers.contains_key(ENCODINGS[0])) {
            Some(coding) => {
                GRPC.tell(coding, headers);
                compression::shrunk(body, coding)
            }
            None => body,
        }
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

/// The trailers of gRPC itself, those that the contract lets through, and no others.
pub(super) fn grpc_trailers(metadata: Option<&Metadata>, told: &HeaderMap) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(3);
    for name in ["grpc-status", "grpc-message", "grpc-status-details-bin"] {
        let name = HeaderName::from_static(name);
        if let Some(value) = told.get(&name) {
            trailers.insert(name, value.clone());
        }
    }
    if let Some(metadata) = metadata {
        metadata::pass_back(metadata, told, &mut trailers);
    }
    trailers
}

/// A body of framed messages that ends at its deadline, with trailers that say so.
pub(super) struct Ending {
    body: Body,
    deadline: Pin<Box<Sleep>>,
    ended: bool,
    /// What the caller may have done to break the call off.
    fault: Option<Fault>,
    metadata: Option<&'static Metadata>,
    /// Kept until all has been sent.
    _record: Arc<Record>,
}

impl Ending {
    pub(super) fn new(body: Body, until: Instant, record: Arc<Record>) -> Self {
        let deadline = Box::pin(sleep_until(until));
        Self { body, deadline, ended: false, fault: None, metadata: None, _record: record }
    }

    /// Lets these trailers through as well.
    pub(super) fn telling(self, metadata: &'static Metadata) -> Self {
        Self { metadata: Some(metadata), ..self }
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
                    Ok(trailers) => Frame::trailers(grpc_trailers(this.metadata, &trailers)),
                    Err(data) => data,
                })),
                Some(Err(_)) => {
                    let fault = this.fault.take();
                    let status = fault.map_or_else(broken_off, |it| it.or(broken_off()));
                    Some(Ok(this.end(&status)))
                }
                None => None,
            });
        }
        match this.deadline.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Some(Ok(this.end(&too_late())))),
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
