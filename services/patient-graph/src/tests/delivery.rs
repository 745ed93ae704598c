//! Deliveries in any order, any number of times, by any number of consumers.

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use super::*;

fn reports_of(patient_id: &str, versions: u64) -> Vec<Envelope> {
    (1..=versions).map(|version| parsed("loop", patient_id, version)).collect()
}

async fn parked(world: &World, patient_id: &str) -> i64 {
    count(world, &format!("parked_events WHERE key = '{patient_id}'")).await
}

#[tokio::test]
async fn an_event_that_comes_too_early_waits_for_the_one_before_it() {
    let world = world().await;
    let events = reports_of("pat_x", 4);
    deliver(&world, &events[0]).await.unwrap();
    deliver(&world, &events[3]).await.unwrap();
    deliver(&world, &events[2]).await.unwrap();
    assert_eq!(applied(&world, &events).await, [1]);
    assert_eq!(parked(&world, "pat_x").await, 2);
    deliver(&world, &events[1]).await.unwrap();
    assert_eq!(applied(&world, &events).await, [1, 2, 3, 4]);
    assert_eq!(parked(&world, "pat_x").await, 0);
}

#[tokio::test]
async fn a_repeated_event_takes_effect_once_with_one_audit_entry_of_the_system() {
    let world = world().await;
    let event = parsed("loop", "pat_x", 1);
    for _ in 0..3 {
        deliver(&world, &event).await.unwrap();
    }
    assert_eq!(count(&world, "timeline_events").await, 1);
    let entries: Vec<(String, String, String, String, String)> = sqlx::query_as(
        "SELECT brand_id, actor_type, actor_id, request_id, details->>'event_id'
         FROM patient_graph.audit_log
         WHERE event_type = 'clinical.biomarker.parsed.v1.reacted'
           AND entity_type = 'timeline_event'",
    )
    .fetch_all(&mut world.database.admin().await)
    .await
    .unwrap();
    let entry = ["loop", "system", "loop", "request-1", &event.event_id].map(str::to_owned);
    assert_eq!(entries, [entry.into()]);
}

#[test]
fn whatever_the_order_each_event_takes_effect_once_and_in_sequence() {
    const VERSIONS: u64 = 6;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(world());
    let order = prop::collection::vec(1..=VERSIONS, 0..6)
        .prop_map(|repeated| (1..=VERSIONS).chain(repeated).collect::<Vec<_>>())
        .prop_shuffle();
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&order, |order| {
        let patient = Uuid::now_v7().to_string();
        let events = reports_of(&patient, VERSIONS);
        let (applied, parked) = runtime.block_on(async {
            for version in &order {
                deliver(&world, &events[*version as usize - 1]).await.unwrap();
            }
            (applied(&world, &events).await, parked(&world, &patient).await)
        });
        prop_assert_eq!(applied, (1..=VERSIONS).collect::<Vec<_>>());
        prop_assert_eq!(parked, 0);
        Ok(())
    });
    outcome.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn consumers_that_compete_apply_each_event_once_and_in_sequence() {
    let world = world().await;
    let events = reports_of("pat_x", 8);
    let consumers: Vec<_> = (0..4)
        .map(|first| {
            let (platform, mut events) = (world.platform("patient-graph").clone(), events.clone());
            events.rotate_left(first * 2);
            tokio::spawn(async move {
                for event in events {
                    kit::consume(&platform, event).await.unwrap();
                }
            })
        })
        .collect();
    for consumer in consumers {
        consumer.await.unwrap();
    }
    assert_eq!(applied(&world, &events).await, (1..=8).collect::<Vec<_>>());
    assert_eq!(count(&world, "timeline_events").await, 8);
    assert_eq!(parked(&world, "pat_x").await, 0);
}

#[tokio::test]
async fn one_patients_gap_holds_nobody_else_up() {
    let world = world().await;
    let early = parsed("loop", "pat_x", 2);
    let (other, elsewhere) = (parsed("loop", "pat_y", 1), parsed("loopbio", "pat_x", 1));
    for event in [&early, &other, &elsewhere] {
        deliver(&world, event).await.unwrap();
    }
    assert_eq!(applied(&world, &[early]).await, [0; 0]);
    assert_eq!(applied(&world, &[other, elsewhere]).await, [1, 1]);
}

#[tokio::test]
async fn what_a_crash_left_parked_is_taken_up_again_in_every_brand() {
    let world = world().await;
    let waiting: Vec<_> = ["loop", "loopbio"].map(|brand| parsed(brand, "pat_x", 2)).into();
    for event in &waiting {
        leave_parked(&world, event).await;
    }
    assert_eq!(applied(&world, &waiting).await, [0; 0]);
    for _ in 0..2 {
        kit::resume(world.platform("patient-graph")).await.unwrap();
        assert_eq!(applied(&world, &waiting).await, [2, 2]);
    }
    assert_eq!(parked(&world, "pat_x").await, 0);
}

#[tokio::test]
async fn resuming_leaves_a_gap_a_gap() {
    let world = world().await;
    let early = parsed("loop", "pat_x", 2);
    deliver(&world, &early).await.unwrap();
    kit::resume(world.platform("patient-graph")).await.unwrap();
    assert_eq!(applied(&world, &[early]).await, [0; 0]);
    assert_eq!(parked(&world, "pat_x").await, 1);
}
