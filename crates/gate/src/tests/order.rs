//! One key, events in every order.

use super::database::{Database, event, handle, of_epoch};
use crate::{Admission, Error, claim, contiguous, start_at, unpark};

#[tokio::test]
async fn the_first_version_is_applied_and_again_is_a_duplicate() {
    let database = Database::create().await;
    assert_eq!(database.deliver(&event("a", 1)).await.unwrap(), Admission::Apply);
    assert_eq!(database.deliver(&event("a", 1)).await.unwrap(), Admission::Duplicate);
    assert_eq!(database.effects("a").await, [1]);
}

#[tokio::test]
async fn a_gap_parks_and_the_missing_event_brings_the_parked_one() {
    let database = Database::create().await;
    for early in [3, 2, 3] {
        assert_eq!(database.deliver(&event("a", early)).await.unwrap(), Admission::Parked);
    }
    assert_eq!(database.parked().await, 2);
    let mut next = Some(event("a", 1));
    while let Some(event) = next {
        assert_eq!(database.deliver(&event).await.unwrap(), Admission::Apply);
        next = unpark(&mut *database.begin().await, &event).await.unwrap();
    }
    assert_eq!(database.effects("a").await, [1, 2, 3]);
    assert_eq!(database.parked().await, 0);
}

#[tokio::test]
async fn a_crash_after_unparking_loses_nothing() {
    let database = Database::create().await;
    database.deliver(&event("a", 2)).await.unwrap();
    database.deliver(&event("a", 1)).await.unwrap();
    let mut crashed = database.begin().await;
    let next = unpark(&mut crashed, &event("a", 1)).await.unwrap().unwrap();
    assert_eq!(handle(&mut crashed, &next).await.unwrap(), Admission::Apply);
    crashed.rollback().await.unwrap();
    let found = contiguous(&mut *database.begin().await, 10).await.unwrap();
    assert_eq!(found, [event("a", 2)]);
    database.deliver(&found[0]).await.unwrap();
    assert_eq!(database.effects("a").await, [1, 2]);
    assert!(contiguous(&mut *database.begin().await, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn keys_do_not_wait_for_each_other() {
    let database = Database::create().await;
    assert_eq!(database.deliver(&event("a", 2)).await.unwrap(), Admission::Parked);
    assert_eq!(database.deliver(&event("b", 1)).await.unwrap(), Admission::Apply);
}

#[tokio::test]
async fn a_position_set_by_hand_lets_later_events_in() {
    let database = Database::create().await;
    for version in [3, 5, 6] {
        database.deliver(&event("a", version)).await.unwrap();
    }
    let mut tx = database.begin().await;
    start_at(&mut tx, &event("a", 1), 4).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(database.parked().await, 2);
    assert_eq!(database.deliver(&event("a", 4)).await.unwrap(), Admission::Duplicate);
    let found = contiguous(&mut *database.begin().await, 10).await.unwrap();
    assert_eq!(found, [event("a", 5)]);
}

#[tokio::test]
async fn a_restored_producer_waits_for_a_decision() {
    let database = Database::create().await;
    for version in 1..=3 {
        database.deliver(&event("a", version)).await.unwrap();
    }
    // The restored producer sends its history again and then uses version 3 anew.
    for version in 1..=3 {
        let again = of_epoch(2, event("a", version));
        assert_eq!(database.deliver(&again).await.unwrap(), Admission::Parked);
    }
    let mut tx = database.begin().await;
    start_at(&mut tx, &of_epoch(2, event("a", 1)), 2).await.unwrap();
    tx.commit().await.unwrap();
    let found = contiguous(&mut *database.begin().await, 10).await.unwrap();
    assert_eq!(found, [of_epoch(2, event("a", 3))]);
    assert_eq!(database.deliver(&found[0]).await.unwrap(), Admission::Apply);
    // What the restored producer no longer knows does not slip in.
    assert_eq!(database.deliver(&event("a", 4)).await.unwrap(), Admission::Parked);
    // A key that is new to the consumer needs no decision.
    let fresh = of_epoch(2, event("b", 1));
    assert_eq!(database.deliver(&fresh).await.unwrap(), Admission::Apply);
}

#[tokio::test]
async fn an_event_without_a_version_is_claimed_once_by_each_handler() {
    let database = Database::create().await;
    let event = event("a", 0);
    assert!(matches!(database.deliver(&event).await, Err(Error::Malformed("version"))));
    for (handler, expected) in [("mail", true), ("mail", false), ("push", true)] {
        let mut tx = database.begin().await;
        assert_eq!(claim(&mut tx, handler, &event).await.unwrap(), expected, "{handler}");
        tx.commit().await.unwrap();
    }
    let mut crashed = database.begin().await;
    assert!(claim(&mut crashed, "sms", &event).await.unwrap());
    crashed.rollback().await.unwrap();
    assert!(claim(&mut *database.begin().await, "sms", &event).await.unwrap());
}

#[tokio::test]
async fn another_brand_s_event_is_refused_by_the_database() {
    let database = Database::create().await;
    let mut foreign = event("a", 1);
    foreign.brand_id = "other".to_owned();
    assert!(matches!(database.deliver(&foreign).await, Err(Error::Database(_))));
}
