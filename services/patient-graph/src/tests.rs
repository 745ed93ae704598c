//! The service through its own RPCs and the events delivered to it, on a real database.

mod delivery;
mod failure;
mod patients;
mod timeline;

use clinical_contract::v1::BiomarkerParsed;
use contract::Event as _;
use kit::{Service, Uuid};
use kit_test::{Grant, TestClient, World};
use patient_graph_contract::v1::{
    self as pb, patient_graph_service_client::PatientGraphServiceClient,
};
use prost::Message as _;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tonic::Status;
use tonic_types::StatusExt as _;
use type_contract::v1::Envelope;

static SERVICES: &[&Service] = &[&crate::SERVICE];

type Client = PatientGraphServiceClient<TestClient>;

async fn world() -> World {
    World::start(SERVICES).await
}

/// A machine client in a brand.
fn clinic(world: &World, brand: &str) -> Client {
    let grant = Grant::service("cli_clinic", &["admin:patient_graph"]);
    Client::new(world.client("patient-graph", grant).with("x-brand-id", brand))
}

/// A person of the brand `loop`, through an app.
fn person(world: &World, user_id: &str) -> Client {
    let grant = Grant::user(user_id, "loop", &["read:profile"]);
    Client::new(world.client("patient-graph", grant))
}

fn ada() -> pb::CreatePatientRequest {
    pb::CreatePatientRequest {
        brand_id: "loop".into(),
        first_name: "Augusta".into(),
        last_name: "Lovelace".into(),
        date_of_birth: Some("1964-12-10".into()),
        gender: pb::Gender::Female.into(),
        email: Some("augusta@example.test".into()),
        phone: Some("+44 20 7946 0000".into()),
        user_id: Some("usr_augusta".into()),
        ..Default::default()
    }
}

/// Creates the patient of the user `usr_augusta` in the brand `loop`.
async fn admitted(world: &World) -> pb::Patient {
    let created = clinic(world, "loop").create_patient(ada()).await.unwrap();
    created.into_inner().patient.unwrap()
}

/// The `version`th laboratory report of a patient, collected on that day of March.
fn parsed(brand: &str, patient_id: &str, version: u64) -> Envelope {
    let at = format!("2026-03-{version:02}T08:00:00Z").parse().unwrap();
    let event = BiomarkerParsed {
        patient_id: patient_id.into(),
        brand_id: brand.into(),
        report_id: format!("rep_{version}"),
        biomarker_codes: vec!["albumin".into(), "tsh".into()],
        source: "manual".into(),
        collected_at: Some(kit::timestamp(at)),
        ..Default::default()
    };
    Envelope {
        event_id: Uuid::now_v7().to_string(),
        name: BiomarkerParsed::TYPE.name.into(),
        producer: BiomarkerParsed::TYPE.producer.into(),
        epoch: 1,
        aggregate: BiomarkerParsed::TYPE.aggregate.into(),
        key: patient_id.into(),
        version,
        brand_id: brand.into(),
        occurred_at: Some(kit::timestamp(at)),
        correlation_id: format!("request-{version}"),
        payload: event.encode_to_vec(),
        ..Default::default()
    }
}

async fn deliver(world: &World, envelope: &Envelope) -> kit::Result<()> {
    kit::consume(world.platform("patient-graph"), envelope.clone()).await
}

/// The versions among `events` that took effect, in the order in which they did.
async fn applied(world: &World, events: &[Envelope]) -> Vec<u64> {
    let ids: Vec<String> = sqlx::query_scalar(
        "SELECT details->>'event_id' FROM patient_graph.audit_log
         WHERE event_type = 'clinical.biomarker.parsed.v1.reacted' ORDER BY seq",
    )
    .fetch_all(&mut world.database.admin().await)
    .await
    .unwrap();
    let version = |id: &String| Some(events.iter().find(|it| it.event_id == *id)?.version);
    ids.iter().filter_map(version).collect()
}

/// A connection of the service's own role that sees one brand, as another process of it has.
async fn acting_in(world: &World, brand: &str) -> PgConnection {
    let roles = world.platform("patient-graph").db.roles();
    let mut conn = PgConnection::connect_with(&roles.options("app")).await.unwrap();
    sqlx::query("SELECT set_config('app.brand_id', $1, false)")
        .bind(brand)
        .execute(&mut conn)
        .await
        .unwrap();
    conn
}

/// Parks `event` as a consumer leaves it that dies between the commit of the event before it and
/// its look at what waited.
async fn leave_parked(world: &World, event: &Envelope) {
    deliver(world, event).await.unwrap();
    let mut consumer = acting_in(world, &event.brand_id).await;
    let before = parsed(&event.brand_id, &event.key, event.version - 1);
    assert_eq!(gate::admit(&mut consumer, &before).await.unwrap(), gate::Admission::Apply);
}

async fn count(world: &World, rows: &str) -> i64 {
    let sql = AssertSqlSafe(format!("SELECT count(*) FROM patient_graph.{rows}"));
    sqlx::query_scalar(sql).fetch_one(&mut world.database.admin().await).await.unwrap()
}

fn reason(status: &Status) -> String {
    status.get_error_details().error_info().map(|it| it.reason.clone()).unwrap_or_default()
}
