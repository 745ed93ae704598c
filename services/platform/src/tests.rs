//! The service through its own RPCs, beside another one whose audit log it reads.

mod audit_log;
mod brands;

use kit::Service;
use kit_test::{Grant, TestClient, World};
use platform_contract::v1::{self as pb, platform_service_client::PlatformServiceClient};
use sqlx::AssertSqlSafe;
use tonic::Status;
use tonic_types::StatusExt as _;

static SERVICES: &[&Service] = &[&crate::SERVICE, &patient_graph::SERVICE];

type Client = PlatformServiceClient<TestClient>;

async fn world() -> World {
    World::start(SERVICES).await
}

/// The operators' console, in a brand.
fn console(world: &World, brand: &str) -> Client {
    let grant = Grant::service("cli_console", &["admin:platform"]);
    Client::new(world.client("platform", grant).with("x-brand-id", brand))
}

async fn brand(world: &World, slug: &str) -> pb::Brand {
    let request = pb::GetBrandRequest { id: slug.into() };
    console(world, slug).get_brand(request).await.unwrap().into_inner().brand.unwrap()
}

fn rename(id: &str, name: &str) -> pb::UpdateBrandRequest {
    pb::UpdateBrandRequest { id: id.into(), name: Some(name.into()), ..Default::default() }
}

async fn count(world: &World, rows: &str) -> i64 {
    let sql = AssertSqlSafe(format!("SELECT count(*) FROM platform.{rows}"));
    sqlx::query_scalar(sql).fetch_one(&mut world.database.admin().await).await.unwrap()
}

fn reason(status: &Status) -> String {
    status.get_error_details().error_info().map(|it| it.reason.clone()).unwrap_or_default()
}
