//! What became of each event, as a brand reads it.

use kit::Uuid;
use sqlx::{Connection as _, PgConnection};

use super::*;

const PARSED: &str = "clinical.biomarker.parsed.v1";
const CREATED: &str = "patient_graph.patient.created.v1";

/// Writes a delivery as the bus does: in its role, over all brands.
async fn put(bus: &mut PgConnection, brand: &str, name: &str, consumer: &str, hour: u32) -> Uuid {
    let event_id = Uuid::now_v7();
    sqlx::query(
        "INSERT INTO events.deliveries (brand_id, event_id, consumer, name, producer, aggregate,
             key, version, occurred_at, correlation_id, envelope)
         VALUES ($1, $2, $3, $4, split_part($4, '.', 1), 'a', 'k', 1,
             timestamptz '2026-05-04T00:00:00Z' + make_interval(hours => $5), 'request-1', '')",
    )
    .bind(brand)
    .bind(event_id)
    .bind(consumer)
    .bind(name)
    .bind(hour.cast_signed())
    .execute(bus)
    .await
    .unwrap();
    event_id
}

/// Moves a delivery to where the bus left it.
async fn settle(bus: &mut PgConnection, event_id: Uuid, state: &str, attempts: i32) {
    sqlx::query(
        "UPDATE events.deliveries
         SET state = $2, attempts = $3, delivered_at = CASE $2 WHEN 'delivered' THEN now() END
         WHERE event_id = $1",
    )
    .bind(event_id)
    .bind(state)
    .bind(attempts)
    .execute(bus)
    .await
    .unwrap();
}

async fn connect(world: &World, role: &str) -> PgConnection {
    PgConnection::connect_with(&world.platform("events").db.roles().options(role)).await.unwrap()
}

/// A world in which the brand `loop` has nine deliveries, three an hour.
async fn busy() -> (World, PgConnection) {
    let world = World::start(SERVICES).await;
    let mut bus = connect(&world, "bus").await;
    for hour in [2, 1, 3] {
        put(&mut bus, "loop", PARSED, "patient-graph", hour).await;
        put(&mut bus, "loop", PARSED, "identity", hour).await;
        put(&mut bus, "loop", CREATED, "patient-graph", hour).await;
    }
    (world, bus)
}

async fn list(world: &World, request: pb::ListDeliveriesRequest) -> pb::ListDeliveriesResponse {
    console(world, "loop").list_deliveries(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn a_delivery_tells_where_it_stands() {
    let world = World::start(SERVICES).await;
    let mut bus = connect(&world, "bus").await;
    for (state, attempts, expected) in [
        ("pending", 0, pb::DeliveryState::Pending),
        ("delivered", 2, pb::DeliveryState::Delivered),
        ("dead", 101, pb::DeliveryState::Dead),
    ] {
        let event_id = put(&mut bus, "loop", PARSED, "patient-graph", 1).await;
        settle(&mut bus, event_id, state, attempts).await;
        let filter =
            pb::ListDeliveriesRequest { event_id: event_id.to_string(), ..Default::default() };
        let page = list(&world, filter).await.deliveries;
        let [delivery] = &page[..] else { panic!("one delivery, not {page:?}") };
        assert_eq!((delivery.state(), delivery.attempts), (expected, attempts));
        assert_eq!(delivery.delivered_at.is_some(), state == "delivered");
        assert_eq!((delivery.name.as_str(), delivery.producer.as_str()), (PARSED, "clinical"));
        assert_eq!(delivery.consumer, "patient-graph");
        assert_eq!(
            (delivery.brand_id.as_str(), delivery.correlation_id.as_str()),
            ("loop", "request-1")
        );
    }
}

#[tokio::test]
async fn filters_narrow_the_list_and_meet() {
    let (world, _bus) = busy().await;
    for (name, consumer, expected) in [
        ("", "", 9),
        (PARSED, "", 6),
        ("", "patient-graph", 6),
        (PARSED, "patient-graph", 3),
        (CREATED, "identity", 0),
    ] {
        let filter = pb::ListDeliveriesRequest {
            name: name.into(),
            consumer: consumer.into(),
            ..Default::default()
        };
        let page = list(&world, filter).await.deliveries;
        assert_eq!(page.len(), expected, "{name} {consumer}");
        assert!(page.iter().all(|it| name.is_empty() || it.name == name));
        assert!(page.iter().all(|it| consumer.is_empty() || it.consumer == consumer));
    }
    let nonsense = pb::ListDeliveriesRequest { event_id: "nonsense".into(), ..Default::default() };
    assert!(list(&world, nonsense).await.deliveries.is_empty());
}

#[tokio::test]
async fn pages_are_walked_newest_first_without_gap_or_repetition() {
    let (world, _bus) = busy().await;
    for page_size in [1, 2, 4, 9] {
        let (mut seen, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = pb::ListDeliveriesRequest { page_size, page_token, ..Default::default() };
            let page = list(&world, request).await;
            assert!(page.deliveries.len() <= page_size as usize);
            seen.extend(page.deliveries);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        let place = |it: &pb::Delivery| (it.occurred_at.unwrap().seconds, it.event_id.clone());
        assert_eq!(seen.len(), 9, "pages of {page_size}");
        assert!(seen.windows(2).all(|it| place(&it[0]) > place(&it[1])), "pages of {page_size}");
    }
}

#[tokio::test]
async fn one_event_to_several_consumers_is_one_row_each_over_any_page() {
    let world = World::start(SERVICES).await;
    let mut bus = connect(&world, "bus").await;
    let event_id = put(&mut bus, "loop", PARSED, "a", 1).await;
    for consumer in ["b", "c"] {
        let other = put(&mut bus, "loop", PARSED, consumer, 1).await;
        sqlx::query("UPDATE events.deliveries SET event_id = $1 WHERE event_id = $2")
            .bind(event_id)
            .bind(other)
            .execute(&mut bus)
            .await
            .unwrap();
    }
    let mut request = pb::ListDeliveriesRequest { page_size: 1, ..Default::default() };
    for consumer in ["c", "b", "a"] {
        let page = list(&world, request.clone()).await;
        assert_eq!(page.deliveries[0].consumer, consumer);
        request.page_token = page.next_page_token;
    }
    assert!(request.page_token.is_empty());
}

#[tokio::test]
async fn a_page_token_serves_its_own_list_only() {
    let (world, _bus) = busy().await;
    let first =
        list(&world, pb::ListDeliveriesRequest { page_size: 1, ..Default::default() }).await;
    let page_token = first.next_page_token;
    let other = pb::ListDeliveriesRequest {
        name: PARSED.into(),
        page_token: page_token.clone(),
        ..Default::default()
    };
    let same = pb::ListDeliveriesRequest { page_token, ..Default::default() };
    for (brand, request) in [("loop", other), ("loopbio", same)] {
        let status = console(&world, brand).list_deliveries(request).await.unwrap_err();
        assert_eq!(reason(&status), "PAGE_TOKEN_INVALID", "{brand}");
    }
}

#[tokio::test]
async fn a_brand_sees_its_own_deliveries_only() {
    let (world, mut bus) = busy().await;
    let theirs = put(&mut bus, "loopbio", PARSED, "patient-graph", 4).await;
    assert_eq!(list(&world, Default::default()).await.deliveries.len(), 9);
    let by_id = pb::ListDeliveriesRequest { event_id: theirs.to_string(), ..Default::default() };
    assert!(list(&world, by_id.clone()).await.deliveries.is_empty());
    let page = console(&world, "loopbio").list_deliveries(by_id).await.unwrap().into_inner();
    assert_eq!(page.deliveries[0].event_id, theirs.to_string());
}

#[tokio::test]
async fn the_service_itself_cannot_touch_a_delivery() {
    let (world, _bus) = busy().await;
    let mut app = connect(&world, "app").await;
    sqlx::query("SELECT set_config('app.brand_id', 'loop', false)")
        .execute(&mut app)
        .await
        .unwrap();
    for statement in [
        "UPDATE events.deliveries SET state = 'dead'",
        "DELETE FROM events.deliveries",
        "INSERT INTO events.deliveries SELECT * FROM events.deliveries",
    ] {
        let refused = sqlx::raw_sql(statement).execute(&mut app).await.unwrap_err();
        let code = refused.as_database_error().and_then(|it| it.code());
        assert_eq!(code.as_deref(), Some("42501"), "{statement}");
    }
}
