//! Biomarkers: recorded from laboratory reports, converted to one unit, classified, read back.

mod domain;
mod patients;
mod rpc;
mod store;
mod wire;

#[cfg(test)]
mod tests;

use sqlx::migrate::Migrator;

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/clinical");

pub static SERVICE: kit::Service = kit::Service {
    name: "clinical",
    schema: "clinical",
    package: &clinical_contract::v1::PACKAGE,
    migrations: &MIGRATIONS,
    roles: &[],
    routes: rpc::routes,
    pages: &[],
    subscriptions: &[],
    seed: None,
    resolver: None,
};
