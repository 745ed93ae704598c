//! Patients, who they are to the rest of the platform, and what happened to them in order.

mod domain;
mod on;
mod rpc;
mod store;
mod wire;

#[cfg(test)]
mod tests;

use clinical_contract::v1::BiomarkerParsed;
use contract::Event as _;
use kit::Subscription;
use sqlx::migrate::Migrator;

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/patient-graph");

pub static SERVICE: kit::Service = kit::Service {
    name: "patient-graph",
    schema: "patient_graph",
    package: &patient_graph_contract::v1::PACKAGE,
    migrations: &MIGRATIONS,
    roles: &[],
    routes: rpc::routes,
    pages: &[],
    subscriptions: SUBSCRIPTIONS,
    seed: Some(|platform| Box::pin(store::seed(platform))),
    resolver: None,
};

const SUBSCRIPTIONS: &[Subscription] = &[Subscription {
    event: BiomarkerParsed::TYPE,
    react: |_, reaction| Box::pin(on::biomarker_parsed(reaction)),
}];

/// The patient of the demo member, in the brand `loop`.
pub const DEMO_PATIENT: &str = "pat_01kc000000e008000000000051";
