//! The rules of HTTP that hold for every path: sizes, types, duplicates, HEAD, OPTIONS, headers.

use http::{Method, Request};

use super::door::{Door, Setting, report};

#[tokio::test]
async fn a_body_over_the_limit_is_413_however_it_is_sent() {
    let mut setting = Setting::new();
    setting.config.limits.body = 1000;
    let door = setting.open().await;
    let token = door.writer();
    let long = report(&"x".repeat(2000));
    let answer = door.post("/v1/biomarkers/parse", &token, &long).await;
    assert_eq!((answer.status, answer.error().as_str()), (413, "body_too_large"));
    assert_eq!(answer.json()["details"][1]["field_violations"][0]["field"], "body");

    // Without a length it is found out while reading, after admission.
    let answer = |token: &str| {
        let head = "POST /v1/biomarkers/parse HTTP/1.1\r\nhost: loop\r\n";
        let chunk = "x".repeat(2000);
        format!(
            "{head}authorization: Bearer {token}\r\ncontent-type: application/json\r\n\
             transfer-encoding: chunked\r\nconnection: close\r\n\r\n7d0\r\n{chunk}\r\n0\r\n\r\n"
        )
    };
    assert!(door.raw(&answer(&token)).await.starts_with("HTTP/1.1 413"));
    assert!(door.raw(&answer("lph_at_forged")).await.starts_with("HTTP/1.1 401"));
}

#[tokio::test]
async fn a_body_of_another_type_or_encoding_is_415() {
    let door = Door::open().await;
    let token = format!("Bearer {}", door.writer());
    for (name, value) in [
        ("content-type", "text/plain"),
        ("content-type", "application/json; charset=latin1"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("content-encoding", "deflate"),
        ("content-encoding", "gzip, br"),
    ] {
        let request = Request::post("/v1/biomarkers/parse").header("authorization", &token);
        let answer = door.send(request.header(name, value), &report("manual")).await;
        assert_eq!(answer.status, 415, "{value} {answer:?}");
        assert_eq!(answer.error(), "unsupported_media_type");
    }
    let request = Request::post("/v1/biomarkers/parse").header("authorization", &token);
    assert_eq!(door.send(request, &report("manual")).await.status, 415);
}

#[tokio::test]
async fn a_head_over_the_limit_is_431() {
    let door = Door::open().await;
    let request = Request::get("/healthz").header("x-long", "x".repeat(17 << 10));
    let answer = door.send(request, "").await;
    assert_eq!((answer.status, answer.error().as_str()), (431, "headers_too_large"));
    let request = Request::get(format!("/healthz?{}", "x".repeat(17 << 10)));
    assert_eq!(door.send(request, "").await.status, 431);
    let huge = format!("GET /healthz HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "x".repeat(80 << 10));
    assert!(door.raw(&huge).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn a_header_that_says_one_thing_is_said_once() {
    let door = Door::open().await;
    let token = format!("Bearer {}", door.writer());
    for (name, first, second) in [
        ("authorization", &*token, "Bearer other"),
        ("content-type", "application/json", "text/plain"),
        ("x-brand-id", "loop", "loop"),
        ("idempotency-key", "a", "b"),
    ] {
        let request = Request::post("/v1/biomarkers/parse").header(name, first);
        let answer = door.send(request.header(name, second), &report("manual")).await;
        assert_eq!((answer.status, answer.error().as_str()), (400, "validation_error"), "{name}");
        assert_eq!(answer.json()["details"][1]["field_violations"][0]["field"], name);
    }
    assert_eq!(door.clinical.calls(), 0);
    let two_hosts = "GET /healthz HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n";
    assert!(door.raw(two_hosts).await.starts_with("HTTP/1.1 400"));
    let no_host = "GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n";
    assert!(door.raw(no_host).await.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_never_acted_on() {
    let door = Door::open().await;
    let (token, body) = (door.writer(), report("manual"));
    let head = format!(
        "POST /v1/biomarkers/parse HTTP/1.1\r\nhost: loop\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\n"
    );
    door.raw(&format!("{head}content-length: {}\r\n\r\n{body}", body.len() + 1)).await;
    door.raw(&format!("{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}", body.len())).await;
    assert_eq!(door.post("/v1/biomarkers/parse", &token, &body).await.status, 200);
    assert_eq!(door.clinical.calls(), 1);
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let door = Door::open().await;
    let token = format!("Bearer {}", door.reader());
    let request = |method| {
        Request::builder()
            .method(method)
            .uri("/v1/biomarkers/bio_1")
            .header("authorization", &token)
    };
    let get = door.send(request(Method::GET), "").await;
    let head = door.send(request(Method::HEAD), "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), get.body.len().to_string());
    assert_eq!(head.header("content-type"), "application/json");
    assert_eq!(door.ask(Method::HEAD, "/v1/biomarkers/bio_1").await.status, 401);
}

#[tokio::test]
async fn options_tells_what_is_allowed_and_opens_only_what_is_public() {
    let door = Door::open().await;
    let answer = door.ask(Method::OPTIONS, "/v1/biomarkers/parse").await;
    assert_eq!(answer.status, 204);
    assert!(answer.header("allow").contains("POST"), "{answer:?}");

    let preflight = |path, method| {
        let request = Request::builder().method(Method::OPTIONS).uri(path);
        request.header("origin", "https://app").header("access-control-request-method", method)
    };
    let answer = door.send(preflight("/v1/oauth/token", "POST"), "").await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    for (path, method) in [
        ("/v1/biomarkers/parse", "POST"),
        ("/v1/oauth/token", "GET"),
        ("/v1/oauth/introspect", "POST"),
        ("/v1/users/me", "GET"),
    ] {
        let answer = door.send(preflight(path, method), "").await;
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
    }
    let answer = door.ask(Method::OPTIONS, "/openapi.json").await;
    assert_eq!((answer.status, answer.header("allow")), (204, "GET, HEAD"));
    assert_eq!(door.ask(Method::OPTIONS, "/v1/nothing").await.status, 404);
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let door = Door::open().await;
    for path in ["/", "/healthz", "/v1/nothing", "/v1/biomarkers/me"] {
        let answer = door.get(path, "").await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("strict-transport-security"), "max-age=31536000");
        assert!(!answer.header("cache-control").is_empty());
    }
    let mut plain = Setting::new();
    plain.config.public_url = "http://localhost:8080".into();
    let answer = plain.open().await.get("/", "").await;
    assert_eq!(answer.header("strict-transport-security"), "");
}

#[tokio::test]
async fn a_service_hears_what_was_said_and_from_where_but_no_claims() {
    let door = Door::open().await;
    let request = Request::post("/v1/biomarkers/parse")
        .header("authorization", format!("Bearer {}", door.writer()))
        .header("content-type", "application/json")
        .header("idempotency-key", "key-1")
        .header("x-request-id", "req-7")
        .header("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .header("x-forwarded-for", "203.0.113.9")
        .header("x-real-ip", "203.0.113.9")
        .header("loop-acting-user", "usr_9")
        .header("cookie", "session=1");
    assert_eq!(door.send(request, &report("manual")).await.status, 200);
    let heard = door.clinical.last();
    assert_eq!(heard["idempotency-key"], "key-1");
    assert_eq!(heard["x-request-id"], "req-7");
    assert_eq!(heard["traceparent"], "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    assert_eq!(heard["x-forwarded-for"], "127.0.0.1");
    assert_eq!(heard["x-forwarded-host"], "loop.test");
    assert_eq!(heard["x-forwarded-proto"], "https");
    let left: u64 = heard["grpc-timeout"].to_str().unwrap().trim_end_matches('m').parse().unwrap();
    assert!((1..=30_000).contains(&left), "{left}");
    for name in ["x-real-ip", "loop-acting-user", "cookie"] {
        assert!(!heard.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let mut setting = Setting::new();
    setting.config.limits.head_timeout = std::time::Duration::from_millis(50);
    let door = setting.open().await;
    // Nothing, half a preface of HTTP/2, half a head: the read ends because the gateway closes.
    for bytes in ["", "PRI * HT", "GET / HTTP/1.1\r\nhost:"] {
        let mut stream = tokio::net::TcpStream::connect(door.address).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, bytes.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let read = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest);
        tokio::time::timeout(std::time::Duration::from_secs(5), read)
            .await
            .expect("closed")
            .unwrap();
    }
}

#[tokio::test]
async fn who_does_not_fit_waits_until_another_leaves() {
    let mut setting = Setting::new();
    setting.config.limits.connections = 1;
    let door = setting.open().await;
    let mut first = door.connect().await;
    let request = Request::get("/healthz").header("host", "a").body(Default::default()).unwrap();
    assert_eq!(first.send_request(request).await.unwrap().status(), 200);
    let mut second = std::pin::pin!(door.get("/healthz", ""));
    let patience = std::time::Duration::from_millis(100);
    assert!(tokio::time::timeout(patience, &mut second).await.is_err());
    drop(first);
    assert_eq!(second.await.status, 200);
}

#[tokio::test]
async fn a_replayed_answer_says_so() {
    let door = Door::open().await;
    let request = Request::post("/v1/biomarkers/parse")
        .header("authorization", format!("Bearer {}", door.writer()))
        .header("content-type", "application/json");
    let answer = door.send(request, &report("replayed")).await;
    assert_eq!((answer.status, answer.header("idempotent-replayed")), (200, "true"));
}
