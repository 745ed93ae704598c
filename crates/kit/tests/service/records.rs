//! What every service tells of itself: its audit log and its outbox.

use std::time::Duration;

use prost::Message as _;
use records_contract::v1::{
    FetchEventsRequest, ListAuditEntriesRequest, records_service_client::RecordsServiceClient,
};
use tonic::Code;

use super::*;

fn records(world: &World, brand: &str) -> RecordsServiceClient<TestClient> {
    let grant = Grant::service("cli_reader", &["admin:records"]);
    RecordsServiceClient::new(world.client("platform", grant).with("x-brand-id", brand))
}

/// A world with three changes in the brand `loop`, a second apart, and one elsewhere.
async fn changed() -> World {
    let world = world().await;
    for request in ["r-1", "r-2", "r-3"] {
        let client = ops(&world).with("x-request-id", request);
        Client::new(client).update_brand(update(request)).await.expect("a change");
        world.clock.advance(Duration::from_secs(1));
    }
    let elsewhere = world.client("platform", operator()).with("x-brand-id", "loopbio");
    Client::new(elsewhere).update_brand(update("r-4")).await.expect("a change");
    world
}

fn events(from_version: u64, limit: u32) -> FetchEventsRequest {
    FetchEventsRequest {
        aggregate: "platform.brand".into(),
        key: "loop".into(),
        from_version,
        limit,
    }
}

#[tokio::test]
async fn audit_entries_are_listed_newest_first_with_their_number_in_all() {
    let world = changed().await;
    for (limit, expected) in [(0, vec!["r-3", "r-2", "r-1"]), (2, vec!["r-3", "r-2"])] {
        let request = ListAuditEntriesRequest { limit, ..Default::default() };
        let page = records(&world, "loop").list_audit_entries(request).await.unwrap().into_inner();
        let requests: Vec<_> = page.entries.iter().map(|it| it.request_id.as_str()).collect();
        assert_eq!((requests, page.total), (expected, 3));
        let newest = &page.entries[0];
        assert_eq!((newest.actor_type.as_str(), newest.actor_id.as_str()), ("service", "cli_ops"));
        assert_eq!((newest.entity_type.as_str(), newest.entity_id.as_str()), ("brand", "loop"));
        let details: serde_json::Value = serde_json::from_str(&newest.details).unwrap();
        assert_eq!(details, serde_json::json!({"client_id": "cli_ops"}));
    }
}

#[tokio::test]
async fn a_time_filter_includes_its_beginning_and_not_its_end() {
    let world = changed().await;
    let mut client = records(&world, "loop");
    let all = client.list_audit_entries(ListAuditEntriesRequest::default()).await.unwrap();
    let second = all.into_inner().entries[1].occurred_at;
    for (since, until, total) in [(second, None, 2), (None, second, 1), (second, second, 0)] {
        let request = ListAuditEntriesRequest { since, until, ..Default::default() };
        assert_eq!(client.list_audit_entries(request).await.unwrap().into_inner().total, total);
    }
}

#[tokio::test]
async fn events_are_fetched_from_a_version_on_as_their_envelopes() {
    let world = changed().await;
    let fetch = async |request| {
        let answer = records(&world, "loop").fetch_events(request).await.unwrap();
        answer.into_inner().events
    };
    let versions = |events: &[type_contract::v1::Envelope]| {
        events.iter().map(|it| it.version).collect::<Vec<_>>()
    };
    assert_eq!(versions(&fetch(events(1, 0)).await), [1, 2, 3]);
    assert_eq!(versions(&fetch(events(1, 2)).await), [1, 2]);
    assert_eq!(versions(&fetch(events(4, 0)).await), [0; 0]);
    let rest = fetch(events(3, 0)).await;
    let [last] = &rest[..] else { panic!("one event, not {rest:?}") };
    assert_eq!((last.producer.as_str(), last.brand_id.as_str()), ("platform", "loop"));
    assert_eq!(last.name, "platform.brand.cache_invalidated.v1");
    assert_eq!((last.epoch, last.correlation_id.as_str()), (1, "r-3"));
    let payload = pb::BrandCacheInvalidated::decode(last.payload.as_slice()).unwrap();
    assert_eq!(payload.brand_id, "loop");
}

#[tokio::test]
async fn a_brand_is_told_of_its_own_records_only() {
    let world = changed().await;
    let mut client = records(&world, "loopbio");
    let page = client.list_audit_entries(ListAuditEntriesRequest::default()).await.unwrap();
    let page = page.into_inner();
    assert_eq!((page.total, page.entries[0].request_id.is_empty()), (1, false));
    assert_eq!(page.entries[0].brand_id, "loopbio");
    assert!(client.fetch_events(events(1, 0)).await.unwrap().into_inner().events.is_empty());
}

#[tokio::test]
async fn records_are_for_services_with_their_scope() {
    let world = changed().await;
    for (grant, expected) in [
        (Grant::user("usr_ada", "loop", &["admin:records"]), "CALLER_FORBIDDEN"),
        (operator(), "INSUFFICIENT_SCOPE"),
    ] {
        let mut client = RecordsServiceClient::new(world.client("platform", grant));
        let listed = client.list_audit_entries(ListAuditEntriesRequest::default()).await;
        let fetched = client.fetch_events(events(1, 0)).await;
        for status in [listed.unwrap_err(), fetched.unwrap_err()] {
            assert_eq!(
                (status.code(), reason(&status).as_str()),
                (Code::PermissionDenied, expected)
            );
        }
    }
}

#[tokio::test]
async fn a_version_counts_from_one() {
    let world = world().await;
    let status = records(&world, "loop").fetch_events(events(0, 0)).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "VALIDATION"));
}
