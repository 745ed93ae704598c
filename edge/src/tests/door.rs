//! A gateway that listens, and clients that knock.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use cache::Cache;
use contract::Package;
use http::{HeaderMap, Method, Request, Response, request::Builder};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use kit::{Clock, Introspector, Peers, PlatformKey};
use kit_test::{FakeIdentity, Grant};
use mesh::{App, Mesh};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tower::{ServiceExt as _, util::BoxCloneSyncService};

use super::clinical::FakeClinical;
use crate::{Config, Edge, Limits, Parts, layers, tls::Tls};
use kit::layers::Next;

/// What stands behind a gateway under test.
pub struct Setting {
    pub config: Config,
    pub mesh: Mesh,
    pub cache: Cache,
    pub identity: FakeIdentity,
    pub clinical: FakeClinical,
    pub openapi: &'static [u8],
}

/// A gateway that listens on a port of its own.
pub struct Door {
    pub address: SocketAddr,
    pub identity: FakeIdentity,
    pub clinical: FakeClinical,
    pub parts: Arc<Parts>,
    pub shutdown: CancellationToken,
    pub serving: JoinHandle<()>,
}

/// A response, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Setting {
    pub fn new() -> Self {
        let clock = Clock::fixed("2026-05-04T03:02:01Z".parse().expect("a literal"));
        let identity = FakeIdentity::new(clock);
        let (mesh, clinical) = (Mesh::default(), FakeClinical::new());
        mesh.add_local("identity", with_receipts(identity.app()));
        mesh.add_local("clinical", clinical.app());
        let config = Config::new("https://loop.test");
        let openapi = br#"{"openapi":"3.1.0"}"#;
        Self { config, mesh, cache: Cache::embedded(), identity, clinical, openapi }
    }

    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.config.limits = Limits { timeout, ..self.config.limits };
        self
    }

    /// Clinical behind a connection and on a thread of its own, as in another process.
    pub fn over_tcp(self) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let app = self.clinical.app();
        std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            runtime.enable_all().build().unwrap().block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                mesh::serve(listener, app, CancellationToken::new()).await;
            });
        });
        self.mesh.add_remote("clinical", &address).unwrap();
        self
    }

    pub fn parts(&self) -> Arc<Parts> {
        Arc::new(self.try_parts().unwrap())
    }

    pub fn try_parts(&self) -> Result<Parts, crate::Error> {
        self.try_parts_of(&[&clinical_contract::v1::PACKAGE, &identity_contract::v1::PACKAGE])
    }

    pub fn try_parts_of(&self, packages: &[&'static Package]) -> Result<Parts, crate::Error> {
        let clock = Clock::fixed("2026-05-04T03:02:01Z".parse().expect("a literal"));
        let key = PlatformKey::new([0x5e; 32]);
        let peers = Peers::new(self.mesh.clone(), "edge", key, clock.clone());
        let introspector = Introspector::new(self.cache.clone(), peers.resolver(), clock);
        Parts::new(
            self.config.clone(),
            packages,
            self.mesh.clone(),
            introspector,
            peers.origin_check(),
            self.cache.clone(),
            Bytes::from_static(self.openapi),
        )
    }

    pub async fn open(self) -> Door {
        let parts = self.parts();
        self.open_as(parts).await
    }

    /// A gateway of these parts, with the real layers.
    pub async fn open_as(self, parts: Arc<Parts>) -> Door {
        self.serve(layers::stack(&parts), parts).await
    }

    /// A gateway whose admission is another than the real one.
    pub async fn open_with(self, admitted: impl FnOnce(&Arc<Parts>) -> Next) -> Door {
        let parts = self.parts();
        let app = layers::outer(&parts, admitted(&parts), layers::pages(&parts));
        self.serve(app, parts).await
    }

    async fn serve(self, app: Next, parts: Arc<Parts>) -> Door {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let tls = self.config.tls.clone().map(|it| Tls::open(it).unwrap());
        let edge = Edge { app, parts: parts.clone(), tls };
        let serving = tokio::spawn(edge.serve(listener, shutdown.clone()));
        let Self { identity, clinical, .. } = self;
        Door { address, identity, clinical, parts, shutdown, serving }
    }
}

/// The fake identity writes no audit log; this one claims to.
fn with_receipts(app: App) -> App {
    BoxCloneSyncService::new(app.map_response(|mut it: Response<Body>| {
        let receipt = http::HeaderValue::from_static("0197a5d0-0000-7000-8000-000000000002");
        it.headers_mut().insert(kit::RECEIPT, receipt);
        it
    }))
}

impl Door {
    pub async fn open() -> Self {
        Setting::new().open().await
    }

    /// A person's token with these scopes, in the brand `loop`.
    pub fn token(&self, scopes: &[&str]) -> String {
        self.identity.issue(Grant::user("usr_1", "loop", scopes))
    }

    pub fn reader(&self) -> String {
        self.token(&["read:biomarkers"])
    }

    pub fn writer(&self) -> String {
        self.token(&["write:biomarkers"])
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.send(bearer(Request::get(path), token), "").await
    }

    pub async fn post(&self, path: &str, token: &str, json: &str) -> Answer {
        let request = bearer(Request::post(path), token).header("content-type", "application/json");
        self.send(request, json).await
    }

    pub async fn form(&self, path: &str, form: &str) -> Answer {
        let content_type = "application/x-www-form-urlencoded";
        self.send(Request::post(path).header("content-type", content_type), form).await
    }

    pub async fn ask(&self, method: Method, path: &str) -> Answer {
        self.send(Request::builder().method(method).uri(path), "").await
    }

    pub async fn send(&self, request: Builder, body: &str) -> Answer {
        self.send_bytes(request, Bytes::copy_from_slice(body.as_bytes())).await
    }

    pub async fn send_bytes(&self, request: Builder, body: Bytes) -> Answer {
        let named = request.headers_ref().is_some_and(|it| it.contains_key("host"));
        let request = if named { request } else { request.header("host", "loop.test") };
        let request = request.body(Full::new(body)).unwrap();
        Answer::read(self.connect().await.send_request(request).await.unwrap()).await
    }

    /// A connection of its own.
    pub async fn connect(&self) -> hyper::client::conn::http1::SendRequest<Full<Bytes>> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
        let (sender, connection) = handshake.await.unwrap();
        tokio::spawn(connection);
        sender
    }

    /// Sends these very bytes and reads until the gateway closes.
    pub async fn raw(&self, bytes: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

impl Answer {
    pub async fn read(response: Response<hyper::body::Incoming>) -> Self {
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Self { status: head.status.as_u16(), headers: head.headers, body }
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_default().to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |it| it.to_str().unwrap())
    }
}

fn bearer(request: Builder, token: &str) -> Builder {
    match token {
        "" => request,
        token => request.header("authorization", format!("Bearer {token}")),
    }
}

/// A body that parses.
pub fn report(source: &str) -> String {
    format!(
        r#"{{"patient_id":"pat_1","brand_id":"loop","source":"{source}","biomarkers":[
            {{"code":"albumin","name":"Albumin","value":4.1,"unit":"g/dL",
              "collected_at":"2026-01-31T09:30:00Z"}}]}}"#
    )
}

/// Polls until it is true.
pub async fn until(what: &str, condition: impl Fn() -> bool) {
    kit_test::eventually(what, || async { condition().then_some(()) }).await;
}

/// What a spawned request came to.
pub fn spawn_get(door: &Arc<Door>, path: &'static str, token: &str) -> JoinHandle<Answer> {
    let (door, token) = (door.clone(), token.to_owned());
    tokio::spawn(async move { door.get(path, &token).await })
}
