//! The catalogue of events, and what became of each one sent.

mod rpc;
mod store;
mod wire;

#[cfg(test)]
mod tests;

use sqlx::migrate::Migrator;

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/events");

pub static SERVICE: kit::Service = kit::Service {
    name: "events",
    schema: "events",
    package: &events_contract::v1::PACKAGE,
    migrations: &MIGRATIONS,
    // The role that relays and consumers of all services move deliveries with.
    roles: &["bus"],
    routes: rpc::routes,
    pages: &[],
    subscriptions: &[],
    seed: None,
    resolver: None,
};
