//! What any shape of the platform is made of: backends, services, an edge, background work.

use std::{
    collections::BTreeMap, convert::Infallible, net::SocketAddr, num::NonZeroUsize, sync::Arc,
};

use anyhow::Context as _;
use bus::{DurableBus, Fast, PostgresQueue, Routes};
use bytes::Bytes;
use cache::Cache;
use edge::{Edge, Listeners};
use http::Request;
use kit::{Clock, Db, Peers, Platform, PlatformKey, Roles, Service, Wake};
use mesh::{App, Mesh};
use sqlx::postgres::PgConnectOptions;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Status, body::Body};
use tower::{ServiceExt as _, util::BoxCloneSyncService};

use crate::{
    OPENAPI, SERVICES, background,
    config::{Config, Door},
    packages,
};

/// The backends of one process, opened.
#[derive(Clone)]
pub struct Backends {
    pub database: PgConnectOptions,
    pub key: PlatformKey,
    pub cache: Cache,
    pub fast: Fast,
    pub durable: Arc<dyn DurableBus>,
    pub clock: Clock,
    pub public_url: Arc<str>,
    pub connections: u32,
    pub demo_data: bool,
}

impl Backends {
    /// Opens what `config` names; what it does not name is embedded, and said aloud.
    pub async fn open(
        config: &Config,
        database: PgConnectOptions,
        key: PlatformKey,
        public_url: &str,
    ) -> anyhow::Result<Self> {
        let cache = match &config.redis_url {
            Some(url) => Cache::connect(url.as_str()).context("LOOP_REDIS_URL")?,
            None => Cache::embedded(),
        };
        let fast = match &config.nats_url {
            Some(url) => Fast::nats(url.as_str(), &config.stage).await.context("LOOP_NATS_URL")?,
            None => Fast::embedded(),
        };
        if config.redis_url.is_none() || config.nats_url.is_none() {
            tracing::info!(
                cache = if config.redis_url.is_some() { "redis" } else { "embedded" },
                fast_bus = if config.nats_url.is_some() { "nats" } else { "embedded" },
                durable_bus = "postgres",
                "backends"
            );
        }
        let roles = Roles::new(database.clone(), key.clone(), events::SERVICE.schema);
        let durable = Arc::new(PostgresQueue::new(roles.pool("bus", 6), routes()));
        Ok(Self {
            database,
            key,
            cache: cache.with_namespace(&config.stage),
            fast,
            durable,
            clock: Clock::default(),
            public_url: public_url.trim_end_matches('/').into(),
            connections: config.database_connections,
            demo_data: config.demo_data,
        })
    }

    fn platform(&self, service: &'static Service, mesh: &Mesh) -> Platform {
        let roles = Roles::new(self.database.clone(), self.key.clone(), service.schema);
        let fast = self.fast.clone();
        let wake = Wake::new(move || fast.wake(service.name));
        Platform {
            service,
            db: Db::new(roles, self.connections, self.clock.clone(), wake),
            cache: self.cache.clone(),
            peers: Peers::new(mesh.clone(), service.name, self.key.clone(), self.clock.clone()),
            key: self.key.clone(),
            clock: self.clock.clone(),
            public_url: self.public_url.clone(),
            demo_data: self.demo_data,
            services: SERVICES,
        }
    }
}

/// Which consumers hear of which aggregate, as the services' subscriptions say.
fn routes() -> Routes {
    let subscriptions = SERVICES.iter().flat_map(|service| {
        service.subscriptions.iter().map(|it| (it.event.aggregate, service.name))
    });
    subscriptions.collect()
}

/// One running process: what it shares, and how it ends.
#[derive(Clone)]
pub struct Process {
    backends: Backends,
    door: Door,
    mesh: Mesh,
    tasks: TaskTracker,
    /// First the doors close, then, when nothing is in flight, the background work ends.
    doors: CancellationToken,
    work: CancellationToken,
}

impl Process {
    pub fn new(backends: Backends, config: &Config) -> anyhow::Result<Self> {
        crate::check()?;
        anyhow::ensure!(
            config.peers.is_empty() || config.redis_url.is_some(),
            "LOOP_REDIS_URL is not set, and LOOP_PEERS names other processes: a revoked token must be \
             fenced where every process looks"
        );
        let mesh = Mesh::default();
        let mut replicas = BTreeMap::<_, Vec<_>>::new();
        for peer in &config.peers {
            replicas.entry(peer.service).or_default().push(peer.address.clone());
        }
        for (service, addresses) in replicas {
            mesh.add_replicas(service, &addresses)?;
        }
        let (doors, work) = (CancellationToken::new(), CancellationToken::new());
        let (door, tasks) = (config.door.clone(), TaskTracker::new());
        Ok(Self { backends, door, mesh, tasks, doors, work })
    }

    /// Puts services into the mesh of this process, seeded, and runs their relays, reactions and
    /// seals.
    pub async fn run_services(&self, services: &[&'static Service]) -> anyhow::Result<()> {
        let platforms: Vec<_> =
            services.iter().map(|it| self.backends.platform(it, &self.mesh)).collect();
        for platform in &platforms {
            if let Some(seed) = platform.service.seed {
                seed(platform.clone())
                    .await
                    .with_context(|| format!("seed {}", platform.service.name))?;
            }
            self.mesh.add_local(platform.service.name, kit::app(platform));
        }
        for platform in platforms {
            background::run(&self.backends, platform, &self.tasks, &self.work);
        }
        Ok(())
    }

    /// Runs the relays of services whose processes are elsewhere.
    pub fn run_relays(&self, services: &[&'static Service]) {
        for service in services {
            let platform = self.backends.platform(service, &self.mesh);
            background::relay(&self.backends, &platform, &self.tasks, &self.work);
        }
    }

    /// Opens the second public door, if one is configured: an edge like the first, whose JSON is
    /// spelled as proto3 has it.
    pub async fn serve_canonical_edge(&self) -> anyhow::Result<()> {
        let Some(address) = self.door.canonical_listen else { return Ok(()) };
        let listener = bind(address).await.context("LOOP_CANONICAL_LISTEN")?;
        Self { door: self.door.canonical(), ..self.clone() }.serve_edge(listener)
    }

    /// Serves the services of this process to others.
    pub fn serve(
        &self,
        listener: TcpListener,
        services: &[&'static Service],
    ) -> anyhow::Result<()> {
        let app = dispatch(&self.mesh, services)?;
        self.tasks.spawn(mesh::serve(listener, app, self.doors.clone()));
        Ok(())
    }

    /// Opens the public door on the runtime of this process.
    pub fn serve_edge(&self, listener: TcpListener) -> anyhow::Result<()> {
        self.tasks.spawn(self.edge()?.serve(listener, self.doors.clone()));
        Ok(())
    }

    /// Opens the public door on several cores, for a process that does nothing else.
    pub fn serve_edge_on_cores(&self, listeners: Listeners) -> anyhow::Result<()> {
        let serving = self.edge()?.serve_on_cores(listeners, self.doors.clone());
        let doors = self.doors.clone();
        self.tasks.spawn(async move {
            if let Err(cause) = serving.await {
                tracing::error!(%cause, "the edge has ended");
                doors.cancel();
            }
        });
        Ok(())
    }

    fn edge(&self) -> anyhow::Result<Edge> {
        let mut config = self.door.edge(&self.backends.public_url)?;
        for service in SERVICES {
            config.pages.extend(service.pages.iter().map(|it| (*it, service.name)));
        }
        let peers = Peers::new(
            self.mesh.clone(),
            "edge",
            self.backends.key.clone(),
            self.backends.clock.clone(),
        );
        let introspector = kit::Introspector::new(
            self.backends.cache.clone(),
            peers.resolver(),
            self.backends.clock.clone(),
        );
        Ok(Edge::new(
            config,
            &packages(),
            self.mesh.clone(),
            introspector,
            peers.origin_check(),
            self.backends.cache.clone(),
            Bytes::from_static(OPENAPI),
        )?)
    }

    /// Waits for Ctrl-C or SIGTERM, lets what is in flight end, then stops the background work.
    /// Fails when a door closed without being told to.
    pub async fn run_until_stopped(self) -> anyhow::Result<()> {
        tokio::select! {
            told = stopped() => told?,
            () = self.doors.cancelled() => anyhow::bail!("stopped serving; the log says why"),
        }
        eprintln!("Stopping: letting calls in flight end. Press Ctrl-C again to stop at once.");
        self.doors.cancel();
        self.work.cancel();
        self.tasks.close();
        tokio::select! {
            () = self.tasks.wait() => {}
            again = stopped() => again?,
            () = tokio::time::sleep(std::time::Duration::from_secs(30)) => {
                tracing::warn!("some work did not end in time");
            }
        }
        Ok(())
    }
}

async fn stopped() -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Several services behind one address: each request names the one it is for.
fn dispatch(mesh: &Mesh, services: &[&'static Service]) -> anyhow::Result<App> {
    let mut apps = Vec::new();
    for service in services {
        apps.push((service.name, mesh.peer(service.name)?));
    }
    Ok(BoxCloneSyncService::new(tower::service_fn(move |request: Request<Body>| {
        let named = request.headers().get(mesh::SERVICE).and_then(|it| it.to_str().ok());
        let peer = apps.iter().find(|(name, _)| Some(*name) == named).map(|(_, peer)| peer.clone());
        async move {
            Ok::<_, Infallible>(match peer {
                Some(peer) => match peer.oneshot(request).await {
                    Ok(response) => response,
                    Err(_) => Status::internal("the service did not answer").into_http(),
                },
                None => Status::unimplemented("no such service at this address").into_http(),
            })
        }
    })))
}

/// Binds before anything else starts, so that a taken port is the first thing said.
pub async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| taken(address))
}

/// The same for [`Process::serve_edge_on_cores`].
pub fn bind_on_cores(address: SocketAddr, cores: NonZeroUsize) -> anyhow::Result<Listeners> {
    Listeners::bind(address, cores).with_context(|| taken(address))
}

fn taken(address: SocketAddr) -> String {
    format!("cannot listen on {address}; choose another with --listen or stop what listens there")
}
