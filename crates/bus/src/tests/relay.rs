//! The relay as a whole, with buses that misbehave.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use type_contract::v1::Envelope;

use super::database::{AGGREGATE, Database, PRODUCER, short};
use super::{eventually, fast};
use crate::{DurableBus, Error, Fast, Put, Receipt, Received, Relay, Result};

/// What a bus does to one put.
#[derive(Clone, Copy)]
enum Mishap {
    Fail,
    RefuseSecond,
    /// Takes the events and never says so.
    Silence,
}

/// A durable bus that remembers what it took, and has a list of mishaps first.
#[derive(Default)]
struct Recorder {
    taken: Mutex<Vec<String>>,
    mishaps: Mutex<VecDeque<Mishap>>,
}

impl Recorder {
    fn with(mishaps: impl IntoIterator<Item = Mishap>) -> Arc<Self> {
        Arc::new(Self { mishaps: Mutex::new(mishaps.into_iter().collect()), ..Self::default() })
    }

    fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }

    async fn record(&self, envelopes: &[Envelope]) -> Result<Vec<Put>> {
        let mishap = self.mishaps.lock().unwrap().pop_front();
        let mut puts = vec![Put::Accepted; envelopes.len()];
        match mishap {
            Some(Mishap::Fail) => return Err(Error::Unavailable("on purpose".to_owned())),
            Some(Mishap::RefuseSecond) => puts[1] = Put::Refused("on purpose".to_owned()),
            Some(Mishap::Silence) | None => {}
        }
        for (envelope, put) in envelopes.iter().zip(&puts) {
            if *put == Put::Accepted {
                self.taken.lock().unwrap().push(short(envelope));
            }
        }
        match mishap {
            Some(Mishap::Silence) => pending().await,
            _ => Ok(puts),
        }
    }
}

impl DurableBus for Recorder {
    fn put<'a>(&'a self, envelopes: &'a [Envelope]) -> BoxFuture<'a, Result<Vec<Put>>> {
        self.record(envelopes).boxed()
    }

    fn receive<'a>(
        &'a self,
        _: &'a str,
        _: usize,
        _: Duration,
        _: Duration,
    ) -> BoxFuture<'a, Result<Vec<Received>>> {
        pending().boxed()
    }

    fn delete<'a>(&'a self, _: &'a [Receipt]) -> BoxFuture<'a, Result<()>> {
        pending().boxed()
    }

    fn extend<'a>(&'a self, _: &'a Receipt, _: Duration) -> BoxFuture<'a, Result<()>> {
        pending().boxed()
    }

    fn release<'a>(&'a self, _: &'a Receipt, _: Duration) -> BoxFuture<'a, Result<()>> {
        pending().boxed()
    }
}

fn start(database: &Database, fast: &Fast, durable: &Arc<Recorder>) -> JoinHandle<()> {
    let relay = Relay {
        service: PRODUCER.to_owned(),
        schema: PRODUCER.to_owned(),
        database: database.options("clinical_drain"),
        fast: fast.clone(),
        durable: durable.clone(),
    };
    tokio::spawn(relay.run(CancellationToken::new()))
}

/// Until the cursor of the durable bus has no new row before it.
async fn settled(database: &Database) {
    eventually("the durable cursor passes every row", async || {
        let left: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM clinical.outbox o WHERE NOT EXISTS (
                 SELECT FROM clinical.relay_cursors c
                 WHERE bus = 'durable' AND pg_visible_in_snapshot(o.xid, c.snapshot))",
        )
        .fetch_one(&database.pool)
        .await
        .unwrap();
        left == 0
    })
    .await;
}

#[tokio::test]
async fn an_event_reaches_both_buses() {
    let database = Database::create().await;
    let (fast, durable) = (fast::nats().await, Arc::new(Recorder::default()));
    let mut events = fast.subscribe("records", &[AGGREGATE]).await.unwrap();
    let relay = start(&database, &fast, &durable);
    database.emit(&["a", "b"]).await;
    fast.wake(PRODUCER);
    for expected in ["a1", "b1"] {
        let event = events.next().await.unwrap();
        assert_eq!(short(&event), expected);
        assert_eq!(
            (event.producer.as_str(), event.epoch, event.payload),
            (PRODUCER, 1, vec![1, 2])
        );
        assert!(event.occurred_at.unwrap().seconds > 1_700_000_000);
    }
    settled(&database).await;
    assert_eq!(durable.taken(), ["a1", "b1"]);
    relay.abort();
}

#[tokio::test]
async fn only_what_the_durable_bus_refused_is_put_again() {
    let database = Database::create().await;
    let durable = Recorder::with([Mishap::Fail, Mishap::RefuseSecond, Mishap::Fail]);
    database.emit(&["a", "b", "c"]).await;
    let relay = start(&database, &Fast::embedded(), &durable);
    settled(&database).await;
    assert_eq!(durable.taken(), ["a1", "c1", "b1"]);
    relay.abort();
}

#[tokio::test]
async fn a_relay_killed_between_sending_and_its_cursor_sends_again() {
    let database = Database::create().await;
    let durable = Recorder::with([Mishap::Silence]);
    database.emit(&["a", "b"]).await;
    let relay = start(&database, &Fast::embedded(), &durable);
    eventually("the bus has the events", async || durable.taken().len() == 2).await;
    relay.abort();
    let _ = relay.await;
    database.emit(&["a"]).await;
    let relay = start(&database, &Fast::embedded(), &durable);
    settled(&database).await;
    assert_eq!(durable.taken(), ["a1", "b1", "a1", "b1", "a2"]);
    relay.abort();
}

#[tokio::test]
async fn a_leader_without_its_connection_is_replaced() {
    let database = Database::create().await;
    let (fast, durable) = (Fast::embedded(), Arc::new(Recorder::default()));
    let relays = [start(&database, &fast, &durable), start(&database, &fast, &durable)];
    for round in 1..=5_usize {
        database.emit(&["a"]).await;
        eventually("the event is sent", async || durable.taken().len() >= round).await;
        database.depose().await;
    }
    settled(&database).await;
    let mut taken = durable.taken();
    taken.dedup();
    assert_eq!(taken, ["a1", "a2", "a3", "a4", "a5"]);
    relays.iter().for_each(JoinHandle::abort);
}

#[tokio::test]
async fn a_fast_bus_that_is_down_holds_nothing_up_and_gets_no_history_later() {
    let database = Database::create().await;
    let durable = Arc::new(Recorder::default());
    let down = Fast::nats("nats://127.0.0.1:1", "test").await.unwrap();
    let relay = start(&database, &down, &durable);
    database.emit(&["a"]).await;
    settled(&database).await;
    eventually("the fast cursor has moved on", async || {
        let moved: Option<bool> = sqlx::query_scalar(
            "SELECT bool_and(pg_visible_in_snapshot(o.xid, c.snapshot))
             FROM clinical.outbox o, clinical.relay_cursors c WHERE bus = 'fast'",
        )
        .fetch_one(&database.pool)
        .await
        .unwrap();
        moved == Some(true)
    })
    .await;
    relay.abort();
    let _ = relay.await;
    let up = Fast::embedded();
    let mut events = up.subscribe("records", &[AGGREGATE]).await.unwrap();
    let relay = start(&database, &up, &durable);
    database.emit(&["b"]).await;
    let event = timeout(Duration::from_secs(10), events.next()).await.unwrap().unwrap();
    assert_eq!(short(&event), "b1");
    relay.abort();
}

#[tokio::test]
async fn a_relay_ends_when_it_is_told_to() {
    let database = Database::create().await;
    let shutdown = CancellationToken::new();
    let relay = Relay {
        service: PRODUCER.to_owned(),
        schema: PRODUCER.to_owned(),
        database: database.options("clinical_drain"),
        fast: Fast::embedded(),
        durable: Recorder::with([Mishap::Silence]),
    };
    database.emit(&["a"]).await;
    let running = tokio::spawn(relay.run(shutdown.clone()));
    shutdown.cancel();
    timeout(Duration::from_secs(10), running).await.expect("an end within 10 s").unwrap();
}
