//! More requests than the process can bear are refused at once, so that the others end in time.

use std::sync::Arc;

use contract::Rate;
use http::{Extensions, HeaderMap};
use kit::{
    Error,
    layers::{Check, Finding},
};
use tokio::sync::Semaphore;

use crate::{
    Limits, Parts,
    record::{Called, Record},
};

/// How many requests may be under way at once.
#[derive(Clone, Debug)]
pub(crate) struct Capacity {
    pub(crate) ordinary: Arc<Semaphore>,
    introspection: Arc<Semaphore>,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) public_streams: Arc<Semaphore>,
}

impl Capacity {
    /// Room for requests, and an eighth of it for introspection alone: others ask it before they
    /// do anything, so it has to answer while the rest is refused. Streams last, and so must not
    /// take the room of what is over in a moment; nor may those whom nobody let in take that of
    /// the others.
    pub(crate) fn new(limits: &Limits) -> Self {
        let room = |permits: usize| Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        Self {
            ordinary: room(limits.in_flight),
            introspection: room((limits.in_flight / 8).max(1)),
            streams: room(limits.streams),
            public_streams: room((limits.streams / 16).max(1)),
        }
    }

    fn room_for(&self, record: &Record) -> &Arc<Semaphore> {
        match record.called() {
            Some(Called { method, .. }) if method.rate == Rate::Introspect => &self.introspection,
            Some(called) if called.streams() && called.method.is_public() => &self.public_streams,
            Some(called) if called.streams() => &self.streams,
            _ => &self.ordinary,
        }
    }
}

/// Takes the room of a request, or refuses it.
#[derive(Clone)]
pub(crate) struct Shed(pub(crate) Arc<Parts>);

impl Check for Shed {
    fn check(&self, _: &HeaderMap, extensions: &mut Extensions) -> Finding {
        let record = Record::of(extensions);
        let room = self.0.capacity.room_for(record).clone();
        Finding::Now(match room.try_acquire_owned() {
            Ok(permit) => {
                let _ = record.permit.set(permit);
                Ok(())
            }
            Err(_) => Err(Error::unavailable("OVERLOADED", "too many requests are under way")),
        })
    }
}
