//! The consumer on a real queue.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use type_contract::v1::Envelope;

use super::database::{AGGREGATE, CONSUMER, Database, event, short};
use super::eventually;
use crate::{DurableBus, Fast, PostgresQueue, Result, consume};

/// A consumer that runs, and what its handler did.
struct Running {
    fast: Fast,
    queue: Arc<PostgresQueue>,
    shutdown: CancellationToken,
    task: JoinHandle<Result<()>>,
}

async fn start<F>(
    database: &Database,
    handle: impl Fn(Envelope) -> F + Send + Sync + 'static,
) -> Running
where
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let (fast, shutdown) = (Fast::embedded(), CancellationToken::new());
    let queue = Arc::new(database.queue().await);
    let task = tokio::spawn({
        let (fast, queue, shutdown) = (fast.clone(), queue.clone(), shutdown.clone());
        async move { consume(CONSUMER, &[AGGREGATE], &fast, queue, handle, shutdown).await }
    });
    Running { fast, queue, shutdown, task }
}

impl Running {
    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }
}

async fn delivered(database: &Database, count: i64) {
    eventually("the events are acknowledged", async || {
        let delivered: i64 =
            sqlx::query_scalar("SELECT count(*) FROM events.deliveries WHERE state = 'delivered'")
                .fetch_one(&database.pool)
                .await
                .unwrap();
        delivered == count
    })
    .await;
}

#[tokio::test]
async fn a_failed_or_panicked_event_comes_again_until_it_is_handled() {
    let database = Database::create().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let seen = calls.clone();
    let running = start(&database, move |_| {
        let call = seen.fetch_add(1, Ordering::SeqCst);
        async move {
            assert!(call != 1, "on purpose");
            if call == 0 { Err("on purpose".to_owned()) } else { Ok(()) }
        }
    })
    .await;
    running.queue.put(&[event("a", 1)]).await.unwrap();
    delivered(&database, 1).await;
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    running.stop().await;
}

#[tokio::test]
async fn the_other_bus_s_copy_is_acknowledged_without_the_handler() {
    let database = Database::create().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let seen = calls.clone();
    let running = start(&database, move |_| {
        seen.fetch_add(1, Ordering::SeqCst);
        async { Ok(()) }
    })
    .await;
    let events: Vec<_> = (1..=20).map(|version| event("a", version)).collect();
    eventually("the fast events are handled", async || {
        running.fast.publish(&events).await.unwrap();
        calls.load(Ordering::SeqCst) == 20
    })
    .await;
    running.queue.put(&events).await.unwrap();
    delivered(&database, 20).await;
    assert_eq!(calls.load(Ordering::SeqCst), 20);
    running.stop().await;
}

#[tokio::test]
async fn one_key_is_in_flight_once_and_others_beside_it() {
    let database = Database::create().await;
    let (most, now) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let order = Arc::new(Mutex::new(HashMap::<String, Vec<u64>>::new()));
    let busy = Arc::new(Mutex::new(HashMap::<String, ()>::new()));
    let (most_seen, order_seen) = (most.clone(), order.clone());
    let running = start(&database, move |event| {
        let (most, now, order, busy) =
            (most_seen.clone(), now.clone(), order_seen.clone(), busy.clone());
        async move {
            let taken = busy.lock().unwrap().insert(event.key.clone(), ());
            if taken.is_some() {
                return Err("two of one key".to_owned());
            }
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            now.fetch_sub(1, Ordering::SeqCst);
            order.lock().unwrap().entry(event.key.clone()).or_default().push(event.version);
            busy.lock().unwrap().remove(&event.key);
            Ok(())
        }
    })
    .await;
    let keys = ["a", "b", "c", "d"];
    let events: Vec<_> = (1..=40).flat_map(|version| keys.map(|key| event(key, version))).collect();
    running.queue.put(&events).await.unwrap();
    delivered(&database, 160).await;
    let in_order: Vec<u64> = (1..=40).collect();
    for key in keys {
        assert_eq!(order.lock().unwrap()[key], in_order, "{key}");
    }
    assert!(most.load(Ordering::SeqCst) > 1, "nothing ran beside another");
    running.stop().await;
}

#[tokio::test]
async fn a_shutdown_ends_what_runs_and_gives_back_the_rest() {
    let database = Database::create().await;
    let (gate, started) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let (waiting, count) = (gate.clone(), started.clone());
    let running = start(&database, move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        let gate = waiting.clone();
        async move { gate.acquire().await.map(|_| ()).map_err(|_| "closed".to_owned()) }
    })
    .await;
    let events: Vec<_> = (1..=3).map(|version| event("a", version)).collect();
    running.queue.put(&events).await.unwrap();
    eventually("the first one runs", async || started.load(Ordering::SeqCst) == 1).await;
    running.shutdown.cancel();
    gate.add_permits(1);
    let queue = running.queue.clone();
    running.stop().await;
    assert_eq!(started.load(Ordering::SeqCst), 1);
    let rest = queue.receive(CONSUMER, 10, Duration::ZERO, Duration::from_secs(60)).await.unwrap();
    let names: Vec<_> = rest.iter().map(|received| short(&received.envelope)).collect();
    assert_eq!(names, ["a2", "a3"]);
}
