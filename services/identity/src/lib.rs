//! Identity: who people and programs are, and what they may do. OAuth 2.1 with opaque tokens.
//!
//! Every decision is made by `oauth_core`; this crate loads the rows, asks, and writes the answer
//! in one transaction. What ends a token fences it in the cache before the commit, so that it is
//! over at once everywhere.

mod domain;
mod pages;
mod revocation;
mod rpc;
mod seed;
mod store;
#[cfg(test)]
mod tests;
mod wire;

use kit::{Platform, Resolver, Service};
use tonic::service::Routes;

pub use seed::{DEMO_EMAIL, DEMO_USER, demo_password, demo_sign_in};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/identity");

/// The service as a process runs it.
pub const SERVICE: Service = Service {
    name: "identity",
    schema: "identity",
    package: &identity_contract::v1::PACKAGE,
    migrations: &MIGRATIONS,
    roles: &["resolve"],
    routes,
    pages: pages::PATHS,
    subscriptions: &[],
    seed: Some(|platform| Box::pin(seed::run(platform))),
    resolver: Some(resolver),
};

fn routes(platform: &Platform) -> Routes {
    let lookup = store::Lookup::new(platform.db.roles());
    let pages = pages::router(platform, &lookup);
    Routes::from(pages).add_service(rpc::server(platform, lookup))
}

/// Identity resolves tokens by its own tables, with the same code that answers the others.
fn resolver(platform: &Platform) -> Resolver {
    let lookup = store::Lookup::new(platform.db.roles());
    let clock = platform.clock.clone();
    Resolver::new(tower::service_fn(move |hash| {
        let (lookup, clock) = (lookup.clone(), clock.clone());
        async move { rpc::resolve(&lookup, hash, clock.now()).await }
    }))
}
