//! One event on its way through a handler.

use std::collections::{HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time::sleep;
use type_contract::v1::Envelope;

use crate::backoff::Backoff;
use crate::durable::{DurableBus, Receipt, Received};
use crate::relay::Chain;

/// How long a received event is hidden from others; a running handler extends it.
pub(super) const VISIBILITY: Duration = Duration::from_secs(30);

/// Before a failed event comes again.
const REDELIVERY: Backoff =
    Backoff { first: Duration::from_millis(200), last: Duration::from_secs(60) };

/// Settled events that are remembered. The copies of an event come seconds apart.
const RECENT: usize = 16_384;

pub(super) type Handler =
    Arc<dyn Fn(Envelope) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// What only one event at a time may be in flight of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Aggregate {
        producer: String,
        brand_id: String,
        aggregate: String,
        key: String,
    },
    /// An event without a version is ordered with nothing but its own copies.
    Event(String),
}

/// The event's id and its epoch: a restored producer sends its history again, as new to the gate.
pub(super) type Identity = (String, u32);

pub(super) fn identity(envelope: &Envelope) -> Identity {
    (envelope.event_id.clone(), envelope.epoch)
}

/// An event, and the receipt if the durable bus brought it.
pub(super) struct Delivery {
    envelope: Envelope,
    receipt: Option<(Receipt, u32)>,
}

/// An event whose handler has ended.
pub(super) struct Done {
    pub key: Key,
    pub identity: Identity,
    pub settled: bool,
}

impl Delivery {
    pub fn fast(envelope: Envelope) -> Self {
        Self { envelope, receipt: None }
    }

    pub fn durable(received: Received) -> Self {
        let receipt = Some((received.receipt, received.attempts));
        Self { envelope: received.envelope, receipt }
    }

    pub fn identity(&self) -> Identity {
        identity(&self.envelope)
    }

    pub fn key(&self) -> Key {
        let Envelope { producer, brand_id, aggregate, key, event_id, version, .. } = &self.envelope;
        if *version == 0 {
            return Key::Event(event_id.clone());
        }
        Key::Aggregate {
            producer: producer.clone(),
            brand_id: brand_id.clone(),
            aggregate: aggregate.clone(),
            key: key.clone(),
        }
    }

    /// Handles the event unless it is `known` to be settled, then tells the bus.
    pub async fn run(self, known: bool, handler: Handler, durable: Arc<dyn DurableBus>) -> Done {
        let (key, identity) = (self.key(), self.identity());
        let receipt = self.receipt;
        let result = match known {
            true => Ok(()),
            false => handle(self.envelope, receipt.as_ref(), &handler, durable.as_ref()).await,
        };
        if let Err(error) = &result {
            let bus = if receipt.is_some() { "durable" } else { "fast" };
            let event_id = &identity.0;
            tracing::warn!(event_id, bus, error, "an event was not handled");
        }
        if let Some((receipt, attempts)) = receipt {
            answer(&receipt, attempts, result.is_ok(), durable.as_ref()).await;
        }
        Done { key, identity, settled: result.is_ok() }
    }

    /// Lets another process have it at once.
    pub async fn give_back(self, durable: &dyn DurableBus) {
        if let Some((receipt, _)) = self.receipt
            && let Err(error) = durable.release(&receipt, Duration::ZERO).await
        {
            tracing::debug!(error = %Chain(&error), "an event comes again late");
        }
    }
}

/// Runs the handler. The event stays hidden from others meanwhile, however long it takes.
async fn handle(
    envelope: Envelope,
    receipt: Option<&(Receipt, u32)>,
    handler: &Handler,
    durable: &dyn DurableBus,
) -> Result<(), String> {
    let handling = AssertUnwindSafe(async { handler(envelope).await }).catch_unwind();
    let hiding = async {
        let Some((receipt, _)) = receipt else { return std::future::pending().await };
        loop {
            sleep(VISIBILITY / 2).await;
            if let Err(error) = durable.extend(receipt, VISIBILITY).await {
                tracing::debug!(error = %Chain(&error), "an event may come twice");
            }
        }
    };
    tokio::select! {
        result = handling => result.unwrap_or_else(|_| Err("the handler panicked".to_owned())),
        never = hiding => never,
    }
}

/// Acknowledges or gives back. If that fails the event comes again, which is safe.
async fn answer(receipt: &Receipt, attempts: u32, settled: bool, durable: &dyn DurableBus) {
    let answered = if settled {
        durable.delete(std::slice::from_ref(receipt)).await
    } else {
        durable.release(receipt, REDELIVERY.delay(attempts)).await
    };
    if let Err(error) = answered {
        tracing::warn!(error = %Chain(&error), "an answer did not reach the durable bus");
    }
}

/// The last settled events.
#[derive(Default)]
pub(super) struct Recent {
    events: HashSet<Identity>,
    order: VecDeque<Identity>,
}

impl Recent {
    pub fn contains(&self, event: &Identity) -> bool {
        self.events.contains(event)
    }

    pub fn insert(&mut self, event: Identity) {
        if self.events.insert(event.clone()) {
            self.order.push_back(event);
        }
        if self.order.len() > RECENT
            && let Some(oldest) = self.order.pop_front()
        {
            self.events.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_of_the_recent_is_forgotten() {
        let mut recent = Recent::default();
        let event = |id: usize| (id.to_string(), 1);
        for id in 0..=RECENT {
            recent.insert(event(id));
            recent.insert(event(id));
        }
        assert!(!recent.contains(&event(0)));
        assert!(recent.contains(&event(1)) && recent.contains(&event(RECENT)));
        assert!(!recent.contains(&("1".to_owned(), 2)));
    }

    #[test]
    fn events_share_a_key_by_aggregate_and_without_a_version_by_id() {
        let event = |event_id: &str, version| {
            Delivery::fast(Envelope {
                event_id: event_id.to_owned(),
                key: "a".to_owned(),
                version,
                ..Envelope::default()
            })
        };
        assert_eq!(event("1", 1).key(), event("2", 2).key());
        assert_ne!(event("1", 0).key(), event("2", 0).key());
        assert_eq!(event("1", 0).key(), event("1", 0).key());
    }
}
