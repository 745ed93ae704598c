//! What must be true of every method of every service, tested by walking all of them.
//!
//! Reading order: [`Contracts`] lists the [`Case`]s, one for each method of each service that
//! serves it. A [`House`] is the whole platform in this process, with both its doors: gRPC to each
//! service, and HTTP through the edge. A rule of [`rules`] walks the cases through both doors and
//! holds what it sees against a pure check. A new method is a new case, and so under every rule.

mod answer;
mod case;
mod fixture;
mod house;
mod ledger;
mod log;
mod phi;
mod requests;
mod route;
pub mod rules;
mod tokens;
mod violation;
mod wire;

pub use answer::{Answer, Outcome, Surface};
pub use case::{Case, Contracts, Grantee};
pub use house::{House, Sent};
pub use ledger::{AuditRow, Ledger, OutboxRow};
pub use log::Log;
pub use route::Route;
pub use violation::{Breach, Violation};

#[cfg(test)]
mod tests;
