//! The gateway: the only public door of the platform.
//!
//! Reading order: an [`Edge`] is built from contracts and [serves](Edge::serve) a listener. Each
//! request passes the `layers`, outermost first; the innermost, `call`, turns it into a gRPC
//! call and the answer into JSON. Inside the stack a failure is a gRPC status; the outermost but
//! one, `layers::wording`, is the only place that gives it a form for the caller.

mod accept;
mod config;
mod cores;
mod serve;
mod tls;

mod layers;

mod call;
mod documents;
mod entity_tag;
mod grpc;
mod home;
mod hosts;
mod linger;
mod page;
mod prefix;
mod protocol;
mod proxies;
mod record;
mod reference;
mod reflection;

use kit::layers::Next;
use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::Arc,
};

use bytes::Bytes;
use cache::Cache;
use contract::{Method, Package};
use http::Uri;
use kit::{Introspector, OriginCheck};
use mesh::Mesh;
use prost_reflect::DescriptorError;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use transcode::{Api, BuildError, MethodPlan, Route};

pub use config::{Config, Limits, Rates};
pub use cores::Listeners;
pub use proxies::Network;
pub use tls::TlsFiles;

use documents::Documents;
use hosts::Hosts;
use layers::{cors::Origins, shed::Capacity};
use prefix::Prefix;
use tls::{Renewal, Tls};

/// The gateway, built and not yet serving.
pub struct Edge {
    app: Next,
    parts: Arc<Parts>,
    tls: Option<(Tls, Renewal)>,
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
    /// A file of the listener's TLS cannot be used.
    #[error("{}: {fault}", file.display())]
    Tls { file: PathBuf, fault: String },
}

/// What the layers stand on. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) config: Arc<Config>,
    /// Built once and kept as long as the process, so that a route may be passed on by reference.
    pub(crate) api: &'static Api,
    /// The methods that are served, by gRPC path: those that the contract binds to HTTP.
    pub(crate) methods: Arc<Methods>,
    /// The platform's own machine clients.
    pub(crate) own_clients: Arc<HashSet<String>>,
    pub(crate) mesh: Mesh,
    pub(crate) introspector: Introspector,
    pub(crate) origins: Origins,
    pub(crate) cache: Cache,
    pub(crate) capacity: Capacity,
    /// The path that everything is served under, if it is not the root.
    pub(crate) prefix: Option<Arc<Prefix>>,
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) documents: Arc<Documents>,
    pub(crate) readiness: Arc<home::Readiness>,
    /// The largest body that any method takes, in bytes.
    pub(crate) largest_body: usize,
    /// Cancelled when the gateway ends: what would last for hours ends then.
    pub(crate) closing: CancellationToken,
}

/// Methods by gRPC path. Nobody outside chooses what is in it, so it is hashed fast.
pub(crate) type Methods = HashMap<&'static str, Served, foldhash::fast::RandomState>;

/// A method and how its messages are read and written.
#[derive(Clone, Copy)]
pub(crate) struct Served {
    pub(crate) method: &'static Method,
    pub(crate) plan: &'static MethodPlan,
    /// The method's path, parsed once.
    pub(crate) uri: &'static Uri,
}

impl Edge {
    /// Builds the gateway of `packages`. Their services may be added to `mesh` later.
    /// `origins` tells which web origins may call, and `openapi` is the JSON document that
    /// describes the packages.
    ///
    /// Fails when the packages do not agree with themselves or with the pages of `config`, and
    /// when its TLS files cannot be used.
    pub fn new(
        config: Config,
        packages: &[&'static Package],
        mesh: Mesh,
        introspector: Introspector,
        origins: OriginCheck,
        cache: Cache,
        openapi: Bytes,
    ) -> Result<Self, Error> {
        let tls = config.tls.clone().map(Tls::open).transpose()?;
        let parts = Parts::new(config, packages, mesh, introspector, origins, cache, openapi)?;
        let parts = Arc::new(parts);
        Ok(Self { app: layers::stack(&parts), parts, tls })
    }

    /// Serves until `shutdown`, then lets requests in flight end. Returns when they have, or when
    /// they have had all the time that a request may take.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) {
        let limits = self.parts.config.limits;
        let app = self.app.clone();
        serve::serve(app, limits, self.begin(&shutdown), listener, shutdown).await;
    }

    /// Lets what would last for hours end with the gateway, and its certificate be renewed.
    fn begin(self, shutdown: &CancellationToken) -> Option<Tls> {
        let (closing, ends) = (self.parts.closing.clone(), shutdown.clone());
        tokio::spawn(async move {
            ends.cancelled().await;
            closing.cancel();
        });
        let (tls, renewal) = self.tls?;
        tokio::spawn(renewal.run(shutdown.clone()));
        Some(tls)
    }
}

impl Parts {
    fn new(
        config: Config,
        packages: &[&'static Package],
        mesh: Mesh,
        introspector: Introspector,
        origins: OriginCheck,
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
        let services = methods.values().map(|it| it.method.service);
        let services = services.filter(|it| *it != reflection::NAME).collect::<HashSet<_>>();
        let hosts =
            Hosts::new(&config, services.iter().copied().chain(config.pages.values().copied()));
        let prefix = Prefix::of(&config.public_url);
        let below = prefix.as_ref().map_or("", Prefix::as_str);
        let documents = Documents::new(openapi, hosts.services(), &config.public_url, below);
        Ok(Self {
            api,
            largest_body: largest_body(&config.limits, &methods),
            prefix: prefix.map(Arc::new),
            hosts: Arc::new(hosts),
            documents: Arc::new(documents),
            own_clients: Arc::new(services.into_iter().map(kit::client_id).collect()),
            methods: Arc::new(methods),
            mesh,
            introspector,
            origins: Origins::new(origins, cache.clone()),
            cache,
            capacity: Capacity::new(&config.limits),
            closing: CancellationToken::new(),
            readiness: Arc::default(),
            config: Arc::new(config),
        })
    }

    /// The same for a thread with a runtime of its own, with upstream connections of its own.
    fn own_core(&self) -> Self {
        Self { mesh: self.mesh.own_core(), ..self.clone() }
    }
}

/// The descriptors of the packages, and of the details of errors, which no contract imports and
/// every error carries.
fn descriptors(packages: &[&'static Package]) -> Vec<&'static [u8]> {
    let details = tonic_types::pb::FILE_DESCRIPTOR_SET;
    packages.iter().map(|it| it.descriptors).chain([details]).collect()
}

fn largest_body(limits: &Limits, methods: &Methods) -> usize {
    let stated = methods.values().map(|it| limits.body_of(it.plan.largest_body()));
    stated.fold(limits.body, usize::max)
}

fn is_taken(api: &Api, path: &str) -> bool {
    home::Own::at(path).is_some() || !matches!(api.route(&http::Method::GET, path), Route::NotFound)
}

/// The methods that the contracts bind to HTTP, and reflection. Those of services among themselves
/// are not served.
fn methods(api: &'static Api, packages: &[&'static Package]) -> Result<Methods, Error> {
    let listed: HashMap<_, _> =
        packages.iter().flat_map(|it| it.methods).map(|it| (it.path, it)).collect();
    if let Some(method) = api.methods().find(|it| !listed.contains_key(it.grpc_path())) {
        return Err(Error::Unlisted(method.grpc_path().to_owned()));
    }
    let reflection = api.methods().filter(|it| reflection::METHODS.contains(&it.grpc_path()));
    let served = api.bound_methods().chain(reflection).map(|plan| {
        let method = listed[plan.grpc_path()];
        let uri = Box::leak(Box::new(Uri::from_static(method.path)));
        (method.path, Served { method, plan, uri })
    });
    Ok(served.collect())
}

#[cfg(test)]
mod tests;
