//! Events that cannot be applied.

use uuid::Uuid;

use super::database::{Database, event};
use crate::{Admission, Failure, claim, contiguous, fail, retry, skip};

#[tokio::test]
async fn the_last_attempt_blocks_the_key_and_no_other() {
    let database = blocked().await;
    assert_eq!(database.deliver(&event("a", 1)).await.unwrap(), Admission::Blocked);
    assert_eq!(database.deliver(&event("a", 2)).await.unwrap(), Admission::Blocked);
    assert_eq!(database.deliver(&event("b", 1)).await.unwrap(), Admission::Apply);
    assert_eq!(database.parked().await, 1);
    assert!(contiguous(&mut *database.begin().await, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_dead_letter_tried_again_takes_effect_before_what_waited() {
    let database = blocked().await;
    database.deliver(&event("a", 2)).await.unwrap();
    let mut tx = database.begin().await;
    assert_eq!(retry(&mut tx, id(1)).await.unwrap(), Some(event("a", 1)));
    assert_eq!(retry(&mut tx, id(1)).await.unwrap(), None);
    tx.commit().await.unwrap();
    for version in 1..=2 {
        let found = contiguous(&mut *database.begin().await, 10).await.unwrap();
        assert_eq!(found, [event("a", version)]);
        assert_eq!(database.deliver(&found[0]).await.unwrap(), Admission::Apply);
    }
    assert_eq!(state(&database, id(1)).await, "resolved");
}

#[tokio::test]
async fn a_skipped_dead_letter_never_takes_effect_and_lets_the_others_go() {
    let database = blocked().await;
    database.deliver(&event("a", 2)).await.unwrap();
    let mut tx = database.begin().await;
    assert!(skip(&mut tx, id(1)).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(database.deliver(&event("a", 1)).await.unwrap(), Admission::Duplicate);
    let found = contiguous(&mut *database.begin().await, 10).await.unwrap();
    assert_eq!(found, [event("a", 2)]);
    database.deliver(&found[0]).await.unwrap();
    assert_eq!(database.effects("a").await, [2]);
    assert_eq!(state(&database, id(1)).await, "skipped");
}

#[tokio::test]
async fn a_success_after_failures_resolves_them() {
    let database = Database::create().await;
    assert_eq!(attempt(&database, 1, 8).await, Failure::Retry { attempts: 1 });
    assert_eq!(attempt(&database, 1, 8).await, Failure::Retry { attempts: 2 });
    assert_eq!(database.deliver(&event("a", 1)).await.unwrap(), Admission::Apply);
    assert_eq!(state(&database, id(1)).await, "resolved");
    // The other consumer's failure arrives late.
    assert_eq!(attempt(&database, 1, 8).await, Failure::Settled);
}

#[tokio::test]
async fn an_event_without_a_version_blocks_only_itself() {
    let database = Database::create().await;
    assert_eq!(attempt(&database, 0, 1).await, Failure::Blocked);
    assert_eq!(database.deliver(&event("a", 1)).await.unwrap(), Admission::Apply);
}

#[tokio::test]
async fn a_dead_letter_without_a_version_is_one_until_it_is_claimed() {
    let database = Database::create().await;
    attempt(&database, 0, 1).await;
    for expected in ["blocked", "resolved"] {
        let mut tx = database.begin().await;
        let event = retry(&mut tx, id(0)).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        assert_eq!(state(&database, id(0)).await, "blocked");
        let mut tx = database.begin().await;
        assert!(claim(&mut tx, "mail", &event).await.unwrap());
        match expected {
            "blocked" => tx.rollback().await.unwrap(),
            _ => tx.commit().await.unwrap(),
        }
        assert_eq!(state(&database, id(0)).await, expected);
    }
}

#[tokio::test]
async fn a_long_error_is_cut() {
    let database = Database::create().await;
    let mut tx = database.begin().await;
    fail(&mut tx, &event("a", 1), &"ü".repeat(2_000), 8).await.unwrap();
    let length: i32 = sqlx::query_scalar("SELECT length(error) FROM dead_letters")
        .fetch_one(&mut *tx)
        .await
        .unwrap();
    assert_eq!(length, 500);
}

/// Version 1 of key "a" is a dead letter.
async fn blocked() -> Database {
    let database = Database::create().await;
    assert_eq!(attempt(&database, 1, 2).await, Failure::Retry { attempts: 1 });
    assert_eq!(attempt(&database, 1, 2).await, Failure::Blocked);
    database
}

async fn attempt(database: &Database, version: u64, limit: u32) -> Failure {
    let mut tx = database.begin().await;
    let failure = fail(&mut tx, &event("a", version), "unavailable", limit).await.unwrap();
    tx.commit().await.unwrap();
    failure
}

async fn state(database: &Database, event_id: Uuid) -> String {
    sqlx::query_scalar("SELECT state FROM dead_letters WHERE event_id = $1")
        .bind(event_id)
        .fetch_one(&mut *database.begin().await)
        .await
        .unwrap()
}

fn id(version: u64) -> Uuid {
    event("a", version).event_id.parse().unwrap()
}
