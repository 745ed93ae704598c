//! What a reaction may do, and what is left when it does more.

use contract::{Event as _, EventType};
use kit::Uuid;
use prost::Message as _;
use type_contract::v1::Envelope;

use super::*;

const TYPE: &EventType = pb::BrandCacheInvalidated::TYPE;

/// The `version`th event of the brand `loop`, at which the service does as `told`.
fn event(version: u64, told: &str) -> Envelope {
    let payload = pb::BrandCacheInvalidated {
        brand_id: "loop".into(),
        reason: told.into(),
        ..Default::default()
    };
    Envelope {
        event_id: Uuid::now_v7().to_string(),
        name: TYPE.name.into(),
        producer: "elsewhere".into(),
        epoch: 1,
        aggregate: TYPE.aggregate.into(),
        key: "loop".into(),
        version,
        brand_id: "loop".into(),
        correlation_id: "r-1".into(),
        payload: payload.encode_to_vec(),
        ..Default::default()
    }
}

async fn deliver(world: &World, event: &Envelope) -> kit::Result<()> {
    kit::consume(world.platform("platform"), event.clone()).await
}

async fn position(world: &World) -> i64 {
    sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM platform.stream_positions")
        .fetch_one(&mut world.database.admin().await)
        .await
        .expect("Postgres answers")
}

#[tokio::test]
async fn what_a_reaction_tells_names_the_event_that_caused_it() {
    let world = world().await;
    let cause = event(1, "Loop");
    deliver(&world, &cause).await.unwrap();
    assert_eq!(count(&world, "brands WHERE name = 'Loop'").await, 1);
    let told = format!(
        "outbox WHERE causation_id = '{}' AND correlation_id = 'r-1' AND brand_id = 'loop'",
        cause.event_id
    );
    assert_eq!(count(&world, &told).await, 1);
    let entry = format!(
        "audit_log WHERE actor_type = 'system' AND event_type = '{}.reacted'
         AND request_id = 'r-1' AND details->>'event_id' = '{}'",
        TYPE.name, cause.event_id
    );
    assert_eq!(count(&world, &entry).await, 1);
}

#[tokio::test]
async fn a_skipped_event_counts_and_leaves_nothing_else() {
    let world = world().await;
    deliver(&world, &event(1, "skip")).await.unwrap();
    assert_eq!(position(&world).await, 1);
    for table in ["brands", "audit_log", "outbox", "dead_letters"] {
        assert_eq!(count(&world, table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn another_event_of_the_aggregate_counts_without_a_reaction() {
    let world = world().await;
    deliver(&world, &event(2, "Loop")).await.unwrap();
    let unheard = Envelope { name: "platform.brand.renamed.v1".into(), ..event(1, "never") };
    deliver(&world, &unheard).await.unwrap();
    assert_eq!(position(&world).await, 2);
    assert_eq!(count(&world, "brands WHERE name = 'Loop'").await, 1);
    assert_eq!(count(&world, "audit_log").await, 1);
}

#[tokio::test]
async fn a_reaction_that_fails_halfway_leaves_the_reason_and_nothing_else() {
    let world = world().await;
    let error = deliver(&world, &event(1, "stop halfway")).await.unwrap_err();
    assert_eq!(error.reason(), "HALF_DONE");
    assert_eq!(position(&world).await, 0);
    let failing = "dead_letters WHERE state = 'failing' AND attempts = 1 AND error = 'HALF_DONE'";
    assert_eq!(count(&world, failing).await, 1);
    for table in ["brands", "audit_log", "outbox"] {
        assert_eq!(count(&world, table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn a_reaction_cannot_change_anything_in_secret() {
    let world = world().await;
    deliver(&world, &event(1, "change in secret")).await.unwrap_err();
    assert_eq!(count(&world, "brands").await, 0);
    assert_eq!(position(&world).await, 0);
}

#[tokio::test]
async fn the_commit_of_a_reaction_wakes_the_relay_and_a_failure_does_not() {
    let world = world().await;
    let (woken, mut wakes) = tokio::sync::watch::channel(0);
    let platform = world.platform("platform");
    let wake = kit::Wake::new(move || woken.send_modify(|it| *it += 1));
    let db = kit::Db::new(platform.db.roles().clone(), 2, world.clock.clone(), wake);
    let platform = kit::Platform { db, ..platform.clone() };
    kit::consume(&platform, event(1, "stop halfway")).await.unwrap_err();
    assert_eq!(*wakes.borrow_and_update(), 0);
    kit::consume(&platform, event(1, "Loop")).await.unwrap();
    assert_eq!(*wakes.borrow_and_update(), 1);
}

/// Lets what is parked have waited for a minute.
async fn grow_old(world: &World) {
    sqlx::query("UPDATE platform.parked_events SET parked_at = parked_at - interval '1 minute'")
        .execute(&mut world.database.admin().await)
        .await
        .expect("Postgres answers");
}

#[tokio::test]
async fn a_gap_is_pulled_from_the_producer_whoever_else_does_not_answer() {
    let world = world().await;
    let lost = Envelope { producer: "nowhere".into(), ..event(2, "lost") };
    deliver(&world, &lost).await.unwrap();
    grow_old(&world).await;
    // The service listens to itself: the first event of `loop` is in its own outbox.
    Client::new(ops(&world)).update_brand(update("Loop")).await.unwrap();
    let second = Envelope { producer: "platform".into(), ..event(2, "skip") };
    deliver(&world, &second).await.unwrap();
    assert_eq!(position(&world).await, 0);
    grow_old(&world).await;

    kit::repair(world.platform("platform")).await.unwrap_err();
    assert_eq!(position(&world).await, 2);
    assert_eq!(count(&world, "parked_events WHERE producer = 'platform'").await, 0);
    assert_eq!(count(&world, "parked_events WHERE producer = 'nowhere'").await, 1);
}
