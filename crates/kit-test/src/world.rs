//! Services in this process on a database of their own, with a fake identity beside them.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use cache::Cache;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use kit::{Clock, Db, Peers, Platform, Roles, Service};
use mesh::{App, Mesh, Peer};
use tonic::{Status, body::Body};
use tower::BoxError;

use crate::{Database, FakeIdentity, Grant, database};

/// One test's platform.
pub struct World {
    pub database: Database,
    pub mesh: Mesh,
    pub identity: FakeIdentity,
    pub clock: Clock,
    pub cache: Cache,
    platforms: Vec<Platform>,
}

impl World {
    /// Starts `services`, seeded. Identity is a fake unless it is among them. Peers that a test
    /// needs beyond them are added to `mesh`.
    pub async fn start(services: &'static [&'static Service]) -> Self {
        let database = Database::create(services).await;
        let clock = Clock::fixed("2026-05-04T03:02:01Z".parse().expect("a literal"));
        let (mesh, cache) = (Mesh::default(), Cache::embedded());
        let identity = FakeIdentity::new(clock.clone());
        mesh.add_local("identity", identity.app());
        let platforms: Vec<_> = services
            .iter()
            .map(|service| Platform {
                service,
                db: Db::new(
                    Roles::new(database.options().clone(), database::key(), service.schema),
                    8,
                    clock.clone(),
                    kit::Wake::default(),
                ),
                cache: cache.clone(),
                peers: Peers::new(mesh.clone(), service.name, database::key(), clock.clone()),
                key: database::key(),
                clock: clock.clone(),
                public_url: "http://loop.test".into(),
                demo_data: true,
                services,
            })
            .collect();
        for platform in &platforms {
            mesh.add_local(platform.service.name, kit::app(platform));
        }
        for platform in &platforms {
            if let Some(seed) = platform.service.seed {
                seed(platform.clone()).await.expect("the seed runs");
            }
        }
        Self { database, mesh, identity, clock, cache, platforms }
    }

    /// What a service of this world stands on: to open its database, to deliver events to it.
    pub fn platform(&self, name: &str) -> &Platform {
        self.platforms.iter().find(|it| it.service.name == name).expect("a service of this world")
    }

    /// A transport for a generated client of `service`, with a token for `grant`.
    pub fn client(&self, service: &str, grant: Grant) -> TestClient {
        self.bearer(service, &self.identity.issue(grant))
    }

    pub fn bearer(&self, service: &str, token: &str) -> TestClient {
        self.stranger(service).with("authorization", &format!("Bearer {token}"))
    }

    /// A transport without any token.
    pub fn stranger(&self, service: &str) -> TestClient {
        let peer = self.mesh.peer(service).expect("a service of this world");
        TestClient { peer, headers: HeaderMap::new() }
    }
}

/// Services hold the mesh and the mesh holds services: without this a world would keep its
/// connections until the process ends.
impl Drop for World {
    fn drop(&mut self) {
        for platform in &self.platforms {
            let gone = tower::service_fn(|_| async { Ok(Status::unavailable("gone").into_http()) });
            self.mesh.add_local(platform.service.name, App::new(gone));
        }
    }
}

/// A transport to one service with headers of the test's choice.
#[derive(Clone, Debug)]
pub struct TestClient {
    peer: Peer,
    headers: HeaderMap,
}

impl TestClient {
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("a header value");
        self.headers.insert(HeaderName::from_static(name), value);
        self
    }
}

impl tower::Service<Request<Body>> for TestClient {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.peer.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        request.headers_mut().extend(self.headers.clone());
        tower::Service::call(&mut self.peer, request)
    }
}
