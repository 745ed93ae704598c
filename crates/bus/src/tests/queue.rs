//! The durable bus in Postgres.

use std::collections::HashSet;
use std::time::Duration;

use futures::future::join_all;
use sqlx::Row;

use super::database::{CONSUMER, Database, event, short, shorts};
use crate::{DurableBus, PostgresQueue, Put, Received};

const AT_ONCE: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_secs(600);

async fn receive(queue: &PostgresQueue, max: usize, visibility: Duration) -> Vec<Received> {
    queue.receive(CONSUMER, max, AT_ONCE, visibility).await.unwrap()
}

fn names(received: &[Received]) -> Vec<String> {
    received.iter().map(|received| short(&received.envelope)).collect()
}

#[tokio::test]
async fn what_is_put_is_received_whole_in_order_and_once() {
    let database = Database::create().await;
    let queue = database.queue().await;
    let events = [event("a", 1), event("b", 1), event("a", 2), event("a", 1)];
    assert_eq!(queue.put(&events).await.unwrap(), vec![Put::Accepted; 4]);
    queue.put(&events[..1]).await.unwrap();
    let received = receive(&queue, 10, LONG).await;
    assert_eq!(names(&received), ["a1", "b1", "a2"]);
    assert_eq!(received[0].envelope, events[0]);
    assert_eq!(received[0].attempts, 1);
    assert!(receive(&queue, 10, LONG).await.is_empty());
}

#[tokio::test]
async fn an_acknowledged_event_is_kept_as_delivered_and_not_received_again() {
    let database = Database::create().await;
    let queue = database.queue().await;
    queue.put(&[event("a", 1)]).await.unwrap();
    let received = receive(&queue, 10, AT_ONCE).await;
    queue.delete(&[received[0].receipt.clone()]).await.unwrap();
    assert!(receive(&queue, 10, AT_ONCE).await.is_empty());
    queue.put(&[event("a", 1)]).await.unwrap();
    assert!(receive(&queue, 10, AT_ONCE).await.is_empty());
    assert_eq!(states(&database).await, ["delivered"]);
}

#[tokio::test]
async fn an_unacknowledged_event_comes_again_and_a_late_answer_changes_nothing() {
    let database = Database::create().await;
    let queue = database.queue().await;
    queue.put(&[event("a", 1)]).await.unwrap();
    let first = receive(&queue, 1, AT_ONCE).await.remove(0);
    let second = receive(&queue, 1, LONG).await.remove(0);
    assert_eq!((first.attempts, second.attempts), (1, 2));
    // The first receipt is out of date: it neither gives back nor hides.
    queue.release(&first.receipt, AT_ONCE).await.unwrap();
    assert!(receive(&queue, 1, LONG).await.is_empty());
    queue.release(&second.receipt, AT_ONCE).await.unwrap();
    let third = receive(&queue, 1, AT_ONCE).await.remove(0);
    queue.extend(&second.receipt, LONG).await.unwrap();
    assert_eq!(receive(&queue, 1, AT_ONCE).await.len(), 1);
    // But an effect that was committed is committed.
    queue.delete(&[third.receipt]).await.unwrap();
    assert_eq!(states(&database).await, ["delivered"]);
}

#[tokio::test]
async fn an_extended_event_stays_hidden() {
    let database = Database::create().await;
    let queue = database.queue().await;
    queue.put(&[event("a", 1)]).await.unwrap();
    let received = receive(&queue, 1, AT_ONCE).await.remove(0);
    queue.extend(&received.receipt, LONG).await.unwrap();
    assert!(receive(&queue, 1, LONG).await.is_empty());
}

#[tokio::test]
async fn receivers_at_the_same_time_get_distinct_events() {
    let database = Database::create().await;
    let queue = database.queue().await;
    let events: Vec<_> = (1..=200).map(|version| event("a", version)).collect();
    queue.put(&events).await.unwrap();
    let batches = join_all((0..20).map(|_| receive(&queue, 10, LONG))).await;
    let rest = receive(&queue, 200, LONG).await;
    let all: Vec<String> = batches.iter().chain([&rest]).flat_map(|batch| names(batch)).collect();
    assert_eq!(all.len(), 200);
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), 200);
}

#[tokio::test]
async fn a_waiting_receiver_gets_what_is_put_meanwhile() {
    let database = Database::create().await;
    let (here, elsewhere) = (database.queue().await, database.queue().await);
    for (queue, version) in [(&here, 1), (&elsewhere, 2)] {
        let events = [event("a", version)];
        let (received, put) =
            tokio::join!(here.receive(CONSUMER, 10, LONG, LONG), queue.put(&events));
        put.unwrap();
        assert_eq!(names(&received.unwrap()), shorts(&events));
    }
}

#[tokio::test]
async fn a_receipt_that_never_ends_is_dead_until_it_is_put_again() {
    let database = Database::create().await;
    let queue = database.queue().await;
    queue.put(&[event("a", 1)]).await.unwrap();
    for attempt in 1..=100 {
        assert_eq!(receive(&queue, 1, AT_ONCE).await[0].attempts, attempt);
    }
    assert!(receive(&queue, 1, AT_ONCE).await.is_empty());
    assert_eq!(states(&database).await, ["dead"]);
    queue.put(&[event("a", 1)]).await.unwrap();
    assert_eq!(receive(&queue, 1, AT_ONCE).await[0].attempts, 1);
}

#[tokio::test]
async fn old_deliveries_are_purged_and_nothing_else() {
    let database = Database::create().await;
    let queue = database.queue().await;
    let events: Vec<_> = (1..=5).map(|version| event("a", version)).collect();
    queue.put(&events).await.unwrap();
    let receipts: Vec<_> =
        receive(&queue, 4, LONG).await.into_iter().map(|received| received.receipt).collect();
    queue.delete(&receipts).await.unwrap();
    sqlx::query(
        "UPDATE events.deliveries SET delivered_at = now() - interval '8 days'
         WHERE state = 'delivered' AND version <= 3",
    )
    .execute(&database.pool)
    .await
    .unwrap();
    assert_eq!(queue.purge(2).await.unwrap(), 2);
    assert_eq!(queue.purge(2).await.unwrap(), 1);
    assert_eq!(states(&database).await, ["delivered", "pending"]);
}

#[tokio::test]
async fn a_brand_reads_its_own_deliveries_and_changes_none() {
    let database = Database::create().await;
    let queue = database.queue().await;
    let mut foreign = event("b", 1);
    foreign.brand_id = "other".to_owned();
    queue.put(&[event("a", 1), foreign]).await.unwrap();
    let app = database.pool_of("events_app", 1, "events").await;
    let mut tx = app.begin().await.unwrap();
    sqlx::query("SELECT set_config('app.brand_id', 'loop', true)").execute(&mut *tx).await.unwrap();
    let rows = sqlx::query("SELECT key FROM deliveries").fetch_all(&mut *tx).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get("key")).collect::<Vec<String>>(), ["a"]);
    assert!(sqlx::query("DELETE FROM deliveries").execute(&mut *tx).await.is_err());
}

async fn states(database: &Database) -> Vec<String> {
    sqlx::query_scalar("SELECT state FROM events.deliveries ORDER BY version")
        .fetch_all(&database.pool)
        .await
        .unwrap()
}
