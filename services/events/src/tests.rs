//! The service through its own RPCs, beside a producer and a consumer.

mod deliveries;

use events_contract::v1::{self as pb, events_service_client::EventsServiceClient};
use kit::Service;
use kit_test::{Grant, TestClient, World};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

static SERVICES: &[&Service] = &[&crate::SERVICE, &clinical::SERVICE, &patient_graph::SERVICE];

type Client = EventsServiceClient<TestClient>;

/// The operators' console, in a brand.
fn console(world: &World, brand: &str) -> Client {
    let grant = Grant::service("cli_console", &["admin:events"]);
    Client::new(world.client("events", grant).with("x-brand-id", brand))
}

fn reason(status: &Status) -> String {
    status.get_error_details().error_info().map(|it| it.reason.clone()).unwrap_or_default()
}

#[tokio::test]
async fn the_catalogue_lists_every_event_with_its_producer_and_its_consumers() {
    let world = World::start(SERVICES).await;
    let request = pb::ListEventTypesRequest {};
    let list = console(&world, "loop").list_event_types(request).await.unwrap().into_inner();
    let names: Vec<_> = list.event_types.iter().map(|it| it.name.as_str()).collect();
    assert!(names.is_sorted(), "{names:?}");
    let declared = SERVICES.iter().flat_map(|it| it.package.events);
    assert_eq!(names.len(), declared.clone().count());
    assert!(declared.clone().all(|it| names.contains(&it.name)), "{names:?}");

    let parsed =
        list.event_types.iter().find(|it| it.name == "clinical.biomarker.parsed.v1").unwrap();
    assert_eq!((parsed.producer.as_str(), parsed.key.as_str()), ("clinical", "patient_id"));
    assert_eq!(parsed.message, "loop.clinical.v1.BiomarkerParsed");
    assert_eq!(parsed.partner_scope, "read:biomarkers");
    assert_eq!(parsed.consumers, ["patient-graph"]);
    let created = list.event_types.iter().find(|it| it.producer == "patient-graph").unwrap();
    assert!(created.consumers.is_empty() && created.partner_scope.is_empty(), "{created:?}");
}

#[tokio::test]
async fn a_person_sees_neither_catalogue_nor_deliveries() {
    let world = World::start(SERVICES).await;
    let grant = Grant::user("usr_ada", "loop", &["admin:events"]);
    let mut person = Client::new(world.client("events", grant));
    let catalogue = person.list_event_types(pb::ListEventTypesRequest {}).await.unwrap_err();
    let deliveries =
        person.list_deliveries(pb::ListDeliveriesRequest::default()).await.unwrap_err();
    for status in [catalogue, deliveries] {
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::PermissionDenied, "CALLER_FORBIDDEN")
        );
    }
}
