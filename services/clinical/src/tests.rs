//! The service through its own RPCs, on a real database, with a fake patient-graph beside it.

mod peers;
mod recording;
mod walls;

use clinical_contract::v1::{self as pb, clinical_service_client::ClinicalServiceClient};
use kit::Service;
use kit_test::{Grant, TestClient, World};
use peers::FakePatients;

static SERVICES: &[&Service] = &[&crate::SERVICE];

/// A world in which Ada (`usr_ada`) is the patient `pat_ada` of the brand `loop`.
async fn world() -> World {
    let world = World::start(SERVICES).await;
    world.mesh.add_local("patient-graph", FakePatients::app());
    world
}

fn ada(scopes: &[&str]) -> Grant {
    Grant::user("usr_ada", "loop", scopes)
}

fn lab() -> Grant {
    Grant::service("cli_lab", &["admin:clinical"])
}

fn client(transport: TestClient) -> ClinicalServiceClient<TestClient> {
    ClinicalServiceClient::new(transport)
}

/// A machine client of the brand `loop`.
fn lab_client(world: &World) -> ClinicalServiceClient<TestClient> {
    client(world.client("clinical", lab()).with("x-brand-id", "loop"))
}

fn result(code: &str, value: &str, unit: &str, day: u32) -> pb::BiomarkerResult {
    let collected_at = kit::timestamp(format!("2026-03-{day:02}T08:00:00Z").parse().unwrap());
    pb::BiomarkerResult {
        code: code.into(),
        name: code.into(),
        value: value.into(),
        unit: unit.into(),
        collected_at: Some(collected_at),
        ..Default::default()
    }
}

fn report(results: Vec<pb::BiomarkerResult>) -> pb::ParseBiomarkersRequest {
    pb::ParseBiomarkersRequest {
        patient_id: "pat_ada".into(),
        brand_id: "loop".into(),
        source: "manual".into(),
        biomarkers: results,
    }
}
