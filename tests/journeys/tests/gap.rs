//! An event that both buses lost is pulled from its producer's own outbox.

use clinical_contract::v1::{self as clinical_pb, clinical_service_client::ClinicalServiceClient};
use kit::Service;
use kit_test::{Grant, World, eventually};
use patient_graph_contract::v1::{
    self as graph_pb, patient_graph_service_client::PatientGraphServiceClient,
};
use records_contract::v1::{FetchEventsRequest, records_service_client::RecordsServiceClient};

static SERVICES: &[&Service] = &[&clinical::SERVICE, &patient_graph::SERVICE];

fn machine(world: &World, service: &str, scope: &str) -> kit_test::TestClient {
    world.client(service, Grant::service("cli_test", &[scope])).with("x-brand-id", "loop")
}

fn report(patient_id: &str) -> clinical_pb::ParseBiomarkersRequest {
    let collected_at = kit::timestamp("2026-03-01T08:00:00Z".parse().unwrap());
    clinical_pb::ParseBiomarkersRequest {
        patient_id: patient_id.into(),
        brand_id: "loop".into(),
        source: "manual".into(),
        biomarkers: vec![clinical_pb::BiomarkerResult {
            code: "albumin".into(),
            name: "Albumin".into(),
            value: "4.2".into(),
            unit: "g/dL".into(),
            collected_at: Some(collected_at),
            ..Default::default()
        }],
    }
}

#[tokio::test]
async fn a_lost_event_is_pulled_and_what_waited_for_it_follows() {
    let world = World::start(SERVICES).await;
    let patient = patient_graph::DEMO_PATIENT;
    let mut clinical = ClinicalServiceClient::new(machine(&world, "clinical", "admin:clinical"));
    for _ in 0..3 {
        clinical.parse_biomarkers(report(patient)).await.unwrap();
    }
    let mut outbox = RecordsServiceClient::new(machine(&world, "clinical", "admin:records"));
    let wanted = FetchEventsRequest {
        aggregate: "clinical.biomarker".into(),
        key: patient.into(),
        from_version: 1,
        limit: 10,
    };
    let sent = outbox.fetch_events(wanted).await.unwrap().into_inner().events;
    assert_eq!(sent.iter().map(|it| it.version).collect::<Vec<_>>(), [1, 2, 3]);

    // The buses bring the first and the third.
    let graph = world.platform("patient-graph");
    kit::consume(graph, sent[0].clone()).await.unwrap();
    kit::consume(graph, sent[2].clone()).await.unwrap();
    assert_eq!(entries(&world, patient).await, 1, "the third waits for the second");
    eventually("the gap to be closed", || async {
        kit::repair(graph).await.unwrap();
        (entries(&world, patient).await == 3).then_some(())
    })
    .await;
}

async fn entries(world: &World, patient_id: &str) -> i32 {
    let mut graph =
        PatientGraphServiceClient::new(machine(world, "patient-graph", "admin:patient_graph"));
    let request =
        graph_pb::ListTimelineRequest { patient_id: patient_id.into(), ..Default::default() };
    graph.list_timeline(request).await.unwrap().into_inner().total
}
