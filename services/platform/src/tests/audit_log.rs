//! One audit log out of several services' logs.

use std::time::Duration;

use patient_graph_contract::v1::{
    self as patients, patient_graph_service_client::PatientGraphServiceClient,
};
use tonic::Code;

use super::*;

/// Creates a patient in a brand, which the patient-graph records.
async fn admit(world: &World, brand: &str) {
    let grant = Grant::service("cli_clinic", &["admin:patient_graph"]);
    let client = world.client("patient-graph", grant).with("x-brand-id", brand);
    let request = patients::CreatePatientRequest {
        brand_id: brand.into(),
        first_name: "A".into(),
        last_name: "B".into(),
        ..Default::default()
    };
    PatientGraphServiceClient::new(client).create_patient(request).await.unwrap();
}

async fn update(world: &World) {
    console(world, "loop").update_brand(rename("loop", "Loop Health")).await.unwrap();
}

/// A day on which two services take turns; the filter shows that day alone, not the reads of it.
async fn a_day(world: &World) -> pb::ListAuditLogRequest {
    let since = tick(world);
    for _ in 0..3 {
        admit(world, "loop").await;
        tick(world);
        update(world).await;
        tick(world);
    }
    // Two at the same instant.
    admit(world, "loop").await;
    update(world).await;
    admit(world, "loopbio").await;
    let until = tick(world);
    pb::ListAuditLogRequest {
        since: Some(kit::timestamp(since)),
        until: Some(kit::timestamp(until)),
        ..Default::default()
    }
}

fn tick(world: &World) -> kit::Time {
    world.clock.advance(Duration::from_secs(1));
    world.clock.now()
}

async fn list(world: &World, request: pb::ListAuditLogRequest) -> pb::ListAuditLogResponse {
    console(world, "loop").list_audit_log(request).await.unwrap().into_inner()
}

fn place(row: &pb::AuditLogRow) -> (i64, i32, String) {
    let at = row.ts.as_ref().unwrap();
    (at.seconds, at.nanos, row.id.clone())
}

#[tokio::test]
async fn the_logs_of_all_services_are_one_log_newest_first() {
    let world = world().await;
    let page = list(&world, a_day(&world).await).await;
    assert_eq!((page.rows.len(), page.total), (8, 8));
    assert!(
        page.rows.windows(2).all(|it| place(&it[0]) > place(&it[1])),
        "newest first, each once"
    );
    for (source, event_type, actor) in [
        ("platform", "platform.brand.updated", "cli_console"),
        ("patient-graph", "patient_graph.patient.created", "cli_clinic"),
    ] {
        let of = |it: &&pb::AuditLogRow| it.source == source;
        let rows: Vec<_> = page.rows.iter().filter(of).collect();
        assert_eq!(rows.len(), 4, "{source}");
        assert!(rows.iter().all(|it| it.event_type == event_type && it.actor_id == actor));
        assert!(rows.iter().all(|it| it.brand_id == "loop" && !it.request_id.is_empty()));
    }
}

#[tokio::test]
async fn pages_over_several_services_have_no_gap_and_no_repetition() {
    let world = world().await;
    let day = a_day(&world).await;
    let whole = list(&world, day.clone()).await.rows;
    for limit in [1, 3, 8] {
        let mut walked = Vec::new();
        while walked.len() < whole.len() {
            let offset = walked.len() as u32;
            let page = list(&world, pb::ListAuditLogRequest { limit, offset, ..day.clone() }).await;
            assert_eq!(page.total, 8);
            assert!((1..=limit as usize).contains(&page.rows.len()));
            walked.extend(page.rows);
        }
        assert_eq!(walked, whole, "pages of {limit}");
    }
    let beyond = list(&world, pb::ListAuditLogRequest { offset: 8, ..day }).await;
    assert_eq!((beyond.rows.len(), beyond.total), (0, 8));
}

#[tokio::test]
async fn each_filter_reaches_every_service() {
    let world = world().await;
    let day = a_day(&world).await;
    let first = list(&world, day.clone()).await.rows.remove(0);
    type Filter = fn(&mut pb::ListAuditLogRequest);
    let filters: [(Filter, i32); 5] = [
        (|it| it.actor_id = "cli_clinic".into(), 4),
        (|it| it.event_type = "platform.brand.updated".into(), 4),
        (|it| it.entity_type = "patient".into(), 4),
        (|it| it.entity_id = "loop".into(), 4),
        (|it| it.actor_id = "nobody".into(), 0),
    ];
    for (filter, total) in filters {
        let mut request = day.clone();
        filter(&mut request);
        let page = list(&world, request).await;
        assert_eq!((page.rows.len(), page.total), (total as usize, total));
    }
    let newest = pb::ListAuditLogRequest { since: first.ts, ..day.clone() };
    assert_eq!(list(&world, newest).await.total, 2, "since is within");
    assert_eq!(list(&world, pb::ListAuditLogRequest { until: first.ts, ..day }).await.total, 6);
}

#[tokio::test]
async fn a_brand_reads_its_own_log() {
    let world = world().await;
    let day = a_day(&world).await;
    let page = console(&world, "loopbio").list_audit_log(day).await.unwrap().into_inner();
    assert_eq!(page.total, 1);
    assert_eq!(
        (page.rows[0].brand_id.as_str(), page.rows[0].source.as_str()),
        ("loopbio", "patient-graph")
    );
}

#[tokio::test]
async fn reading_the_log_is_itself_recorded() {
    let world = world().await;
    list(&world, pb::ListAuditLogRequest::default()).await;
    let reads = "audit_log WHERE event_type = 'platform.audit_log.read'
                 AND actor_id = 'cli_console' AND brand_id = 'loop'";
    assert_eq!(count(&world, reads).await, 1);
}

#[tokio::test]
async fn a_filter_that_no_text_can_be_is_the_callers_fault() {
    let world = world().await;
    let request = pb::ListAuditLogRequest { entity_id: "a\0b".into(), ..Default::default() };
    let refused = console(&world, "loop").list_audit_log(request).await.unwrap_err();
    assert_eq!((refused.code(), &*reason(&refused)), (Code::InvalidArgument, "VALIDATION"));
    assert!(refused.message().contains("NUL"), "{refused:?}");
}

#[tokio::test]
async fn a_service_that_does_not_answer_is_an_error_and_not_a_hole() {
    let world = world().await;
    admit(&world, "loop").await;
    // Nobody listens at the port of discard (RFC 863).
    let nowhere = http::Uri::from_static("http://127.0.0.1:9");
    world.mesh.add_remote("patient-graph", &nowhere).unwrap();
    let request = pb::ListAuditLogRequest::default();
    let status = console(&world, "loop").list_audit_log(request).await.unwrap_err();
    assert_eq!(
        (status.code(), reason(&status).as_str()),
        (Code::Unavailable, "AUDIT_LOG_INCOMPLETE")
    );
    assert!(status.get_error_details().retry_info().is_some());
    assert_eq!(count(&world, "audit_log WHERE event_type = 'platform.audit_log.read'").await, 0);
}
