//! The Loop Platform as one program: which services there are, and the shapes they run in.

pub mod audit_log;
pub mod config;
pub mod demo;
pub mod process;
pub mod up;

mod background;
#[cfg(test)]
mod tests;

use contract::Package;
use kit::Service;

/// Every service, in the order ARCHITECTURE.md tells them.
pub static SERVICES: &[&Service] = &[
    &identity::SERVICE,
    &platform::SERVICE,
    &clinical::SERVICE,
    &patient_graph::SERVICE,
    &events::SERVICE,
];

/// The OpenAPI document of everything the edge serves, as `cargo xtask gen` wrote it.
pub const OPENAPI: &[u8] = include_bytes!("../../../edge/openapi.json");

/// The contracts of all services.
pub fn packages() -> Vec<&'static Package> {
    SERVICES.iter().map(|it| it.package).collect()
}

/// Reads every contract whole. The process refuses to start on a fault.
pub fn check() -> anyhow::Result<registry::Registry> {
    let sets: Vec<_> = packages().iter().map(|it| it.descriptors).collect();
    Ok(registry::Registry::load(&sets)?)
}

/// The service of a name.
pub fn service(name: &str) -> anyhow::Result<&'static Service> {
    SERVICES.iter().find(|it| it.name == name).copied().ok_or_else(|| {
        let names: Vec<_> = SERVICES.iter().map(|it| it.name).collect();
        anyhow::anyhow!("no service is named {name:?}; there are {}", names.join(", "))
    })
}
