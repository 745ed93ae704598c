//! Reactions that fail: what they leave, when they are given up, and how a person settles it.

use super::*;

/// An event whose payload is none.
fn poisoned(patient_id: &str, version: u64) -> Envelope {
    Envelope { payload: vec![0xff], ..parsed("loop", patient_id, version) }
}

/// Takes the table of the effect away, or brings it back.
async fn rename(world: &World, from: &str, to: &str) {
    let sql = format!("ALTER TABLE patient_graph.{from} RENAME TO {to}");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut world.database.admin().await).await.unwrap();
}

async fn dead_letter(world: &World, event: &Envelope) -> (i32, String, String) {
    sqlx::query_as(
        "SELECT attempts, state, error FROM patient_graph.dead_letters WHERE event_id::text = $1",
    )
    .bind(&event.event_id)
    .fetch_one(&mut world.database.admin().await)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_failed_reaction_leaves_its_count_and_nothing_else() {
    let world = world().await;
    let event = poisoned("pat_x", 1);
    let audited = count(&world, "audit_log").await;
    assert_eq!(deliver(&world, &event).await.unwrap_err().reason(), "INTERNAL");
    assert_eq!(dead_letter(&world, &event).await, (1, "failing".into(), "INTERNAL".into()));
    assert_eq!(count(&world, "timeline_events").await, 0);
    assert_eq!(count(&world, "stream_positions WHERE version > 0").await, 0);
    assert_eq!(count(&world, "audit_log").await, audited);
}

#[tokio::test]
async fn the_eighth_failure_blocks_the_patient_and_nobody_else() {
    let world = world().await;
    let bad = poisoned("pat_x", 1);
    for attempt in 1..=8 {
        deliver(&world, &bad).await.unwrap_err();
        let state = if attempt < 8 { "failing" } else { "blocked" };
        assert_eq!(dead_letter(&world, &bad).await, (attempt, state.into(), "INTERNAL".into()));
    }
    // A dead letter is acknowledged, and tried no more.
    deliver(&world, &bad).await.unwrap();
    assert_eq!(dead_letter(&world, &bad).await.0, 8);

    let (later, other) = (parsed("loop", "pat_x", 2), parsed("loop", "pat_y", 1));
    for event in [&later, &other] {
        deliver(&world, event).await.unwrap();
    }
    kit::resume(world.platform("patient-graph")).await.unwrap();
    assert_eq!(applied(&world, &[later]).await, [0; 0]);
    assert_eq!(applied(&world, &[other]).await, [1]);
    assert_eq!(count(&world, "parked_events").await, 1);
}

#[tokio::test]
async fn a_dead_letter_that_a_person_skips_lets_the_later_ones_go_on() {
    let world = world().await;
    let bad = poisoned("pat_x", 1);
    for _ in 0..8 {
        deliver(&world, &bad).await.unwrap_err();
    }
    let later: Vec<_> = [3, 2].map(|version| parsed("loop", "pat_x", version)).into();
    for event in &later {
        deliver(&world, event).await.unwrap();
    }
    let mut operator = acting_in(&world, "loop").await;
    assert!(gate::skip(&mut operator, bad.event_id.parse().unwrap()).await.unwrap());
    kit::resume(world.platform("patient-graph")).await.unwrap();
    assert_eq!(applied(&world, &later).await, [2, 3]);
    deliver(&world, &bad).await.unwrap();
    assert_eq!(dead_letter(&world, &bad).await.1, "skipped");
}

#[tokio::test]
async fn a_failure_that_passes_is_made_good_by_the_next_delivery() {
    let world = world().await;
    let events = [parsed("loop", "pat_x", 1), parsed("loop", "pat_x", 2)];
    rename(&world, "timeline_events", "away").await;
    deliver(&world, &events[0]).await.unwrap_err();
    deliver(&world, &events[1]).await.unwrap();
    rename(&world, "away", "timeline_events").await;
    assert_eq!(dead_letter(&world, &events[0]).await.1, "failing");
    deliver(&world, &events[0]).await.unwrap();
    assert_eq!(applied(&world, &events).await, [1, 2]);
    assert_eq!(dead_letter(&world, &events[0]).await.1, "resolved");
}

#[tokio::test]
async fn a_dead_letter_that_a_person_retries_takes_effect_with_all_that_waited() {
    let world = world().await;
    let events = [parsed("loop", "pat_x", 1), parsed("loop", "pat_x", 2)];
    rename(&world, "timeline_events", "away").await;
    for _ in 0..8 {
        deliver(&world, &events[0]).await.unwrap_err();
    }
    deliver(&world, &events[1]).await.unwrap();
    rename(&world, "away", "timeline_events").await;

    let mut operator = acting_in(&world, "loop").await;
    let event_id = events[0].event_id.parse().unwrap();
    assert_eq!(gate::retry(&mut operator, event_id).await.unwrap().as_ref(), Some(&events[0]));
    kit::resume(world.platform("patient-graph")).await.unwrap();
    assert_eq!(applied(&world, &events).await, [1, 2]);
    assert_eq!(count(&world, "timeline_events").await, 2);
    assert_eq!(count(&world, "parked_events").await, 0);
}

#[tokio::test]
async fn what_fails_again_when_taken_up_holds_nobody_else_up() {
    let world = world().await;
    let (bad, good) = (poisoned("pat_x", 2), parsed("loop", "pat_y", 2));
    for event in [&bad, &good] {
        leave_parked(&world, event).await;
    }
    kit::resume(world.platform("patient-graph")).await.unwrap_err();
    assert_eq!(dead_letter(&world, &bad).await.0, 1);
    assert_eq!(applied(&world, &[good]).await, [2]);
}
