//! The gateway's own answers.

use cache::Cache;
use http::Request;

use super::door::{Door, Setting};

#[tokio::test]
async fn health_says_that_the_process_lives() {
    let answer = Door::open().await.get("/healthz", "").await;
    assert_eq!((answer.status, &answer.json()["status"]), (200, &"ok".into()));
}

#[tokio::test]
async fn readiness_names_each_part() {
    let answer = Door::open().await.get("/readyz", "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        serde_json::json!({"status": "ready", "parts": {"identity": "ok", "cache": "ok"}})
    );
}

#[tokio::test]
async fn without_identity_the_gateway_is_not_ready_but_lives() {
    let mut setting = Setting::new();
    setting.mesh = mesh::Mesh::default();
    let door = setting.open().await;
    let answer = door.get("/readyz", "").await;
    assert_eq!((answer.status, &answer.json()["parts"]["identity"]), (503, &"unreachable".into()));
    assert_eq!(door.get("/healthz", "").await.status, 200);
    let answer = door.get("/v1/biomarkers/me", &door.reader()).await;
    assert_eq!((answer.status, answer.error().as_str()), (503, "unavailable"));
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test]
async fn without_the_cache_the_gateway_serves_and_counts_nobody() {
    let mut setting = Setting::new();
    setting.cache = Cache::connect("redis://127.0.0.1:1").unwrap();
    let door = setting.open().await;
    let answer = door.get("/readyz", "").await;
    assert_eq!((answer.status, &answer.json()["parts"]["cache"]), (200, &"unreachable".into()));
    let answer = door.get("/v1/biomarkers/bio_1", &door.reader()).await;
    assert_eq!((answer.status, answer.header("ratelimit-limit")), (200, ""));
}

#[tokio::test]
async fn the_document_is_sent_once_to_those_who_keep_it() {
    let door = Door::open().await;
    let answer = door.get("/openapi.json", "").await;
    assert_eq!(answer.json()["openapi"], "3.1.0");
    let etag = answer.header("etag").to_owned();
    for (known, status) in
        [(etag.clone(), 304), (format!("\"x\", W/{etag}"), 304), ("\"x\"".into(), 200)]
    {
        let request = Request::get("/openapi.json").header("if-none-match", known);
        let answer = door.send(request, "").await;
        assert_eq!((answer.status, answer.header("etag")), (status, &*etag));
    }
}

#[tokio::test]
async fn the_front_page_is_for_people() {
    let answer = Door::open().await.get("/", "").await;
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert!(String::from_utf8_lossy(&answer.body).contains("\"openapi.json\""));
}

#[tokio::test]
async fn the_reference_is_sent_once_and_may_ask_nobody_else() {
    let door = Door::open().await;
    for (path, content_type) in [
        ("/reference", "text/html; charset=utf-8"),
        ("/reference/main.js", "text/javascript; charset=utf-8"),
        ("/reference/style.css", "text/css; charset=utf-8"),
        ("/reference/icon.svg", "image/svg+xml"),
    ] {
        let answer = door.get(path, "").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, content_type));
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cache-control"), "public, no-cache");
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'; "));
        let known = Request::get(path).header("if-none-match", answer.header("etag"));
        let again = door.send(known, "").await;
        assert_eq!((again.status, again.body.len()), (304, 0));
        assert_eq!(again.header("etag"), answer.header("etag"));
        let head = door.send(Request::head(path), "").await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(head.header("content-length"), answer.body.len().to_string());
    }
    assert_eq!(door.send(Request::post("/reference"), "").await.status, 405);
    assert_eq!(door.get("/reference/nothing.js", "").await.status, 404);
}
