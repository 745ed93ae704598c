//! More requests than the process can bear are refused at once, so that the others end in time.

use std::sync::Arc;

use contract::Rate;
use http::{Request, Response};
use kit::Error;
use tokio::sync::Semaphore;
use tonic::body::Body;

use super::refuse;
use crate::{Parts, record::Record};
use kit::layers::Next;

/// How many requests may be under way at once.
#[derive(Debug)]
pub(crate) struct Capacity {
    pub(crate) ordinary: Semaphore,
    introspection: Semaphore,
}

impl Capacity {
    /// Room for `in_flight` requests, and an eighth of it for introspection alone: others ask it
    /// before they do anything, so it has to answer while the rest is refused.
    pub(crate) fn new(in_flight: usize) -> Self {
        let room = |permits: usize| Semaphore::new(permits.min(Semaphore::MAX_PERMITS));
        Self { ordinary: room(in_flight), introspection: room((in_flight / 8).max(1)) }
    }

    fn room_for(&self, record: &Record) -> &Semaphore {
        match record.method().map(|it| it.rate) {
            Some(Rate::Introspect) => &self.introspection,
            _ => &self.ordinary,
        }
    }
}

pub(crate) async fn shed(parts: Arc<Parts>, request: Request<Body>, next: Next) -> Response<Body> {
    let record = Record::of(request.extensions());
    let Ok(_permit) = parts.capacity.room_for(&record).try_acquire() else {
        return refuse(Error::unavailable("OVERLOADED", "too many requests are under way"));
    };
    next.run(request).await
}
