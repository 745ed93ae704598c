//! Pages of other origins: which may call, what they may see, and what is refused to them.

use std::collections::BTreeSet;

use http::{Method, Request, request::Builder};
use kit_test::Grant;
use serde_json::json;

use super::{
    door::{Answer, Door, until},
    probe,
};

/// Registered by the client of every token here.
const APP: &str = "https://app.example";

/// Registered by nobody.
const EVIL: &str = "https://evil.example";

const ORIGIN: &str = "access-control-allow-origin";
const EXPOSED: &str = "access-control-expose-headers";

const JSON: (&str, &str) = ("content-type", "application/json");

/// A gateway before the probe, and the token of a person whose app has registered [`APP`].
async fn open() -> (Door, String) {
    let (door, _) = probe::open().await;
    let grant = Grant::user("usr_1", "loop", &["read:probe", "write:probe"]);
    let token = door.identity.issue(grant.from_origins(&[APP, "http://localhost:5173"]));
    (door, format!("Bearer {token}"))
}

fn preflight(path: &str, origin: &str, method: &str) -> Builder {
    let request = Request::builder().method(Method::OPTIONS).uri(path).header("origin", origin);
    request
        .header("access-control-request-method", method)
        .header("access-control-request-headers", "authorization,content-type")
}

fn from(origin: &str, method: Method, path: &str, token: &str) -> Builder {
    let request = Request::builder().method(method).uri(path).header("origin", origin);
    if token.is_empty() { request } else { request.header("authorization", token) }
}

fn words<'a>(answer: &'a Answer, header: &str) -> BTreeSet<&'a str> {
    let values = answer.headers.get_all(header).iter().map(|it| it.to_str().unwrap());
    values.flat_map(|it| it.split(',')).map(str::trim).collect()
}

#[tokio::test]
async fn a_preflight_is_granted_to_the_origins_of_clients_and_to_no_other() {
    let (door, _token) = open().await;
    for (path, method) in [
        ("/v1/probe/things/1", "PATCH"),
        ("/v1/probe/echo", "POST"),
        ("/v1/probe/watch/hi", "GET"),
        ("/loop.probe.v1.ProbeService/Echo", "POST"),
        // A page learns which methods there are, and its browser that this one is not.
        ("/v1/probe/echo", "DELETE"),
    ] {
        for origin in [APP, "http://localhost:5173", "https://loop.test"] {
            let answer = door.send(preflight(path, origin, method), "").await;
            assert_eq!(answer.status, 204);
            assert_eq!(answer.header(ORIGIN), origin, "{method} {path}");
            assert!(words(&answer, "access-control-allow-headers").contains("authorization"));
            assert_eq!(answer.header("access-control-max-age"), "600");
            assert!(!answer.headers.contains_key("access-control-allow-credentials"));
            let methods = words(&answer, "access-control-allow-methods");
            assert_eq!(methods.contains(method), method != "DELETE", "{methods:?}");
            let vary = words(&answer, "vary");
            assert!(vary.is_superset(&BTreeSet::from([
                "origin",
                "access-control-request-method",
                "access-control-request-headers",
            ])));
        }
        for origin in [
            EVIL,
            "null",
            "http://loop.test",
            "https://app.example.evil.example",
            "https://APP.example",
        ] {
            let answer = door.send(preflight(path, origin, method), "").await;
            assert_eq!((answer.status, answer.header(ORIGIN)), (204, ""), "{origin}");
            assert!(!answer.headers.contains_key("access-control-allow-methods"));
            assert!(words(&answer, "vary").contains("origin"));
        }
    }
}

#[tokio::test]
async fn no_private_network_is_opened_and_options_alone_is_no_preflight() {
    let (door, _token) = open().await;
    let request = preflight("/v1/probe/echo", APP, "POST");
    let request = request.header("access-control-request-private-network", "true");
    let answer = door.send(request, "").await;
    assert!(!answer.headers.contains_key("access-control-allow-private-network"));
    let answer = door.ask(Method::OPTIONS, "/v1/probe/echo").await;
    assert_eq!((answer.status, answer.header("allow")), (204, "OPTIONS, POST"));
    assert!(answer.headers.keys().all(|it| !it.as_str().starts_with("access-control")));
}

#[tokio::test]
async fn identity_is_asked_once_for_an_origin_and_not_for_what_is_none() {
    let (door, _token) = open().await;
    for _ in 0..5 {
        for origin in [APP, EVIL, "null", "https://loop.test", "chrome-extension://abc", ""] {
            door.send(preflight("/v1/probe/echo", origin, "POST"), "").await;
        }
    }
    assert_eq!(door.identity.checks(), 2);
}

#[tokio::test]
async fn a_page_sees_an_answer_if_the_tokens_client_has_its_origin() {
    let (door, token) = open().await;
    let answer = door.send(from(APP, Method::GET, "/v1/probe/things/1", &token), "").await;
    assert_eq!((answer.status, answer.header(ORIGIN)), (200, APP));
    assert!(words(&answer, "vary").contains("origin"));
    let exposed = words(&answer, EXPOSED);
    for name in ["ratelimit-limit", "retry-after", "x-request-id", "etag", "idempotent-replayed"] {
        assert!(exposed.contains(name), "{name}");
    }
    // What is sent and is no header that every page sees.
    let seen = ["cache-control", "content-type", "content-length"];
    let guards = ["vary", "date", "x-content-type-options", "strict-transport-security"];
    for name in answer.headers.keys().map(http::HeaderName::as_str) {
        let is_told = exposed.contains(name) || name.starts_with("access-control");
        assert!(is_told || seen.contains(&name) || guards.contains(&name), "{name}");
    }
    let answer = door.send(from(EVIL, Method::GET, "/v1/probe/things/1", &token), "").await;
    assert_eq!((answer.status, answer.header(ORIGIN)), (200, ""));
    assert!(words(&answer, "vary").contains("origin"));
    let answer = door.get("/v1/probe/things/1", &door.prober()).await;
    assert_eq!((answer.status, answer.header(ORIGIN), answer.header("vary")), (200, "", ""));
}

#[tokio::test]
async fn a_page_sends_and_sees_the_headers_that_the_contract_names() {
    let (door, token) = open().await;
    let allowed = "access-control-allow-headers";
    for (path, method, names_them) in [
        ("/v1/probe/tell/hi", "GET", true),
        ("/loop.probe.v1.ProbeService/Tell", "POST", true),
        ("/v1/probe/echo/hi", "GET", false),
    ] {
        let answer = door.send(preflight(path, APP, method), "").await;
        let allowed = words(&answer, allowed);
        assert!(allowed.contains("authorization"), "{path}");
        for name in ["x-order", "x-key-bin"] {
            assert_eq!(allowed.contains(name), names_them, "{name}: {path}");
        }
    }
    for (path, status, names_them) in [
        ("/v1/probe/tell/hi", 200, true),
        ("/v1/probe/tell/missing", 404, true),
        ("/v1/probe/echo/hi", 200, false),
    ] {
        let answer = door.send(from(APP, Method::GET, path, &token), "").await;
        assert_eq!(answer.status, status, "{path}");
        let exposed = words(&answer, EXPOSED);
        assert!(exposed.contains("retry-after"), "{path}");
        for name in ["x-told", "x-told-bin", "x-last"] {
            assert_eq!(exposed.contains(name), names_them, "{name}: {path}");
        }
    }
}

#[tokio::test]
async fn another_clients_origin_is_no_better_than_a_strangers() {
    let (door, _token) = open().await;
    let grant = Grant::user("usr_2", "loop", &["read:probe", "write:probe"]);
    let other = door.identity.issue(grant.from_origins(&["https://other.example"]));
    let other = format!("Bearer {other}");
    let preflight = door.send(preflight("/v1/probe/things/1", APP, "PATCH"), "").await;
    assert_eq!(preflight.header(ORIGIN), APP, "no token, so any client's origin will do");
    let answer = door.send(from(APP, Method::GET, "/v1/probe/things/1", &other), "").await;
    assert_eq!((answer.status, answer.header(ORIGIN)), (200, ""));
    let change = from(APP, Method::PATCH, "/v1/probe/things/1", &other).header(JSON.0, JSON.1);
    let answer = door.send(change, r#"{"name":"new"}"#).await;
    assert_eq!((answer.status, answer.header(ORIGIN)), (403, ""));
}

#[tokio::test]
async fn a_write_from_another_origin_is_refused_before_it_runs() {
    let (door, token) = open().await;
    let body = r#"{"name":"new"}"#;
    let grpc = "/loop.probe.v1.ProbeService/Change";
    for (method, path) in [(Method::PATCH, "/v1/probe/things/1"), (Method::POST, grpc)] {
        for (origin, status) in
            [(APP, 200), ("https://loop.test", 200), (EVIL, 403), ("null", 403), ("", 403)]
        {
            let request = from(origin, method.clone(), path, &token).header(JSON.0, JSON.1);
            let answer =
                door.send(request, if path == grpc { r#"{"id":"1"}"# } else { body }).await;
            assert_eq!(answer.status, status, "{origin} {path} {answer:?}");
            assert_eq!(answer.header(ORIGIN), if status == 200 { origin } else { "" });
            if status == 403 && path != grpc {
                assert_eq!(answer.json()["details"][0]["reason"], "ORIGIN");
            }
        }
        // No page sends it.
        let request = Request::builder().method(method).uri(path).header(JSON.0, JSON.1);
        let request = request.header("authorization", &token);
        let answer = door.send(request, if path == grpc { r#"{"id":"1"}"# } else { body }).await;
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test]
async fn who_calls_is_known_before_from_where() {
    let (door, token) = open().await;
    let change = |token: &str, origin: &str| {
        from(origin, Method::PATCH, "/v1/probe/things/1", token).header(JSON.0, JSON.1)
    };
    assert_eq!(door.send(change("Bearer forged", EVIL), "{}").await.status, 401);
    let two = change(&token, APP).header("origin", EVIL);
    let answer = door.send(two, "{}").await;
    assert_eq!((answer.status, answer.error().as_str()), (400, "validation_error"));
}

#[tokio::test]
async fn a_failure_is_shown_to_pages_whose_origin_is_known() {
    let (door, token) = open().await;
    door.send(preflight("/v1/probe/echo", APP, "POST"), "").await;
    let reader = Grant::user("usr_1", "loop", &["read:account"]).from_origins(&[APP]);
    let reader = format!("Bearer {}", door.identity.issue(reader));
    for (path, token, status) in [
        ("/v1/probe/things/1", "", 401),
        ("/v1/probe/things/1", "Bearer forged", 401),
        ("/v1/probe/things/1", &*reader, 403),
        ("/v1/probe/things/missing", &*token, 404),
        ("/v1/nothing", "", 404),
        ("/v1/probe/echo", "", 405),
    ] {
        let answer = door.send(from(APP, Method::GET, path, token), "").await;
        assert_eq!((answer.status, answer.header(ORIGIN)), (status, APP), "{path}");
        assert!(words(&answer, EXPOSED).contains("www-authenticate"));
        let answer = door.send(from(EVIL, Method::GET, path, token), "").await;
        assert_eq!((answer.status, answer.header(ORIGIN)), (status, ""), "{path}");
        let answer = door.send(from("https://loop.test", Method::GET, path, token), "").await;
        assert_eq!(answer.status, status);
    }
}

#[tokio::test]
async fn a_failure_waits_for_nobody_but_the_next_one_is_shown() {
    let (door, _token) = open().await;
    let request = || from(APP, Method::GET, "/v1/probe/things/1", "");
    assert_eq!(door.send(request(), "").await.header(ORIGIN), "");
    until("the origin to be known", || door.parts.origins.known(APP) == Some(true)).await;
    assert_eq!(door.send(request(), "").await.header(ORIGIN), APP);
    assert_eq!(door.identity.checks(), 1);
}

#[tokio::test]
async fn what_is_open_to_the_public_stays_open_to_every_page() {
    let (door, token) = open().await;
    let answer = door.send(preflight("/v1/oauth/token", EVIL, "POST"), "").await;
    assert_eq!(answer.header(ORIGIN), "*");
    let grpc = "/loop.identity.v1.IdentityService/IssueToken";
    let answer = door.send(preflight(grpc, EVIL, "POST"), "").await;
    assert_eq!(answer.header(ORIGIN), "*");
    for token in ["", &token] {
        let request = from(EVIL, Method::POST, "/v1/oauth/token", token);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = door.send(request, "grant_type=client_credentials&client_id=cli_x").await;
        assert_eq!((answer.status, answer.header(ORIGIN)), (200, "*"));
        assert!(words(&answer, EXPOSED).contains("retry-after"));
    }
    assert_eq!(door.identity.checks(), 0);
    // To end a token needs no token, so nothing is refused; only pages of apps see the answer.
    for (origin, shown) in [(APP, APP), (EVIL, "")] {
        let request = from(origin, Method::POST, "/v1/oauth/revoke", "");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = door.send(request, "token=x").await;
        assert_eq!((answer.status, answer.header(ORIGIN)), (501, shown), "the fake has no such");
    }
}

#[tokio::test]
async fn the_gateways_own_files_are_for_no_other_page() {
    let (door, _token) = open().await;
    door.send(preflight("/v1/probe/echo", APP, "POST"), "").await;
    for path in ["/", "/healthz", "/openapi.json", "/reference"] {
        let answer = door.send(from(APP, Method::GET, path, ""), "").await;
        assert_eq!((answer.status, answer.header(ORIGIN)), (200, ""), "{path}");
        let answer = door.send(preflight(path, APP, "GET"), "").await;
        assert_eq!((answer.status, answer.header(ORIGIN)), (204, ""), "{path}");
        assert!(!answer.headers.contains_key("access-control-allow-methods"));
    }
}

#[tokio::test]
async fn streams_and_the_protocols_of_browsers_are_shown_as_well() {
    let (door, token) = open().await;
    let events = from(APP, Method::GET, "/v1/probe/watch/hi?count=1", &token);
    let answer = door.send(events.header("accept", "text/event-stream"), "").await;
    assert_eq!((answer.status, answer.header(ORIGIN)), (200, APP));
    assert_eq!(answer.header("content-type"), "text/event-stream");
    let path = "/loop.probe.v1.ProbeService/Echo";
    let message = probe::wire("EchoRequest", &json!({"text": "hi"}));
    for origin in [APP, EVIL] {
        let shown = if origin == APP { APP } else { "" };
        let web = from(origin, Method::POST, path, &token);
        let web = web.header("content-type", "application/grpc-web+proto");
        let framed = crate::grpc::frame(&message);
        let answer = door.send_bytes(web, framed).await;
        assert_eq!((answer.status, answer.header(ORIGIN)), (200, shown));
        let connect = from(origin, Method::POST, path, &token).header(JSON.0, JSON.1);
        let answer = door.send(connect, r#"{"text":"hi"}"#).await;
        assert_eq!((answer.status, answer.header(ORIGIN)), (200, shown));
        // Failures of gRPC-Web have status 200.
        let web = from(origin, Method::POST, path, "");
        let web = web.header("content-type", "application/grpc-web+proto");
        door.send(preflight(path, origin, "POST"), "").await;
        let answer = door.send_bytes(web, crate::grpc::frame(&message)).await;
        assert_eq!((answer.status, answer.header(ORIGIN)), (200, shown));
        assert!(String::from_utf8_lossy(&answer.body).contains("grpc-status: 16"));
    }
}

#[tokio::test]
async fn a_socket_is_opened_for_pages_of_the_clients_origins_and_for_what_is_no_page() {
    let (door, token) = open().await;
    let token = token.trim_start_matches("Bearer ");
    for (origin, status) in [
        ("origin: https://app.example\r\n", "101"),
        ("origin: https://loop.test\r\n", "101"),
        ("", "101"),
        ("origin: https://evil.example\r\n", "403"),
        ("origin: null\r\n", "403"),
    ] {
        let request = format!(
            "GET /v1/probe/watch/hi?count=1 HTTP/1.1\r\nhost: loop.test\r\n{origin}\
             connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             sec-websocket-protocol: loop.v1, bearer.{token}\r\n\r\n"
        );
        let answer = head(&door, &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{origin}{answer}");
    }
}

/// The first line of what is answered to these very bytes.
async fn head(door: &Door, request: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(door.address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(stream));
    lines.next_line().await.unwrap().unwrap()
}
