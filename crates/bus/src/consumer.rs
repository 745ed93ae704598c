//! Feeds a handler from both buses.
//!
//! Whichever bus brings an event first, the handler sees it. Of one key only one event is in flight at
//! a time, in the order of arrival; the gate makes that the order of versions. A durable event is
//! acknowledged after the handler's `Ok`, and comes again after an `Err`; a failed fast event is only
//! logged, as the durable bus brings it.

mod delivery;

use std::collections::{HashMap, VecDeque};
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use type_contract::v1::Envelope;

use crate::Result;
use crate::backoff::Backoff;
use crate::durable::{DurableBus, Received};
use crate::fast::{Fast, Subscription};
use crate::relay::Chain;

use delivery::{Delivery, Done, Handler, Key, Recent};

/// Handlers that run at a time.
const CONCURRENCY: usize = 16;

/// Events that run or wait for their key: beyond the first number the fast bus waits (and loses),
/// beyond the second one the durable bus too.
const FAST_ROOM: usize = 128;
const DURABLE_ROOM: usize = 256;

/// Events of one receive, and how long a receive and a shutdown may wait for it.
const RECEIVE_MAX: usize = 32;
const RECEIVE_WAIT: Duration = Duration::from_secs(1);

/// Between failed receives.
const TROUBLE: Backoff =
    Backoff { first: Duration::from_millis(100), last: Duration::from_secs(5) };

/// Feeds `handle` with the events of `aggregates` until `shutdown`, then lets the running handlers
/// end and gives back what has not begun.
///
/// `handle` gets an event at least once, so it must go through the gate; `Ok` means that the event is
/// settled for good: applied, parked, a duplicate, or a dead letter. `Err` brings it again later. Its
/// error is logged, so it holds nothing of the event. A panic counts as an error.
///
/// # Errors
///
/// [`Error::Unavailable`](crate::Error::Unavailable) if the aggregates cannot be subscribed to.
/// Later trouble is waited out.
pub async fn consume<H, F, E>(
    consumer: &str,
    aggregates: &[&str],
    fast: &Fast,
    durable: Arc<dyn DurableBus>,
    handle: H,
    shutdown: CancellationToken,
) -> Result<()>
where
    H: Fn(Envelope) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Display,
{
    let subscription = fast.subscribe(consumer, aggregates).await?;
    let handler: Handler = Arc::new(move |envelope| {
        handle(envelope).map(|result| result.map_err(|error| error.to_string())).boxed()
    });
    let feed = Feed {
        receiving: receive(durable.clone(), consumer.to_owned(), 0),
        consumer: consumer.to_owned(),
        subscription: Some(subscription),
        durable,
        handler,
        waiting: HashMap::new(),
        ready: VecDeque::new(),
        held: 0,
        running: JoinSet::new(),
        recent: Recent::default(),
    };
    feed.run(shutdown).await;
    Ok(())
}

/// The state of one consumer.
struct Feed {
    consumer: String,
    /// `None` when the fast bus is gone for good.
    subscription: Option<Subscription>,
    durable: Arc<dyn DurableBus>,
    handler: Handler,
    receiving: Receiving,
    /// What waits for its key. A key is here while an event of it is ready or running.
    waiting: HashMap<Key, VecDeque<Delivery>>,
    /// What waits for a free handler, at most one of each key.
    ready: VecDeque<Delivery>,
    /// Events in `waiting`, `ready` and `running`.
    held: usize,
    /// Dropping it aborts the handlers.
    running: JoinSet<Done>,
    /// Settled lately: the other bus's copy needs no handler.
    recent: Recent,
}

/// A receive in progress. It lives across turns of the loop: dropping it would hide its events.
type Receiving = BoxFuture<'static, Receipts>;

/// The events, or how many receives have failed in a row.
type Receipts = Result<Vec<Received>, u32>;

impl Feed {
    async fn run(mut self, shutdown: CancellationToken) {
        loop {
            self.start();
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(done) = self.running.join_next() => self.finish(done),
                Some(envelope) = next(&mut self.subscription), if self.held < FAST_ROOM => {
                    self.accept(Delivery::fast(envelope));
                }
                receipts = &mut self.receiving, if self.held < DURABLE_ROOM => {
                    self.take(receipts).await;
                }
            }
        }
        self.drain().await;
    }

    /// Starts handlers while there is work and room.
    fn start(&mut self) {
        while self.running.len() < CONCURRENCY
            && let Some(delivery) = self.ready.pop_front()
        {
            // Its copy may have been handled since it came.
            let known = self.recent.contains(&delivery.identity());
            let (handler, durable) = (self.handler.clone(), self.durable.clone());
            self.running.spawn(delivery.run(known, handler, durable));
        }
    }

    /// Lines an event up behind those of its key.
    fn accept(&mut self, delivery: Delivery) {
        self.held += 1;
        match self.waiting.get_mut(&delivery.key()) {
            Some(line) => line.push_back(delivery),
            None => {
                self.waiting.insert(delivery.key(), VecDeque::new());
                self.ready.push_back(delivery);
            }
        }
    }

    fn finish(&mut self, done: Result<Done, tokio::task::JoinError>) {
        // A handler's panic is caught within, and nothing else ends a task of this set.
        let Ok(done) = done else { return };
        self.held -= 1;
        if done.settled {
            self.recent.insert(done.identity);
        }
        let Some(line) = self.waiting.get_mut(&done.key) else { return };
        match line.pop_front() {
            Some(next) => self.ready.push_back(next),
            None => {
                self.waiting.remove(&done.key);
            }
        }
    }

    /// Lines up what a receive brought, and begins the next one.
    async fn take(&mut self, receipts: Receipts) {
        let (received, failures) = match receipts {
            Ok(received) => (received, 0),
            Err(failures) => (Vec::new(), failures),
        };
        self.receiving = receive(self.durable.clone(), self.consumer.clone(), failures);
        let (known, fresh): (Vec<_>, Vec<_>) = received
            .into_iter()
            .partition(|received| self.recent.contains(&delivery::identity(&received.envelope)));
        for received in fresh {
            self.accept(Delivery::durable(received));
        }
        let receipts: Vec<_> = known.into_iter().map(|received| received.receipt).collect();
        if !receipts.is_empty()
            && let Err(error) = self.durable.delete(&receipts).await
        {
            tracing::warn!(error = %Chain(&error), "handled events will come again");
        }
    }

    /// Ends what runs, gives back what does not.
    async fn drain(mut self) {
        let waiting = self.waiting.into_values().flatten();
        for delivery in self.ready.into_iter().chain(waiting) {
            delivery.give_back(self.durable.as_ref()).await;
        }
        let (received, ()) = tokio::join!(self.receiving, async {
            while self.running.join_next().await.is_some() {}
        });
        for received in received.unwrap_or_default() {
            Delivery::durable(received).give_back(self.durable.as_ref()).await;
        }
    }
}

/// The next fast event; `None` once the bus is gone, and then no more is asked of it.
async fn next(subscription: &mut Option<Subscription>) -> Option<Envelope> {
    let envelope = subscription.as_mut()?.next().await;
    if envelope.is_none() {
        *subscription = None;
    }
    envelope
}

/// One receive, after a pause if the ones before failed.
fn receive(durable: Arc<dyn DurableBus>, consumer: String, failures: u32) -> Receiving {
    async move {
        if failures > 0 {
            sleep(TROUBLE.delay(failures)).await;
        }
        let visibility = delivery::VISIBILITY;
        let received = durable.receive(&consumer, RECEIVE_MAX, RECEIVE_WAIT, visibility).await;
        received.map_err(|error| {
            tracing::warn!(consumer, error = %Chain(&error), "the durable bus gives nothing");
            failures + 1
        })
    }
    .boxed()
}
