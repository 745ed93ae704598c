//! The whole platform in this process, with both its doors open.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::atomic::{AtomicU32, Ordering},
};

use bytes::Bytes;
use edge::{Config, Edge};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use kit::{Introspector, Peers, Service};
use kit_test::{Database, Grant, World};
use registry::Caller;
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::OnceCell,
};
use tokio_util::sync::{CancellationToken, DropGuard};
use transcode::{Style, Unknown};

use crate::{
    Answer, Case, Contracts, Grantee, Ledger, Log, Surface, fixture, route::Worded, tokens::Tokens,
    wire,
};

/// The brand in which everything happens, and the one that must not see it.
pub const HOME: &str = "loop";
pub const ABROAD: &str = "loopbio";

/// The address that the edge believes to be reached by.
const PUBLIC_URL: &str = "https://loop.test";

pub struct House {
    pub services: &'static [&'static Service],
    pub contracts: Contracts,
    pub world: World,
    pub ledger: Ledger,
    pub tokens: Tokens,
    /// What was logged on this thread since the house was built.
    pub log: Log,
    /// The one service that rules walk, if not all.
    focus: Option<&'static str>,
    /// Values that examples name and that stand for something else in this house.
    pub known: OnceCell<BTreeMap<String, String>>,
    pub door: SocketAddr,
    next: AtomicU32,
    _open: DropGuard,
}

/// One request, before it is worded for a surface.
#[derive(Clone, Debug)]
pub struct Sent {
    pub message: Value,
    pub headers: HeaderMap,
}

impl Sent {
    pub fn new(message: Value) -> Self {
        Self { message, headers: HeaderMap::new() }
    }

    pub fn bearer(self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("a header value");
        self.headers.insert(HeaderName::from_static(name), value);
        self
    }
}

impl House {
    /// Migrates, seeds and opens `services` and an edge before them.
    pub async fn build(services: &'static [&'static Service]) -> Self {
        let log = Log::capture();
        let contracts = Contracts::of(services);
        let world = World::start(services).await;
        let (open, door) = open_edge(&world, services).await;
        let ledger = Ledger::of(world.database.admin().await, services);
        let tokens = Tokens { cache: world.cache.clone(), clock: world.clock.clone() };
        let (known, next) = (OnceCell::new(), AtomicU32::new(0));
        Self {
            services,
            contracts,
            world,
            ledger,
            tokens,
            log,
            focus: None,
            known,
            door,
            next,
            _open: open,
        }
    }

    /// Lets rules walk one service only.
    pub fn focus(mut self, service: &'static str) -> Self {
        self.focus = Some(service);
        self
    }

    /// What rules walk.
    pub fn cases(&self) -> impl Iterator<Item = &Case> {
        let seen = |it: &&Case| self.focus.is_none_or(|focus| it.service == focus);
        self.contracts.cases.iter().filter(seen)
    }

    pub fn database(&self) -> &Database {
        &self.world.database
    }

    /// A name that was not used before in this house.
    pub fn unique(&self, prefix: &str) -> String {
        format!("{prefix}{}", self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// What a caller of this kind stands for in a brand. Each is another client, so that no rate
    /// limit is met.
    pub fn grant(&self, kind: Caller, brand: &str, scopes: &[&str]) -> Grant {
        let client = self.unique("cli_");
        let (kind, subject) = match kind {
            Caller::User => ("user", identity::DEMO_USER.to_owned()),
            Caller::Staff => ("staff", "stf_01j00000000000000000000ned".to_owned()),
            Caller::Service | Caller::Public => ("service", client.clone()),
        };
        let mut grant = Grant::service(&client, scopes);
        if kind != "service" {
            (grant.brand, grant.brands) = (Some(brand.to_owned()), Vec::new());
        }
        Grant { kind, subject, ..grant }
    }

    /// A request of a caller whom the contract admits, in a brand.
    pub async fn admitted(&self, grantee: Grantee, brand: &str, message: Value) -> Sent {
        let grant = self.grant(grantee.kind, brand, &[grantee.scope]);
        self.as_grant(&grant, brand, message).await
    }

    pub async fn as_grant(&self, grant: &Grant, brand: &str, message: Value) -> Sent {
        let sent = Sent::new(message).bearer(&self.tokens.issue(grant).await);
        if grant.kind == "service" { sent.with("x-brand-id", brand) } else { sent }
    }

    /// The example of a case with what must exist for it, made so that it succeeds once.
    pub async fn message(&self, case: &Case) -> Option<Value> {
        fixture::message(self, case).await
    }

    /// A request that should succeed, of the first caller whom the contract admits.
    pub async fn valid(&self, case: &Case) -> Option<Sent> {
        let message = self.message(case).await?;
        Some(match case.grantees().first() {
            Some(grantee) => self.admitted(*grantee, HOME, message).await,
            None => Sent::new(message),
        })
    }

    /// Sends a request through a door. `None` if the door has no way for it.
    pub async fn send(&self, case: &Case, surface: Surface, sent: &Sent) -> Option<Answer> {
        match surface {
            Surface::Grpc => Some(self.send_grpc(case, sent).await),
            Surface::Http => {
                let worded = case.route.as_ref()?.word(&sent.message)?;
                Some(self.send_worded(worded, &sent.headers).await)
            }
        }
    }

    async fn send_grpc(&self, case: &Case, sent: &Sent) -> Answer {
        let plan = self.contracts.api.method(&case.method.path).expect("a method of a contract");
        let json = sent.message.to_string();
        let wire = plan.input().to_wire(json.as_bytes(), Style::Rest, Unknown::Reject);
        let wire = wire.unwrap_or_else(|cause| panic!("{case}: {json}: {cause}"));
        let peer = self.world.mesh.peer(case.service).expect("a service of this house");
        let mut answer = wire::unary(peer, &case.method.path, &sent.headers, &wire).await;
        if answer.is_success() {
            let json = plan.output().to_json(&answer.body, Style::Rest);
            let json = json.expect("an answer is a message of its contract");
            answer.text = String::from_utf8(json).expect("JSON is UTF-8");
        }
        answer
    }

    /// Sends an HTTP request to the edge over a connection of its own.
    pub async fn send_worded(&self, worded: Worded, headers: &HeaderMap) -> Answer {
        let mut request = Request::new(Full::new(Bytes::from(worded.body)));
        *request.method_mut() = worded.verb;
        *request.uri_mut() = worded.target.parse().expect("a path and a query");
        *request.headers_mut() = headers.clone();
        let fixed = request.headers_mut();
        fixed.insert("host", HeaderValue::from_static("loop.test"));
        if let Some(content_type) = worded.content_type {
            fixed.insert("content-type", HeaderValue::from_static(content_type));
        }
        let stream = TcpStream::connect(self.door).await.expect("the edge listens");
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.expect("the edge speaks HTTP/1.1");
        tokio::spawn(connection);
        let response = sender.send_request(request).await.expect("the edge answers");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("an answer is whole").to_bytes();
        Answer::of_http(head.status, head.headers, body)
    }
}

async fn open_edge(world: &World, services: &[&'static Service]) -> (DropGuard, SocketAddr) {
    let mut config = Config::new(PUBLIC_URL);
    for service in services {
        config.pages.extend(service.pages.iter().map(|it| (*it, service.name)));
    }
    let peers = Peers::new(world.mesh.clone(), "edge", key(world), world.clock.clone());
    let introspector =
        Introspector::new(world.cache.clone(), peers.resolver(), world.clock.clone());
    let packages: Vec<_> = services.iter().map(|it| it.package).collect();
    let openapi = Bytes::from_static(b"{}");
    let (mesh, cache) = (world.mesh.clone(), world.cache.clone());
    let origins = peers.origin_check();
    let edge = Edge::new(config, &packages, mesh, introspector, origins, cache, openapi);
    let edge = edge.expect("the contracts make a gateway");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let door = listener.local_addr().expect("it is bound");
    let shutdown = CancellationToken::new();
    tokio::spawn(edge.serve(listener, shutdown.clone()));
    (shutdown.drop_guard(), door)
}

fn key(world: &World) -> kit::PlatformKey {
    world.platform("identity").key.clone()
}
