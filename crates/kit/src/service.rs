//! What a service is to the process that runs it: data, not a trait.

use std::{convert::Infallible, sync::Arc};

use cache::Cache;
use contract::{EventType, Package};

use http::{Request, Response};
use mesh::App;
use sqlx::migrate::Migrator;
use tonic::{body::Body, service::Routes};
use tower::{Service as _, util::BoxCloneSyncService};

use crate::{
    BoxFuture, Clock, Db, Introspector, Peers, PlatformKey, Reaction, Resolver, Result, layers,
    records,
};

/// One domain service.
pub struct Service {
    /// `patient-graph`.
    pub name: &'static str,
    /// `patient_graph`.
    pub schema: &'static str,
    pub package: &'static Package,
    pub migrations: &'static Migrator,
    /// Roles of the schema beyond owner, app, drain and audit; its migrations grant to them.
    pub roles: &'static [&'static str],
    pub routes: fn(&Platform) -> Routes,
    /// Paths of HTML pages that `routes` serves beside its methods.
    pub pages: &'static [&'static str],
    pub subscriptions: &'static [Subscription],
    /// What must be there before the first call. Run at every start; must be idempotent.
    pub seed: Option<Seed>,
    /// How tokens are resolved inside identity; all others ask it.
    pub resolver: Option<fn(&Platform) -> Resolver>,
}

/// Fills in what a service needs from the start.
pub type Seed = fn(Platform) -> BoxFuture<'static, Result<()>>;

/// A reaction to another service's event.
pub struct Subscription {
    pub event: &'static EventType,
    pub react: fn(Platform, Reaction) -> BoxFuture<'static, Result<()>>,
}

/// What a service stands on. Cheap to clone.
#[derive(Clone)]
pub struct Platform {
    pub service: &'static Service,
    pub db: Db,
    pub cache: Cache,
    pub peers: Peers,
    pub key: PlatformKey,
    pub clock: Clock,
    /// The base URL that people and apps reach the platform by, without a slash at its end.
    pub public_url: Arc<str>,
    /// Whether people and records to tell stories of are seeded.
    pub demo_data: bool,
    /// Every service of the platform, for those that speak of others.
    pub services: &'static [&'static Service],
}

impl Platform {
    pub fn introspector(&self) -> Introspector {
        let resolver = match self.service.resolver {
            Some(own) => own(self),
            None => self.peers.resolver(),
        };
        Introspector::new(self.cache.clone(), resolver, self.clock.clone())
    }
}

/// A service with all its layers, as the mesh calls it.
pub fn app(platform: &Platform) -> App {
    let service = platform.service;
    let methods = service.package.methods.iter().chain(records::METHODS);
    let methods = methods.map(|it| (it.path, it)).collect();
    let routes = (service.routes)(platform).add_service(records::server(platform.clone()));
    layers::stack(
        router(routes),
        Arc::new(methods),
        service.pages,
        platform.introspector(),
        platform.db.clone(),
    )
}

fn router(routes: Routes) -> App {
    let router = routes.prepare().into_axum_router();
    BoxCloneSyncService::new(tower::service_fn(move |request: Request<Body>| {
        let mut router = router.clone();
        async move {
            let response: Response<axum::body::Body> = router.call(request).await?;
            Ok::<_, Infallible>(response.map(Body::new))
        }
    }))
}
