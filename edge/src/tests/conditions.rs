//! Entity tags and the requests that depend on them.

use http::{Method, Request, request::Builder};
use serde_json::json;

use super::{
    door::{Answer, Door, Setting},
    probe,
};

async fn send(door: &Door, request: Builder, body: &str) -> Answer {
    let request = request.header("authorization", format!("Bearer {}", door.prober()));
    door.send(request, body).await
}

async fn get(door: &Door, path: &str, name: &str, value: &str) -> Answer {
    send(door, Request::get(path).header(name, value), "").await
}

async fn patch(door: &Door, id: &str, if_match: &str, body: &str) -> Answer {
    let request = Request::patch(format!("/v1/probe/things/{id}"))
        .header("content-type", "application/json")
        .header("if-match", if_match);
    send(door, request, body).await
}

fn reason(answer: &Answer) -> (u16, String) {
    let json = answer.json();
    (answer.status, json["details"][0]["reason"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn an_answer_with_an_etag_has_it_as_its_header() {
    let (door, _) = probe::open().await;
    for (id, etag) in [("1", "\"7\""), ("bare", "\"7\""), ("weak", "W/\"7\""), ("odd", "")] {
        let answer = get(&door, &format!("/v1/probe/things/{id}"), "accept", "*/*").await;
        assert_eq!((answer.status, answer.header("etag")), (200, etag), "{id}");
    }
    let put = Request::put("/v1/probe/things/1").header("content-type", "application/json");
    let answer = send(&door, put, "{\"etag\":\"\\\"8\\\"\"}").await;
    assert_eq!((answer.status, &answer.json()["etag"]), (200, &json!("\"8\"")));
    assert_eq!(answer.header("etag"), "");
}

#[tokio::test]
async fn who_has_the_answer_is_told_so_and_no_more() {
    let (door, _) = probe::open().await;
    for (id, known) in [
        ("1", "\"7\""),
        ("1", "\"6\", W/\"7\""),
        ("1", "*"),
        ("weak", "\"7\""),
        ("bare", "\"a,b\",\"7\""),
    ] {
        let path = format!("/v1/probe/things/{id}");
        for method in [Method::GET, Method::HEAD] {
            let request = Request::builder().method(&method).uri(&path);
            let answer = send(&door, request.header("if-none-match", known), "").await;
            assert_eq!((answer.status, answer.body.len()), (304, 0), "{method} {id}: {known}");
            let fresh = get(&door, &path, "accept", "*/*").await;
            assert_eq!(answer.header("etag"), fresh.header("etag"));
            assert_eq!(answer.header("cache-control"), "private, no-cache");
            assert_eq!(answer.header("vary"), "accept-encoding");
            assert!(!answer.header("date").is_empty() && !answer.header("x-request-id").is_empty());
            for name in ["content-length", "content-type"] {
                assert_eq!(answer.header(name), "", "{method} {id}");
            }
        }
    }
    for known in ["\"8\"", "W/\"6\"", "7", ""] {
        let answer = get(&door, "/v1/probe/things/1", "if-none-match", known).await;
        assert_eq!((answer.status, answer.header("etag")), (200, "\"7\""), "{known}");
    }
    let answer = get(&door, "/v1/probe/things/missing", "if-none-match", "*").await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn a_long_answer_without_an_etag_gets_one_by_what_it_says() {
    let (door, _) = probe::open().await;
    let (long, other) = ("a".repeat(1500), "b".repeat(1500));
    let path = format!("/v1/probe/echo/{long}");
    let answer = get(&door, &path, "accept", "*/*").await;
    let etag = answer.header("etag").to_owned();
    assert!(etag.starts_with("W/\"") && etag.len() == 20, "{etag}");
    let again = get(&door, &path, "if-none-match", &etag).await;
    assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, &*etag));
    let coded = Request::get(&path).header("accept-encoding", "gzip");
    let coded = send(&door, coded.header("if-none-match", "\"x\""), "").await;
    assert_eq!((coded.header("content-encoding"), coded.header("etag")), ("gzip", &*etag));
    let changed = get(&door, &format!("/v1/probe/echo/{other}"), "if-none-match", &etag).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), etag);
}

#[tokio::test]
async fn no_tag_is_made_of_what_is_short_or_secret_or_no_read() {
    let (door, _) = probe::open().await;
    let long = "a".repeat(1500);
    for path in ["/v1/probe/echo/short".to_owned(), format!("/v1/probe/secrets/{long}")] {
        let answer = get(&door, &path, "if-none-match", "*").await;
        assert_eq!((answer.status, answer.header("etag")), (200, ""), "{path}");
    }
    let post = Request::post("/v1/probe/echo").header("content-type", "application/json");
    let answer = send(&door, post, &json!({"text": long}).to_string()).await;
    assert_eq!((answer.status, answer.header("etag")), (200, ""));
}

#[tokio::test]
async fn each_coding_of_an_answer_has_a_strong_tag_of_its_own() {
    let (door, _) = probe::open().await;
    let path = "/v1/probe/things/long";
    for (coding, etag) in [("gzip", "\"7-gzip\""), ("br", "\"7-br\""), ("zstd", "\"7-zstd\"")] {
        let answer = get(&door, path, "accept-encoding", coding).await;
        assert_eq!((answer.header("content-encoding"), answer.header("etag")), (coding, etag));
        let again = get(&door, path, "if-none-match", etag).await;
        assert_eq!((again.status, again.header("etag")), (304, etag));
        let changed = patch(&door, "1", etag, "{}").await;
        assert_eq!((changed.status, &changed.json()["etag"]), (200, &json!("\"7\"")));
    }
}

#[tokio::test]
async fn a_write_takes_the_tag_of_if_match_to_the_service() {
    let (door, _) = probe::open().await;
    let answer = patch(&door, "1", "\"7\"", "{\"name\":\"n\"}").await;
    assert_eq!((answer.status, &answer.json()["etag"]), (200, &json!("\"7\"")));
    assert_eq!(answer.header("etag"), "\"7\"");
    assert_eq!(reason(&patch(&door, "1", "\"6\"", "{}").await), (412, "ETAG_STALE".to_owned()));
    let aborted = patch(&door, "aborted", "\"7\"", "{}").await;
    assert_eq!((aborted.status, aborted.error().as_str()), (412, "precondition_failed"));
    let any = patch(&door, "1", "*", "{}").await;
    assert_eq!((any.status, any.json()["etag"].as_str()), (200, None));
}

#[tokio::test]
async fn a_condition_that_cannot_be_checked_is_refused() {
    let (door, _) = probe::open().await;
    for (if_match, expected) in [
        ("\"7\", \"8\"", (400, "MALFORMED_REQUEST")),
        ("7", (400, "MALFORMED_REQUEST")),
        ("", (400, "MALFORMED_REQUEST")),
        ("*, \"7\"", (400, "MALFORMED_REQUEST")),
        ("W/\"7\"", (412, "ETAG_WEAK")),
    ] {
        let answer = patch(&door, "1", if_match, "{}").await;
        assert_eq!(reason(&answer), (expected.0, expected.1.to_owned()), "{if_match}");
        if expected.0 == 400 {
            assert_eq!(answer.json()["details"][1]["field_violations"][0]["field"], "if-match");
        }
    }
    let put = || Request::put("/v1/probe/things/1").header("content-type", "application/json");
    let post = |path: &str| Request::post(path).header("content-type", "application/json");
    for request in [
        put().header("if-none-match", "*"),
        post("/v1/probe/echo").header("if-match", "\"7\""),
        post("/v1/probe/collect").header("if-match", "\"7\""),
    ] {
        let answer = send(&door, request, "{}").await;
        assert_eq!(reason(&answer), (412, "ETAG_UNSUPPORTED".to_owned()));
    }
}

#[tokio::test]
async fn a_body_may_repeat_the_tag_and_not_contradict_it() {
    let (door, _) = probe::open().await;
    let put = |body: &'static str| {
        let request = Request::put("/v1/probe/things/1").header("content-type", "application/json");
        send(&door, request.header("if-match", "\"7\""), body)
    };
    for body in ["{}", "{\"etag\":\"\\\"7\\\"\"}"] {
        assert_eq!(put(body).await.json()["etag"], "\"7\"", "{body}");
    }
    assert_eq!(put("{\"etag\":\"7\"}").await.json()["etag"], "7");
    let answer = put("{\"etag\":\"\\\"8\\\"\"}").await;
    assert_eq!(reason(&answer), (400, "ETAG_DIFFERS".to_owned()));
    assert_eq!(answer.json()["details"][1]["field_violations"][0]["field"], "etag");
}

#[tokio::test]
async fn a_read_may_ask_for_the_very_answer_that_it_knows() {
    let (door, _) = probe::open().await;
    for (path, if_match, status) in [
        ("/v1/probe/things/1", "\"6\", \"7\"", 200),
        ("/v1/probe/things/1", "*", 200),
        ("/v1/probe/things/1", "W/\"7\"", 412),
        ("/v1/probe/things/weak", "W/\"7\"", 412),
        ("/v1/probe/things/1", "7", 400),
        ("/v1/probe/echo/hi", "*", 200),
        ("/v1/probe/echo/hi", "\"7\"", 412),
    ] {
        let answer = get(&door, path, "if-match", if_match).await;
        assert_eq!(answer.status, status, "{path} {if_match} {answer:?}");
    }
}

#[tokio::test]
async fn a_document_of_the_gateway_is_known_in_every_coding() {
    let door = Setting::new().open().await;
    let request = Request::get("/reference/style.css").header("accept-encoding", "br");
    let coded = door.send(request, "").await;
    let etag = coded.header("etag").to_owned();
    assert!(etag.ends_with("-br\""), "{etag}");
    let request = Request::head("/reference/style.css").header("if-none-match", &etag);
    let known = door.send(request, "").await;
    assert_eq!((known.status, known.header("etag")), (304, &*etag));
    assert_eq!((known.header("vary"), known.header("content-length")), ("accept-encoding", ""));
}
