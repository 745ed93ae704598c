//! Brands, and what crosses them: the catalogue of tenants and the platform's audit log.

mod audit_log;
mod domain;
mod rpc;
mod store;
mod wire;

#[cfg(test)]
mod tests;

use sqlx::migrate::Migrator;

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/platform");

pub static SERVICE: kit::Service = kit::Service {
    name: "platform",
    schema: "platform",
    package: &platform_contract::v1::PACKAGE,
    migrations: &MIGRATIONS,
    roles: &[],
    routes: rpc::routes,
    pages: &[],
    subscriptions: &[],
    seed: Some(|platform| Box::pin(store::seed(platform))),
    resolver: None,
};
