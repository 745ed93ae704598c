//! The gateway: the only public door of the platform.
//!
//! Reading order: an [`Edge`] is built from contracts and [serves](Edge::serve) a listener. Each
//! request passes the `layers`, outermost first; the innermost, `call`, turns it into a gRPC
//! call and the answer into JSON. Inside the stack a failure is a gRPC status; the outermost but
//! one, `layers::wording`, is the only place that gives it a form for the caller.

mod accept;
mod config;
mod serve;

mod layers;

mod call;
mod grpc;
mod home;
mod linger;
mod page;
mod protocol;
mod record;
mod reference;
mod reflection;

use kit::layers::Next;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use bytes::Bytes;
use cache::Cache;
use contract::{Method, Package};
use kit::Introspector;
use mesh::Mesh;
use prost_reflect::DescriptorError;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use transcode::{Api, BuildError, MethodPlan, Route};

pub use config::{Config, Limits, Rates};

use layers::shed::Capacity;

/// The gateway, built and not yet serving.
pub struct Edge {
    app: Next,
    limits: Limits,
    closing: CancellationToken,
}

/// Why contracts make no gateway. Found at start only.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("a contract's descriptors cannot be read")]
    Descriptors(#[from] DescriptorError),
    #[error("the contracts' HTTP rules cannot be served")]
    Api(#[from] BuildError),
    /// The tables and the descriptors of a package are of different generations.
    #[error("{0} is in a package's descriptors and not in its table of methods")]
    Unlisted(String),
    #[error("the page {0} has the path of a method or of the gateway's own")]
    Contested(&'static str),
}

/// What the layers stand on.
pub(crate) struct Parts {
    pub(crate) config: Config,
    /// Built once and kept as long as the process, so that a route may be passed on by reference.
    pub(crate) api: &'static Api,
    /// The methods that are served, by gRPC path: those that the contract binds to HTTP.
    pub(crate) methods: HashMap<&'static str, Served>,
    /// The platform's own machine clients.
    pub(crate) own_clients: HashSet<String>,
    pub(crate) mesh: Mesh,
    pub(crate) introspector: Introspector,
    pub(crate) cache: Cache,
    pub(crate) capacity: Capacity,
    pub(crate) openapi: home::Document,
    pub(crate) readiness: home::Readiness,
    /// Cancelled when the gateway ends: what would last for hours ends then.
    pub(crate) closing: CancellationToken,
}

/// A method and how its messages are read and written.
#[derive(Clone, Copy)]
pub(crate) struct Served {
    pub(crate) method: &'static Method,
    pub(crate) plan: &'static MethodPlan,
}

impl Edge {
    /// Builds the gateway of `packages`. Their services may be added to `mesh` later.
    /// `openapi` is the JSON document that describes them.
    ///
    /// Fails when the packages do not agree with themselves or with the pages of `config`.
    pub fn new(
        config: Config,
        packages: &[&'static Package],
        mesh: Mesh,
        introspector: Introspector,
        cache: Cache,
        openapi: Bytes,
    ) -> Result<Self, Error> {
        let limits = config.limits;
        let parts = Parts::new(config, packages, mesh, introspector, cache, openapi)?;
        let parts = Arc::new(parts);
        Ok(Self { app: layers::stack(&parts), limits, closing: parts.closing.clone() })
    }

    /// Serves until `shutdown`, then lets requests in flight end. Returns when they have, or when
    /// they have had all the time that a request may take.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) {
        let (closing, ends) = (self.closing, shutdown.clone());
        tokio::spawn(async move {
            ends.cancelled().await;
            closing.cancel();
        });
        serve::serve(self.app, self.limits, listener, shutdown).await;
    }
}

impl Parts {
    fn new(
        config: Config,
        packages: &[&'static Package],
        mesh: Mesh,
        introspector: Introspector,
        cache: Cache,
        openapi: Bytes,
    ) -> Result<Self, Error> {
        let packages = [packages, &reflection::PACKAGES].concat();
        let pool = registry::merge(&descriptors(&packages))?;
        let api: &'static Api = Box::leak(Box::new(Api::build(&pool)?));
        let methods = methods(api, &packages)?;
        mesh.add_local(reflection::NAME, reflection::service(&pool, &methods));
        if let Some(page) = config.pages.keys().find(|it| is_taken(api, it)) {
            return Err(Error::Contested(page));
        }
        Ok(Self {
            api,
            own_clients: own_clients(&methods),
            methods,
            mesh,
            introspector,
            cache,
            capacity: Capacity::new(&config.limits),
            closing: CancellationToken::new(),
            openapi: home::Document::new("application/json", openapi),
            readiness: home::Readiness::default(),
            config,
        })
    }
}

/// The descriptors of the packages, and of the details of errors, which no contract imports and
/// every error carries.
fn descriptors(packages: &[&'static Package]) -> Vec<&'static [u8]> {
    let details = tonic_types::pb::FILE_DESCRIPTOR_SET;
    packages.iter().map(|it| it.descriptors).chain([details]).collect()
}

fn own_clients(methods: &HashMap<&str, Served>) -> HashSet<String> {
    let services = methods.values().map(|it| it.method.service);
    services.filter(|it| *it != reflection::NAME).map(kit::client_id).collect()
}

fn is_taken(api: &Api, path: &str) -> bool {
    home::Own::at(path).is_some() || !matches!(api.route(&http::Method::GET, path), Route::NotFound)
}

/// The methods that the contracts bind to HTTP, and reflection. Those of services among themselves
/// are not served.
fn methods(
    api: &'static Api,
    packages: &[&'static Package],
) -> Result<HashMap<&'static str, Served>, Error> {
    let listed: HashMap<_, _> =
        packages.iter().flat_map(|it| it.methods).map(|it| (it.path, it)).collect();
    if let Some(method) = api.methods().find(|it| !listed.contains_key(it.grpc_path())) {
        return Err(Error::Unlisted(method.grpc_path().to_owned()));
    }
    let reflection = api.methods().filter(|it| reflection::METHODS.contains(&it.grpc_path()));
    let served = api.bound_methods().chain(reflection).map(|plan| {
        let method = listed[plan.grpc_path()];
        (method.path, Served { method, plan })
    });
    Ok(served.collect())
}

#[cfg(test)]
mod tests;
