//! What both fast buses do.

use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::timeout;
use uuid::Uuid;

use super::database::{event, short};
use super::eventually;
use crate::{Error, Fast, Subscription};

const AGGREGATE: &[&str] = &["clinical.biomarker"];

/// Before a lossy bus is tried again.
const RETRY: Duration = Duration::from_millis(50);

/// The address of a NATS that lives as long as the tests.
pub fn nats_url() -> String {
    static SERVER: OnceLock<engine::Nats> = OnceLock::new();
    std::env::var("LOOP_TEST_NATS_URL").unwrap_or_else(|_| {
        SERVER.get_or_init(|| engine::Nats::start_temporary(false).unwrap()).url()
    })
}

/// A connected bus that shares nothing with other tests.
pub async fn nats() -> Fast {
    let fast = Fast::nats(&nats_url(), &Uuid::new_v4().to_string()).await.unwrap();
    eventually("NATS connects", async || fast.publish(&[]).await.is_ok()).await;
    fast
}

async fn both() -> [Fast; 2] {
    [Fast::embedded(), nats().await]
}

async fn next(subscription: &mut Subscription) -> String {
    let next = timeout(Duration::from_secs(10), subscription.next()).await;
    short(&next.expect("an event within 10 s").expect("a bus that lives"))
}

#[tokio::test]
async fn an_event_reaches_each_subscribed_consumer_in_order_and_whole() {
    for fast in both().await {
        let mut records = fast.subscribe("records", AGGREGATE).await.unwrap();
        let mut search =
            fast.subscribe("search", &["clinical.report", "clinical.biomarker"]).await.unwrap();
        let mut sent = event("a", 1);
        sent.payload = vec![0, 255];
        fast.publish(&[sent.clone(), event("a", 2)]).await.unwrap();
        assert_eq!(records.next().await.unwrap(), sent);
        assert_eq!(next(&mut records).await, "a2");
        assert_eq!(next(&mut search).await, "a1");
    }
}

#[tokio::test]
async fn an_aggregate_nobody_subscribed_to_reaches_nobody() {
    for fast in both().await {
        let mut records = fast.subscribe("records", AGGREGATE).await.unwrap();
        let mut other = event("other", 1);
        other.aggregate = "clinical.bio".to_owned();
        other.name = "clinical.bio.marked.v1".to_owned();
        fast.publish(&[other, event("a", 1)]).await.unwrap();
        assert_eq!(next(&mut records).await, "a1");
    }
}

#[tokio::test]
async fn subscriptions_of_one_consumer_share_its_events() {
    for fast in both().await {
        let mut one = fast.subscribe("records", AGGREGATE).await.unwrap();
        let mut two = fast.subscribe("records", AGGREGATE).await.unwrap();
        let events: Vec<_> = (1..=64).map(|version| event("a", version)).collect();
        fast.publish(&events).await.unwrap();
        let mut counts = [0, 0];
        for _ in 0..64 {
            tokio::select! {
                Some(_) = one.next() => counts[0] += 1,
                Some(_) = two.next() => counts[1] += 1,
            }
        }
        assert!(counts[0] > 0 && counts[1] > 0, "{counts:?}");
        let more = timeout(Duration::from_millis(50), one.next()).await;
        assert!(more.is_err(), "more than was sent");
    }
}

#[tokio::test]
async fn a_dropped_subscription_leaves_its_events_to_the_others() {
    for fast in both().await {
        let dropped = fast.subscribe("records", AGGREGATE).await.unwrap();
        let mut kept = fast.subscribe("records", AGGREGATE).await.unwrap();
        drop(dropped);
        // NATS hears of it a little later, and what it sent before is lost.
        let event_pair = [event("a", 1), event("a", 2)];
        fast.publish(&event_pair).await.unwrap();
        let mut arrived = timeout(RETRY, kept.next()).await;
        while arrived.is_err() {
            fast.publish(&event_pair).await.unwrap();
            arrived = timeout(RETRY, kept.next()).await;
        }
    }
}

#[tokio::test]
async fn a_lagging_subscription_loses_events_and_goes_on() {
    let fast = Fast::embedded();
    let mut lagging = fast.subscribe("records", AGGREGATE).await.unwrap();
    for version in 1..=5_000 {
        fast.publish(&[event("a", version)]).await.unwrap();
    }
    let first = next(&mut lagging).await;
    // Now there is room for one more.
    fast.publish(&[event("b", 1)]).await.unwrap();
    let mut received = 1;
    while next(&mut lagging).await != "b1" {
        received += 1;
    }
    assert_eq!(first, "a1");
    assert!((1..5_000).contains(&received), "{received}");
}

#[tokio::test]
async fn many_wake_ups_are_one_and_reach_every_listener() {
    for fast in both().await {
        let mut first = fast.woken("clinical").await.unwrap();
        let mut second = fast.woken("clinical").await.unwrap();
        for _ in 0..100 {
            fast.wake("labs");
            fast.wake("clinical");
        }
        for wakes in [&mut first, &mut second] {
            timeout(Duration::from_secs(10), wakes.next()).await.expect("a wake-up call");
        }
        // A hundred calls were a few messages; they do not keep anyone awake.
        let mut more = 0;
        while timeout(Duration::from_millis(100), first.next()).await.is_ok() {
            more += 1;
        }
        assert!(more < 100, "{more}");
    }
}

#[tokio::test]
async fn without_a_server_publishing_fails_at_once_and_nothing_blocks() {
    let fast = Fast::nats("nats://127.0.0.1:1", "test").await.unwrap();
    let work = async {
        let _subscription = fast.subscribe("records", AGGREGATE).await.unwrap();
        let _wakes = fast.woken("clinical").await.unwrap();
        for _ in 0..1_000 {
            fast.wake("clinical");
        }
        fast.publish(&[event("a", 1)]).await
    };
    let published = timeout(Duration::from_secs(5), work).await.expect("an answer within 5 s");
    assert!(matches!(published, Err(Error::Unavailable(_))));
}

#[tokio::test]
async fn an_address_of_something_else_is_refused() {
    assert!(matches!(Fast::nats("nats://[", "test").await, Err(Error::Address(_))));
}

#[tokio::test]
async fn an_event_that_cannot_be_a_subject_stays_out() {
    let fast = nats().await;
    let mut records = fast.subscribe("records", AGGREGATE).await.unwrap();
    let mut nameless = event("a", 1);
    nameless.name = "clinical.biomarker.two words".to_owned();
    fast.publish(&[nameless, event("a", 2)]).await.unwrap();
    assert_eq!(next(&mut records).await, "a2");
}
