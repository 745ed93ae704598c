//! Services that die under a call: who is asked again, and who is left alone.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::Request;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mesh::App;
use serde_json::json;
use tokio::{net::TcpListener, sync::Notify};
use tonic::body::Body;
use tower::ServiceExt as _;

use super::{
    door::{Answer, Door, Setting, report},
    probe::{self, Probe, envelopes, wire},
};
use crate::grpc::frame;

/// A service whose first calls never end: their connections do.
struct Mortal {
    address: http::Uri,
    calls: Arc<AtomicUsize>,
}

impl Mortal {
    async fn start(app: App, deaths: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let calls = Arc::<AtomicUsize>::default();
        let seen = calls.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (app, seen, death) = (app.clone(), seen.clone(), Arc::new(Notify::new()));
                let dies = death.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let (app, death) = (app.clone(), death.clone());
                    let is_last = seen.fetch_add(1, Ordering::SeqCst) < deaths;
                    async move {
                        if is_last {
                            death.notify_one();
                            std::future::pending::<()>().await;
                        }
                        Ok::<_, Infallible>(app.oneshot(request.map(Body::new)).await.unwrap())
                    }
                });
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                let connection = builder.serve_connection(TokioIo::new(stream), service);
                tokio::spawn(async move {
                    tokio::select! {
                        _ = connection => {}
                        () = dies.notified() => {}
                    }
                });
            }
        });
        Self { address, calls }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

/// A gateway before a clinical that dies so many times.
async fn clinical(deaths: usize) -> (Door, Mortal) {
    let setting = Setting::new();
    let mortal = Mortal::start(setting.clinical.app(), deaths).await;
    setting.mesh.add_remote("clinical", &mortal.address).unwrap();
    (setting.open().await, mortal)
}

/// A gateway before a probe that dies so many times.
async fn probe(deaths: usize) -> (Door, Mortal) {
    let setting = Setting::new();
    let mortal = Mortal::start(Probe::default().app(), deaths).await;
    (probe::open_at(setting, &mortal.address).await, mortal)
}

async fn parse(door: &Door, key: Option<&str>) -> Answer {
    let request = Request::post("/v1/biomarkers/parse")
        .header("authorization", format!("Bearer {}", door.writer()))
        .header("content-type", "application/json");
    let request = match key {
        Some(key) => request.header("idempotency-key", key),
        None => request,
    };
    door.send(request, &report("lab")).await
}

#[tokio::test]
async fn a_read_is_asked_for_again_and_tells_so() {
    let (door, mortal) = clinical(1).await;
    let answer = door.get("/v1/biomarkers/bio_1", &door.reader()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(mortal.calls(), 2);
    assert_eq!(door.clinical.last()["grpc-previous-rpc-attempts"], "1");
}

#[tokio::test]
async fn a_write_is_sent_again_only_under_a_key_that_its_service_keeps() {
    let (door, mortal) = clinical(1).await;
    let answer = parse(&door, None).await;
    assert_eq!((answer.status, answer.error().as_str()), (503, "unavailable"));
    assert_eq!(mortal.calls(), 1);

    let (door, mortal) = clinical(1).await;
    assert_eq!(parse(&door, Some("key-1")).await.status, 200);
    assert_eq!(mortal.calls(), 2);

    // This method keeps no keys.
    let (door, mortal) = probe(1).await;
    let request = Request::patch("/v1/probe/things/1")
        .header("authorization", format!("Bearer {}", door.prober()))
        .header("content-type", "application/json")
        .header("idempotency-key", "key-1");
    assert_eq!(door.send(request, r#"{"name":"n"}"#).await.status, 503);
    assert_eq!(mortal.calls(), 1);
}

#[tokio::test]
async fn a_service_that_always_dies_is_left_alone() {
    let (door, mortal) = clinical(usize::MAX).await;
    let token = door.reader();
    let mut asked = Vec::new();
    for _ in 0..9 {
        let answer = door.get("/v1/biomarkers/bio_1", &token).await;
        assert_eq!((answer.status, answer.error().as_str()), (503, "unavailable"));
        assert_eq!(answer.json()["details"][1]["reason"], "PEER_UNREACHABLE");
        assert!(matches!(answer.header("retry-after"), "1" | "2"), "{answer:?}");
        asked.push(mortal.calls());
    }
    // Three attempts at the first, then the budget ends the retries and the circuit the calls.
    assert_eq!(asked[0], 3);
    assert_eq!(asked.last(), Some(&7), "{asked:?}");
}

#[tokio::test]
async fn every_protocol_asks_again() {
    for (path, content_type) in [
        ("/loop.probe.v1.ProbeService/Echo", "application/grpc-web"),
        ("/loop.probe.v1.ProbeService/Echo", "application/proto"),
        ("/loop.probe.v1.ProbeService/Watch", "application/connect+json"),
        ("/v1/probe/echo", "application/json"),
    ] {
        let (door, mortal) = probe(1).await;
        let json = json!({"text": "hi"});
        let body = match content_type {
            "application/grpc-web" => frame(&wire("EchoRequest", &json)).to_vec(),
            "application/proto" => wire("EchoRequest", &json),
            "application/connect+json" => probe::envelope(&json),
            _ => json.to_string().into_bytes(),
        };
        let request = Request::post(path)
            .header("authorization", format!("Bearer {}", door.prober()))
            .header("content-type", content_type);
        let answer = door.send_bytes(request, body.into()).await;
        assert_eq!((answer.status, mortal.calls()), (200, 2), "{content_type}: {answer:?}");
        if content_type == "application/connect+json" {
            assert_eq!(envelopes(answer.body), [(2, "{}".into())]);
        }
    }
}

#[tokio::test]
async fn a_stream_that_has_not_begun_is_asked_for_again() {
    let (door, mortal) = probe(1).await;
    let answer = door.get("/v1/probe/watch/hi?count=1", &door.prober()).await;
    assert_eq!((answer.status, mortal.calls()), (200, 2));
    assert_eq!(answer.json()[0]["text"], "hi");
}
