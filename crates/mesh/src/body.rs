//! Bodies on their way to and from a remote peer.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use h2::RecvStream;
use http::{HeaderMap, header::CONTENT_LENGTH};
use http_body::{Body as _, Frame, SizeHint};
use tokio_util::task::AbortOnDropHandle;
use tonic::body::Body;

/// What a request carries.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Whole(Bytes),
    Stream(Body),
}

impl Outgoing {
    /// Whether there certainly is nothing to send.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Stream(body) => body.is_end_stream(),
        }
    }
}

/// Counts one request in flight for as long as it lives.
#[derive(Debug)]
pub(crate) struct Load(Arc<AtomicUsize>);

impl Load {
    pub fn on(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A response's body. Its request counts as in flight until it has ended, trailers included.
#[derive(Debug)]
pub(crate) struct Received {
    stream: RecvStream,
    /// Whether only trailers may come.
    is_data_done: bool,
    /// How many bytes are to come, where the peer says so.
    length: Option<u64>,
    held: Option<Held>,
}

/// What lives as long as a response does: its places in flight, and the rest of its request.
pub(crate) type Held = ([Load; 2], Option<AbortOnDropHandle<()>>);

impl Received {
    pub fn new(headers: &HeaderMap, stream: RecvStream, held: Held) -> Self {
        let length = headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse().ok());
        Self { stream, is_data_done: false, length, held: Some(held) }
    }

    fn poll_stream(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if !self.is_data_done {
            match ready!(self.stream.poll_data(context)) {
                Some(Ok(data)) => {
                    // Whoever asks for the next frame has done with the last one.
                    let _ = self.stream.flow_control().release_capacity(data.len());
                    self.length = self.length.map(|it| it.saturating_sub(data.len() as u64));
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(cause)) => return Poll::Ready(Some(Err(cause))),
                None => self.is_data_done = true,
            }
        }
        let trailers = ready!(self.stream.poll_trailers(context)).transpose();
        Poll::Ready(trailers.map(|it| it.map(Frame::trailers)))
    }
}

impl http_body::Body for Received {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let frame = ready!(self.poll_stream(context));
        if !matches!(&frame, Some(Ok(_))) || self.stream.is_end_stream() {
            self.held = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
