//! The kit as a service meets it: a small one behind all layers, on a real database.

mod brands;
mod checkpoints;
mod idempotency;
mod phi;
mod reactions;
mod receipts;
mod records;

use kit::Service;
use kit_test::{Grant, TestClient, World};
use platform_contract::v1::{self as pb, platform_service_client::PlatformServiceClient};
use sqlx::AssertSqlSafe;
use tonic::Status;
use tonic_types::StatusExt as _;

static SERVICES: &[&Service] = &[&brands::SERVICE];

type Client = PlatformServiceClient<TestClient>;

async fn world() -> World {
    World::start(SERVICES).await
}

fn operator() -> Grant {
    Grant::service("cli_ops", &["admin:platform"])
}

/// An operator in the brand `loop`.
fn ops(world: &World) -> TestClient {
    world.client("platform", operator()).with("x-brand-id", "loop")
}

/// A call by which the service's handler does as `told`.
fn update(told: &str) -> pb::UpdateBrandRequest {
    pb::UpdateBrandRequest { id: "loop".into(), name: Some(told.into()), ..Default::default() }
}

async fn count(world: &World, rows: &str) -> i64 {
    let sql = AssertSqlSafe(format!("SELECT count(*) FROM platform.{rows}"));
    let counted = sqlx::query_scalar(sql).fetch_one(&mut world.database.admin().await).await;
    counted.expect("Postgres answers")
}

fn reason(status: &Status) -> String {
    status.get_error_details().error_info().map(|it| it.reason.clone()).unwrap_or_default()
}
