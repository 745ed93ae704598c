//! Our edge as it is built for production: five checkpoints, the limiter, the embedded cache.
//!
//! Two things differ. Identity is a function that knows one token, asked as often as a cached
//! record runs out; and the rate limits are raised, or they would stop the benchmark.

use std::{future::ready, net::SocketAddr, num::NonZeroUsize};

use bytes::Bytes;
use cache::Cache;
use edge::{Config, Edge, Listeners, Rates};
use identity_contract::v1::ResolveTokenResponse;
use kit::{Clock, Introspector, OriginCheck};
use mesh::Mesh;
use oauth_core::{Kind, Token, TokenHash};
use tokio_util::sync::CancellationToken;
use tower::util::BoxCloneSyncService;

use crate::contract;

/// Serves, on one core, the contract of `descriptors` until the process ends, for the holder of `token`.
pub async fn serve(
    listen: SocketAddr,
    upstream: SocketAddr,
    descriptors: Vec<u8>,
    token: &str,
) -> anyhow::Result<()> {
    let (mesh, cache) = (Mesh::default(), Cache::embedded());
    mesh.add_remote(contract::PEER, &format!("http://{upstream}").parse()?)?;
    let mut config = Config::new(format!("http://{listen}"));
    config.rates = Rates { read: u32::MAX, write: u32::MAX, ..config.rates };
    let introspector = introspector(cache.clone(), token)?;
    let openapi = Bytes::from_static(b"{}");
    let packages = [kit_test::package(descriptors)];
    let origins = OriginCheck::new(tower::service_fn(|_| ready(Ok(false))));
    let edge = Edge::new(config, &packages, mesh, introspector, origins, cache, openapi)?;
    let listeners = Listeners::bind(listen, NonZeroUsize::MIN)?;
    Ok(edge.serve_on_cores(listeners, CancellationToken::new()).await?)
}

fn introspector(cache: Cache, token: &str) -> anyhow::Result<Introspector> {
    let known = Token::parse(Kind::AccessToken, token)?.hash();
    let resolver = tower::service_fn(move |asked: TokenHash| {
        ready(Ok(if asked == known { record() } else { ResolveTokenResponse::default() }))
    });
    Ok(Introspector::new(cache, BoxCloneSyncService::new(resolver), Clock::default()))
}

/// A person who may do all that is measured.
fn record() -> ResolveTokenResponse {
    ResolveTokenResponse {
        active: true,
        subject: "usr_0197a5d0-0000-7000-8000-000000000001".into(),
        kind: "user".into(),
        client_id: "cli_bench".into(),
        brand_id: "loop".into(),
        scopes: ["read:biomarkers", "write:biomarkers"].map(Into::into).into(),
        expires_at: Some(kit::timestamp(
            Clock::default().now() + std::time::Duration::from_secs(3600),
        )),
        ..Default::default()
    }
}
