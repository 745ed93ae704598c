//! A service at its own host, everything at every other.

use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::net::TcpStream;

use super::{
    door::{Answer, Door, Setting},
    pages,
    probe::{self, wire},
};
use crate::grpc::frame;

async fn ask(door: &Door, host: &str, method: Method, path: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).header("host", host);
    let token = format!("Bearer {}", door.reader());
    door.send(request.header("authorization", token), "").await
}

#[tokio::test]
async fn a_services_host_leads_to_its_methods_and_no_others() {
    let door = Door::open().await;
    for host in ["clinical.loop.test", "Clinical.Loop.Test:8443", "clinical.localhost"] {
        assert_eq!(ask(&door, host, Method::GET, "/v1/biomarkers/bio_1").await.status, 200);
        for (method, path) in [
            (Method::GET, "/v1/users/me"),
            (Method::PUT, "/v1/users/me"),
            (Method::OPTIONS, "/v1/users/me"),
            (Method::POST, "/loop.identity.v1.IdentityService/GetMe"),
            (Method::GET, "/loop.identity.v1.IdentityService/GetMe"),
        ] {
            let answer = ask(&door, host, method, path).await;
            assert_eq!((answer.status, &*answer.error()), (404, "not_found"), "{host}{path}");
            let reason = &answer.json()["details"][0]["reason"];
            assert_eq!(reason, "OTHER_HOST", "{answer:?}");
            assert_eq!(answer.json()["details"][0]["metadata"]["service"], "identity");
        }
        assert_eq!(ask(&door, host, Method::GET, "/v1/nothing").await.status, 404);
        assert_eq!(ask(&door, host, Method::GET, "/healthz").await.status, 200);
    }
    for host in ["loop.test", "localhost:8080", "127.0.0.1", "patient_graph.loop.test", "a.test"] {
        assert_eq!(ask(&door, host, Method::GET, "/v1/biomarkers/bio_1").await.status, 200);
        assert_eq!(ask(&door, host, Method::PUT, "/v1/users/me").await.status, 405, "{host}");
    }
}

#[tokio::test]
async fn every_protocol_stays_at_its_host() {
    let (door, _) = probe::open().await;
    let path = "/loop.probe.v1.ProbeService/Echo";
    let send = async |host: &str, content_type: &str, body: Vec<u8>| {
        let request = Request::post(path)
            .header("host", host)
            .header("authorization", format!("Bearer {}", door.prober()))
            .header("content-type", content_type);
        door.send_bytes(request, body.into()).await
    };
    let message = json!({"text": "hi"});
    for (content_type, body) in [
        ("application/json", message.to_string().into_bytes()),
        ("application/grpc-web+proto", frame(&wire("EchoRequest", &message)).to_vec()),
    ] {
        let own = send("probe.loop.test", content_type, body.clone()).await;
        assert_eq!(own.status, 200);
        let other = send("identity.loop.test", content_type, body).await;
        let text = String::from_utf8_lossy(&other.body).replace("%20", " ");
        assert!(text.contains("this is the host of identity"), "{text}");
    }
}

#[tokio::test]
async fn the_target_of_http_2_names_the_host() {
    let (door, _) = probe::open().await;
    let io = TokioIo::new(TcpStream::connect(door.address).await.unwrap());
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    for (host, code) in [("probe.loop.test", "0"), ("identity.loop.test", "5")] {
        let request = Request::post(format!("http://{host}/loop.probe.v1.ProbeService/Echo"))
            .header("authorization", format!("Bearer {}", door.prober()))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Full::new(frame(&wire("EchoRequest", &json!({"text": "hi"})))));
        let answer = sender.send_request(request.unwrap()).await.unwrap();
        let told = answer.headers().get("grpc-status").cloned();
        let body = answer.into_body().collect().await.unwrap();
        let told = told.or_else(|| body.trailers()?.get("grpc-status").cloned());
        assert_eq!(told.unwrap(), code, "{host}");
    }
}

#[tokio::test]
async fn a_services_host_describes_that_service() {
    let mut setting = Setting::new();
    setting.openapi = include_bytes!("../../openapi.json");
    let door = setting.open().await;
    let all = ask(&door, "loop.test", Method::GET, "/openapi.json").await;
    let its = ask(&door, "clinical.loop.test", Method::GET, "/openapi.json").await;
    assert!(all.json()["paths"].get("/v1/users/me").is_some());
    let paths = its.json()["paths"].as_object().unwrap().clone();
    assert!(!paths.is_empty() && paths.keys().all(|it| it.starts_with("/v1/biomarkers")));
    assert_ne!(all.header("etag"), its.header("etag"));
    let page = ask(&door, "clinical.loop.test", Method::GET, "/reference").await;
    let policy = page.header("content-security-policy");
    assert!(policy.contains("connect-src 'self' https://loop.test;"), "{policy}");
    let page = ask(&door, "loop.test", Method::GET, "/reference").await;
    assert!(page.header("content-security-policy").contains("connect-src 'self';"));
}

#[tokio::test]
async fn pages_are_at_their_services_host() {
    let (door, _) = pages::door_of(Setting::new()).await;
    let status = async |host: &str| ask(&door, host, Method::GET, "/sign-in").await.status;
    assert_eq!(status("pages.loop.test").await, 200);
    assert_eq!(status("loop.test").await, 200);
    assert_eq!(status("clinical.loop.test").await, 404);
}

#[tokio::test]
async fn an_unknown_host_is_refused_where_hosts_are_named() {
    let mut setting = Setting::new();
    setting.config.hosts = vec!["10.0.0.7".into()];
    let door = setting.open().await;
    for host in ["loop.test", "10.0.0.7:8080", "clinical.loop.test"] {
        let answer = ask(&door, host, Method::GET, "/v1/biomarkers/bio_1").await;
        assert_eq!(answer.status, 200, "{host}");
    }
    for host in ["evil.test", "nobody.loop.test", "10.0.0.8"] {
        for path in ["/v1/biomarkers/bio_1", "/", "/openapi.json", "/v1/nothing"] {
            let answer = ask(&door, host, Method::GET, path).await;
            let error = answer.error();
            assert_eq!((answer.status, &*error), (421, "misdirected_request"), "{host}{path}");
        }
        assert_eq!(ask(&door, host, Method::GET, "/healthz").await.status, 200);
    }
    assert!(door.raw("GET / HTTP/1.0\r\n\r\n").await.contains(" 421 "));
}

#[tokio::test]
async fn a_trusted_proxy_says_which_host_was_asked() {
    let mut setting = Setting::new();
    setting.config.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    let door = setting.open().await;
    let request = || Request::get("/v1/users/me").header("host", "10.0.0.7:8080");
    let answer = door.send(request().header("x-forwarded-host", "clinical.loop.test"), "").await;
    assert_eq!(answer.status, 404);
    assert_eq!(door.send(request(), "").await.status, 401);
}
