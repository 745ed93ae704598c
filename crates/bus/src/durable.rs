//! The durable bus: brings every event to every subscribed consumer until it is acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::BoxFuture;
use type_contract::v1::Envelope;

use crate::Result;

/// A bus that keeps events: at least once, in no order, duplicates allowed.
///
/// Each consumer has a queue of its own, into which the bus copies the events of the aggregates the
/// consumer subscribed to. How the subscriptions are stated is the implementation's affair.
pub trait DurableBus: Send + Sync + 'static {
    /// Stores the events. The answer has one entry for each event, in their order; only refused ones
    /// need be put again.
    ///
    /// # Errors
    ///
    /// Any error leaves open which events were stored: put all again.
    fn put<'a>(&'a self, envelopes: &'a [Envelope]) -> BoxFuture<'a, Result<Vec<Put>>>;

    /// Up to `max` events of the consumer's queue, as soon as there is one, none after `wait`.
    /// Another receive does not see them for the time of `visibility`. Dropping the future may hide
    /// events for that time.
    fn receive<'a>(
        &'a self,
        consumer: &'a str,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> BoxFuture<'a, Result<Vec<Received>>>;

    /// Acknowledges: the effects are committed. Also when the visibility has run out.
    fn delete<'a>(&'a self, receipts: &'a [Receipt]) -> BoxFuture<'a, Result<()>>;

    /// Hides a received event for `visibility` from now on. Does nothing when it was received again
    /// since.
    fn extend<'a>(
        &'a self,
        receipt: &'a Receipt,
        visibility: Duration,
    ) -> BoxFuture<'a, Result<()>>;

    /// Gives a received event back, to be received after `delay`. Does nothing when it was received
    /// again since.
    fn release<'a>(&'a self, receipt: &'a Receipt, delay: Duration) -> BoxFuture<'a, Result<()>>;
}

/// What became of one event that was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    Accepted,
    /// Not stored; put it again. The reason is for operators and holds nothing of the event.
    Refused(String),
}

/// An event from a queue.
#[derive(Clone, Debug)]
pub struct Received {
    pub envelope: Envelope,
    pub receipt: Receipt,
    /// How often it has been received, this time included.
    pub attempts: u32,
}

/// Names one receipt of one event, to the bus that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub consumer: String,
    /// Of the bus's own making.
    pub handle: String,
}

/// Who subscribes to what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes(BTreeMap<String, BTreeSet<String>>);

impl Routes {
    /// The consumers of an aggregate such as "clinical.biomarker".
    pub fn consumers(&self, aggregate: &str) -> impl Iterator<Item = &str> {
        self.0.get(aggregate).into_iter().flatten().map(String::as_str)
    }
}

/// From pairs of an aggregate and a consumer.
impl<A: Into<String>, C: Into<String>> FromIterator<(A, C)> for Routes {
    fn from_iter<I: IntoIterator<Item = (A, C)>>(pairs: I) -> Self {
        let mut routes = Self::default();
        for (aggregate, consumer) in pairs {
            routes.0.entry(aggregate.into()).or_default().insert(consumer.into());
        }
        routes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_consumer_of_an_aggregate_is_named_once() {
        let pairs = [("clinical.biomarker", "records"), ("clinical.biomarker", "ai")];
        let routes: Routes = pairs.into_iter().chain([pairs[0]]).collect();
        assert_eq!(routes.consumers("clinical.biomarker").collect::<Vec<_>>(), ["ai", "records"]);
        assert_eq!(routes.consumers("clinical.report").count(), 0);
    }
}
