//! A stream of messages on its way to a service, from a caller who may send what is no message.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::stream::unfold;
use http_body_util::StreamBody;
use hyper::body::Frame;
use tonic::{Status, body::Body};

use crate::grpc;

/// Why the caller's stream was broken off, for whoever answers the caller.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fault(Arc<Mutex<Option<Status>>>);

/// Where the messages of a caller come from.
pub(crate) trait Source: Send + 'static {
    /// The wire bytes of the next message; none at the end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, Status>> + Send;
}

impl Fault {
    /// What the caller did wrong, if that is why a call failed, or else `otherwise`.
    pub(crate) fn or(&self, otherwise: Status) -> Status {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.take().unwrap_or(otherwise)
    }

    /// Keeps what the caller did wrong, and hands it on.
    pub(super) fn heard<T>(&self, outcome: Result<T, Status>) -> Result<T, Status> {
        outcome.inspect_err(|fault| {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault.clone());
        })
    }
}

/// The body that sends what comes. A fault of the caller resets the call at the service.
pub(crate) fn body(source: impl Source) -> (Body, Fault) {
    let fault = Fault::default();
    let state = (source, fault.clone());
    let frames = unfold(state, |(mut source, fault)| async move {
        let message = fault.heard(source.next().await).transpose()?;
        Some((message.map(|it| Frame::data(grpc::frame(&it))), (source, fault)))
    });
    (Body::new(StreamBody::new(frames)), fault)
}
