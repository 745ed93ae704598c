//! The fast bus: brings an event in less than a millisecond, or not at all.
//!
//! Lossy by design. A receiver that lags, a broker that restarts, a network that fails: each loses
//! events here, and the durable bus brings them later.

mod embedded;
mod nats;

use type_contract::v1::Envelope;

use crate::Result;

use embedded::Embedded;
use nats::Nats;

/// A handle to the fast bus. Clones are cheap and share it.
#[derive(Clone)]
pub struct Fast(Backend);

#[derive(Clone)]
enum Backend {
    Embedded(Embedded),
    Nats(Nats),
}

impl Fast {
    /// A bus within this process.
    pub fn embedded() -> Self {
        Self(Backend::Embedded(Embedded::default()))
    }

    /// The NATS server at `url`, for example `nats://host:4222`. Subjects begin with
    /// `loop.<stage>.`, so stages can share a server.
    ///
    /// Connects in the background and for ever, so that a process starts and lives while NATS is
    /// down. Call inside a Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`Error::Address`](crate::Error::Address) if `url` is not the address of a NATS server.
    pub async fn nats(url: &str, stage: &str) -> Result<Self> {
        Ok(Self(Backend::Nats(Nats::connect(url, stage).await?)))
    }

    /// Sends the events, in order. Those too large for the broker or without a proper name stay out.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`](crate::Error::Unavailable) if the broker cannot be reached now; any
    /// part of the events may have been sent.
    pub async fn publish(&self, envelopes: &[Envelope]) -> Result<()> {
        match &self.0 {
            Backend::Embedded(bus) => bus.publish(envelopes),
            Backend::Nats(bus) => bus.publish(envelopes).await?,
        }
        Ok(())
    }

    /// Receives the events of `aggregates`, such as "clinical.biomarker", from now on. Subscriptions
    /// of the same consumer share the events: each gets a part.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`](crate::Error::Unavailable) if an aggregate's name cannot be subscribed
    /// to.
    pub async fn subscribe(&self, consumer: &str, aggregates: &[&str]) -> Result<Subscription> {
        Ok(Subscription(match &self.0 {
            Backend::Embedded(bus) => Events::Embedded(bus.subscribe(consumer, aggregates)),
            Backend::Nats(bus) => Events::Nats(bus.subscribe(consumer, aggregates).await?),
        }))
    }

    /// Tells the relays of `service` that it has committed an event. Returns at once; may be lost.
    pub fn wake(&self, service: &str) {
        match &self.0 {
            Backend::Embedded(bus) => bus.wake(service),
            Backend::Nats(bus) => bus.wake(service),
        }
    }

    /// Listens to [`Fast::wake`] of `service`.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`](crate::Error::Unavailable) if the service's name cannot be subscribed
    /// to.
    pub async fn woken(&self, service: &str) -> Result<Wakes> {
        Ok(Wakes(match &self.0 {
            Backend::Embedded(bus) => Calls::Embedded(bus.woken(service)),
            Backend::Nats(bus) => Calls::Nats(bus.woken(service).await?),
        }))
    }
}

/// The events of one consumer on the fast bus.
pub struct Subscription(Events);

enum Events {
    Embedded(embedded::Events),
    Nats(nats::Events),
}

impl Subscription {
    /// The next event; `None` when the bus is gone for good. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Envelope> {
        match &mut self.0 {
            Events::Embedded(events) => events.recv().await,
            Events::Nats(events) => nats::next(events).await,
        }
    }
}

/// The wake-up calls of one service.
pub struct Wakes(Calls);

enum Calls {
    Embedded(embedded::Calls),
    Nats(async_nats::Subscriber),
}

impl Wakes {
    /// Waits for a call. Several calls since the last one count as one. Never returns when the bus is
    /// gone for good.
    pub async fn next(&mut self) {
        let called = match &mut self.0 {
            Calls::Embedded(calls) => calls.changed().await.is_ok(),
            Calls::Nats(calls) => nats::called(calls).await,
        };
        if !called {
            std::future::pending::<()>().await;
        }
    }
}
