//! Sends a body that comes bit by bit, no faster than its reader takes it.

use std::{
    future::{Future as _, poll_fn},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tokio_util::task::AbortOnDropHandle;
use tonic::body::Body;

/// Sends what is there of `body` now, and the rest in a task that ends with the handle. Whoever
/// drops the handle before the body's end resets the stream.
pub(crate) fn upload(body: Body, stream: SendStream<Bytes>) -> Option<AbortOnDropHandle<()>> {
    let mut sending = Box::pin(send(body, stream));
    // Most bodies are there as a whole, and need no task. The task looks again who is to be woken.
    match sending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(()) => None,
        Poll::Pending => Some(AbortOnDropHandle::new(tokio::spawn(sending))),
    }
}

/// What stops it before the body's end is told by the stream's response.
async fn send(mut body: Body, mut stream: SendStream<Bytes>) {
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            // The body has failed, so the call is given up.
            return stream.send_reset(Reason::CANCEL);
        };
        let sent = match frame.into_data() {
            Ok(data) => {
                let is_last = body.is_end_stream();
                if !data.is_empty() && room(&mut stream).await.is_err() {
                    return;
                }
                stream.send_data(data, is_last).map(|()| is_last)
            }
            Err(frame) => {
                let trailers = frame.into_trailers().unwrap_or_default();
                stream.send_trailers(trailers).map(|()| true)
            }
        };
        if !matches!(sent, Ok(false)) {
            return;
        }
    }
    // Where the peer has reset the stream this fails, and nobody needs it.
    let _ = stream.send_data(Bytes::new(), true);
}

/// Waits until the peer takes more. One byte is asked for, not the frame: what is reserved is kept
/// from the connection's other streams.
async fn room(stream: &mut SendStream<Bytes>) -> Result<(), Reason> {
    stream.reserve_capacity(1);
    while stream.capacity() == 0 {
        match poll_fn(|context| stream.poll_capacity(context)).await {
            Some(Ok(_)) => {}
            Some(Err(cause)) => return Err(cause.reason().unwrap_or(Reason::CANCEL)),
            None => return Err(Reason::CANCEL),
        }
    }
    Ok(())
}
