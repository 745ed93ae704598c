//! Retried calls.

use std::time::Duration;

use kit_test::eventually;
use tonic::{Code, Response};

use super::*;

fn keyed(world: &World, key: &str) -> Client {
    Client::new(ops(world).with("idempotency-key", key))
}

fn replayed<T>(answer: &Response<T>) -> bool {
    answer.metadata().get("idempotent-replayed").is_some_and(|it| it == "true")
}

/// How often the service changed something.
async fn changes(world: &World) -> i64 {
    count(world, "audit_log WHERE event_type = 'platform.brand.updated'").await
}

#[tokio::test]
async fn a_retry_gets_the_first_answer_and_its_receipt_and_changes_nothing() {
    let world = world().await;
    let first = keyed(&world, "k-1").update_brand(update("Loop")).await.unwrap();
    keyed(&world, "k-2").update_brand(update("Later")).await.unwrap();
    let again = keyed(&world, "k-1").update_brand(update("Loop")).await.unwrap();
    assert!(!replayed(&first) && replayed(&again));
    let receipt = |it: &Response<_>| it.metadata().get(kit::RECEIPT).cloned();
    assert!(receipt(&first).is_some() && receipt(&first) == receipt(&again));
    assert_eq!(first.into_inner(), again.into_inner());
    assert_eq!(changes(&world).await, 2);
    assert_eq!(count(&world, "brands WHERE name = 'Later'").await, 1);
}

#[tokio::test]
async fn a_call_without_a_key_takes_effect_each_time() {
    let world = world().await;
    for _ in 0..2 {
        let answer = Client::new(ops(&world)).update_brand(update("Loop")).await.unwrap();
        assert!(!replayed(&answer));
    }
    assert_eq!(changes(&world).await, 2);
}

#[tokio::test]
async fn a_key_stands_for_one_request() {
    let world = world().await;
    keyed(&world, "k-1").update_brand(update("Loop")).await.unwrap();
    let status = keyed(&world, "k-1").update_brand(update("Other")).await.unwrap_err();
    assert_eq!(status.code(), Code::AlreadyExists);
    assert_eq!(reason(&status), "IDEMPOTENCY_KEY_PAYLOAD_MISMATCH");
    assert_eq!(changes(&world).await, 1);
}

#[tokio::test]
async fn a_key_belongs_to_one_client_in_one_brand() {
    let world = world().await;
    keyed(&world, "k-1").update_brand(update("Loop")).await.unwrap();
    let other = Grant::service("cli_other", &["admin:platform"]);
    for (grant, brand) in [(other, "loop"), (operator(), "loopbio")] {
        let client = world.client("platform", grant);
        let client = client.with("x-brand-id", brand).with("idempotency-key", "k-1");
        let answer = Client::new(client).update_brand(update("Other")).await.unwrap();
        assert!(!replayed(&answer), "{brand}");
    }
    assert_eq!(changes(&world).await, 3);
}

#[tokio::test]
async fn a_failure_is_not_kept_for_the_retry() {
    let world = world().await;
    let status = keyed(&world, "k-1").update_brand(update("find")).await.unwrap_err();
    assert_eq!(reason(&status), "BRAND_MISSING");
    Client::new(ops(&world)).update_brand(update("Loop")).await.unwrap();
    let answer = keyed(&world, "k-1").update_brand(update("find")).await.unwrap();
    assert!(!replayed(&answer));
    assert!(replayed(&keyed(&world, "k-1").update_brand(update("find")).await.unwrap()));
}

#[tokio::test]
async fn a_replayed_answer_is_authorized_anew() {
    let world = world().await;
    keyed(&world, "k-1").update_brand(update("Loop")).await.unwrap();
    let client = world.client("platform", Grant::service("cli_ops", &[]));
    let client = client.with("x-brand-id", "loop").with("idempotency-key", "k-1");
    let status = Client::new(client).update_brand(update("Loop")).await.unwrap_err();
    assert_eq!(reason(&status), "INSUFFICIENT_SCOPE");
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let world = world().await;
    keyed(&world, "k-1").update_brand(update("Loop")).await.unwrap();
    world.clock.advance(Duration::from_secs(24 * 3600 - 1));
    assert!(replayed(&keyed(&world, "k-1").update_brand(update("Loop")).await.unwrap()));
    world.clock.advance(Duration::from_secs(1));
    assert!(!replayed(&keyed(&world, "k-1").update_brand(update("Other")).await.unwrap()));
    assert!(replayed(&keyed(&world, "k-1").update_brand(update("Other")).await.unwrap()));
    assert_eq!(changes(&world).await, 2);
}

#[tokio::test]
async fn a_key_is_1_to_128_visible_characters() {
    let world = world().await;
    for key in ["", " ", "a b", "a\tb", &"a".repeat(129)] {
        let status = keyed(&world, key).update_brand(update("Loop")).await.unwrap_err();
        assert_eq!(reason(&status), "IDEMPOTENCY_KEY_INVALID", "{key:?}");
    }
    for key in ["!", &"~".repeat(128)] {
        keyed(&world, key).update_brand(update("Loop")).await.unwrap();
    }
}

#[tokio::test]
async fn while_a_keyed_call_runs_the_second_is_told_to_come_back() {
    let world = world().await;
    let mut client = keyed(&world, "k-1");
    let first = tokio::spawn(async move { client.update_brand(update("hang")).await });
    eventually("the first call's lock", async || {
        let locks = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                     WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.granted";
        let mut admin = world.database.admin().await;
        let held: i64 = sqlx::query_scalar(locks).fetch_one(&mut admin).await.unwrap();
        (held > 0).then_some(())
    })
    .await;
    let status = keyed(&world, "k-1").update_brand(update("hang")).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Aborted, "IDEMPOTENCY_KEY_IN_FLIGHT")
    );
    assert!(status.get_error_details().retry_info().is_some());

    // The first caller goes away; the key is free again.
    first.abort();
    eventually("the key to be free", async || {
        keyed(&world, "k-1").update_brand(update("Loop")).await.ok()
    })
    .await;
    assert_eq!(changes(&world).await, 1);
}
