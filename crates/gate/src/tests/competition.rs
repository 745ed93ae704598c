//! Two consumers with the same event at the same moment.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::database::{Database, event, handle};
use crate::Admission;

#[tokio::test]
async fn of_two_consumers_one_applies_and_the_other_finds_a_duplicate() {
    let database = Database::create().await;
    // Version 1 finds no position yet, version 2 an old one.
    for version in 1..=2 {
        assert_eq!(second_admission(&database, version, true).await, Admission::Duplicate);
    }
    assert_eq!(database.effects("a").await, [1, 2]);
}

#[tokio::test]
async fn a_consumer_that_dies_leaves_the_event_to_the_other() {
    let database = Database::create().await;
    for version in 1..=2 {
        assert_eq!(second_admission(&database, version, false).await, Admission::Apply);
    }
    assert_eq!(database.effects("a").await, [1, 2]);
}

/// The first consumer holds its transaction open until the second one waits for it.
async fn second_admission(database: &Database, version: u64, commit: bool) -> Admission {
    let mut first = database.begin().await;
    let mut second = database.begin().await;
    let event = event("a", version);
    assert_eq!(handle(&mut first, &event).await.unwrap(), Admission::Apply);
    let (admission, ()) = tokio::join!(handle(&mut second, &event), async {
        until_one_waits(database).await;
        if commit {
            first.commit().await.unwrap();
        } else {
            first.rollback().await.unwrap();
        }
    });
    second.commit().await.unwrap();
    admission.unwrap()
}

async fn until_one_waits(database: &Database) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let waits = "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
                 WHERE NOT granted AND datname = current_database()";
    while sqlx::query_scalar::<_, i64>(waits).fetch_one(&database.pool).await.unwrap() == 0 {
        assert!(Instant::now() < deadline, "the second consumer does not wait for the first");
        sleep(Duration::from_millis(5)).await;
    }
}
