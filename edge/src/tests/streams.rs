//! Streams over plain HTTP: three forms down, two up, and what happens when they break.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    door::{Answer, Door, Setting, until},
    probe,
};

async fn watch(door: &Door, path: &str, accept: &str) -> Answer {
    let request = Request::get(path)
        .header("authorization", format!("Bearer {}", door.prober()))
        .header("accept", accept);
    door.send(request, "").await
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.to_vec()).unwrap()
}

#[tokio::test]
async fn a_stream_takes_the_form_that_is_accepted() {
    let (door, _) = probe::open().await;
    let path = "/v1/probe/watch/hi?count=2";
    let element = |count: u32| format!(r#"{{"text":"hi","count":"{count}"}}"#);
    let (first, second) = (element(0), element(1));
    for (accept, content_type, body) in [
        ("*/*", "application/json", format!("[{first},{second}]")),
        ("text/csv", "application/json", format!("[{first},{second}]")),
        ("application/x-ndjson", "application/x-ndjson", format!("{first}\n{second}\n")),
        (
            "text/event-stream",
            "text/event-stream",
            format!("data: {first}\n\ndata: {second}\n\nevent: end\ndata: {{}}\n\n"),
        ),
    ] {
        let answer = watch(&door, path, accept).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("content-type"), content_type);
        assert_eq!(text(&answer), body);
        assert!(answer.headers.get("loop-secret").is_none());
    }
}

#[tokio::test]
async fn a_stream_of_nothing_is_empty_and_whole() {
    let (door, _) = probe::open().await;
    assert_eq!(text(&watch(&door, "/v1/probe/watch/hi", "application/json").await), "[]");
    assert_eq!(text(&watch(&door, "/v1/probe/watch/hi", "application/x-ndjson").await), "");
}

#[tokio::test]
async fn a_failure_before_the_first_message_has_its_own_status() {
    let (door, _) = probe::open().await;
    for path in ["/v1/probe/watch/refuse", "/v1/probe/watch/x?fails=true"] {
        let answer = watch(&door, path, "text/event-stream").await;
        assert_eq!((answer.status, answer.error().as_str()), (404, "not_found"), "{path}");
    }
}

#[tokio::test]
async fn a_failure_after_the_first_message_is_the_last_of_the_stream() {
    let (door, _) = probe::open().await;
    let path = "/v1/probe/watch/hi?count=1&fails=true";
    let array = watch(&door, path, "application/json").await.json();
    assert_eq!(array[0]["text"], "hi");
    assert_eq!(array[1]["error"], "not_found");
    assert_eq!(array[1]["details"][0]["reason"], "THING_NOT_FOUND");
    let events = text(&watch(&door, path, "text/event-stream").await);
    assert!(events.contains("\n\nevent: error\ndata: {\"error\":\"not_found\""), "{events}");
    assert!(!events.contains("event: end"));
}

#[tokio::test]
async fn a_reader_who_leaves_ends_the_call_at_the_service() {
    let (door, probe) = probe::open().await;
    let request = Request::get("/v1/probe/watch/hi?count=1&hangs=true")
        .header("authorization", format!("Bearer {}", door.prober()))
        .header("host", "loop.test")
        .body(Full::new(Bytes::new()))
        .unwrap();
    let mut connection = door.connect().await;
    let mut response = connection.send_request(request).await.unwrap();
    let first = response.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(first.starts_with(b"[{\"text\":\"hi\""));
    assert_eq!(probe.gone(), 0);
    drop((response, connection));
    until("the call to end", || probe.gone() == 1).await;
}

#[tokio::test]
async fn a_stream_ends_at_its_limit_and_when_the_gateway_does() {
    let mut setting = Setting::new();
    setting.config.limits.stream = Duration::from_millis(400);
    let (door, _) = probe::open_with(setting).await;
    let path = "/v1/probe/watch/hi?count=1&hangs=true";
    let answer = watch(&door, path, "application/json").await.json();
    assert_eq!(answer[1]["error"], "deadline_exceeded");

    let (door, _) = probe::open().await;
    let (shutdown, token) = (door.shutdown.clone(), door.prober());
    let request = Request::get(path).header("authorization", format!("Bearer {token}"));
    let request = request.header("host", "loop.test").body(Full::new(Bytes::new())).unwrap();
    let mut response = door.connect().await.send_request(request).await.unwrap();
    response.frame().await.unwrap().unwrap();
    shutdown.cancel();
    let rest = response.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&rest).contains("SHUTTING_DOWN"), "{rest:?}");
    door.serving.await.unwrap();
}

#[tokio::test]
async fn a_caller_may_give_a_stream_less_time() {
    let (door, _) = probe::open().await;
    let request = Request::get("/v1/probe/watch/hi?count=1&hangs=true")
        .header("authorization", format!("Bearer {}", door.prober()))
        .header("request-timeout", "0.4");
    let answer = door.send(request, "").await.json();
    assert_eq!(answer[1]["error"], "deadline_exceeded");
}

#[tokio::test]
async fn bytes_come_down_as_they_are() {
    let (door, _) = probe::open().await;
    let answer = watch(&door, "/v1/probe/files/1", "*/*").await;
    assert_eq!(answer.header("content-type"), "text/csv");
    assert_eq!(text(&answer), "a,b\n1,2\n");
}

async fn send(door: &Door, request: http::request::Builder, body: &str) -> Answer {
    let token = door.prober();
    door.send(request.header("authorization", format!("Bearer {token}")), body).await
}

#[tokio::test]
async fn bytes_go_up_as_they_are() {
    let (door, _) = probe::open().await;
    let request = Request::put("/v1/probe/files/7").header("content-type", "text/plain");
    let answer = send(&door, request, "hello").await;
    let expected = json!({"text": probe::base64("hello"), "room": "7 text/plain", "count": "1"});
    assert_eq!(answer.json(), expected);
    let answer = send(&door, Request::put("/v1/probe/files/7"), "").await;
    assert_eq!(answer.json(), json!({"room": "7", "count": "1"}));
}

#[tokio::test]
async fn a_file_goes_up_in_one_message_whether_it_is_short_or_long() {
    let (door, _) = probe::open().await;
    for length in [0, 5, (64 << 10) - 1, 64 << 10, 900_000] {
        let body = "x".repeat(length);
        let request = Request::put("/v1/probe/blobs/7?tags=a&tags=b&etag=c");
        let answer = send(&door, request.header("content-type", "text/csv"), &body).await;
        assert_eq!(answer.status, 200, "{length}: {answer:?}");
        let json = answer.json();
        assert_eq!(json["room"], "7 a b c text/csv", "{length}");
        assert_eq!(json["text"].as_str().unwrap_or_default(), probe::base64(&body));
    }
    let request = Request::put("/v1/probe/blobs/7?nothing=1").header("content-type", "text/csv");
    assert_eq!(send(&door, request, &"x".repeat(1 << 20)).await.status, 400);
}

#[tokio::test]
async fn a_file_goes_up_over_http_2_with_its_length_and_without() {
    let (door, _) = probe::open().await;
    let stream = tokio::net::TcpStream::connect(door.address).await.unwrap();
    let (io, executor) =
        (hyper_util::rt::TokioIo::new(stream), hyper_util::rt::TokioExecutor::new());
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    for has_length in [true, false] {
        let pieces = (0..50).map(|_| {
            let piece = Bytes::from_static(&[b'x'; 4000]);
            Ok::<_, std::convert::Infallible>(hyper::body::Frame::data(piece))
        });
        let body = http_body_util::StreamBody::new(futures::stream::iter(pieces));
        let mut request = Request::put(format!("http://{}/v1/probe/blobs/7", door.address))
            .header("authorization", format!("Bearer {}", door.prober()));
        if has_length {
            request = request.header("content-length", 200_000);
        }
        let answer = sender.send_request(request.body(body).unwrap()).await.unwrap();
        let answer = Answer::read(answer).await;
        assert_eq!(answer.status, 200, "{has_length}: {answer:?}");
        assert_eq!(answer.json()["text"], probe::base64(&"x".repeat(200_000)));
    }
}

#[tokio::test]
async fn a_file_that_is_coded_is_restored_first() {
    use std::io::Write as _;
    let (door, _) = probe::open().await;
    let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    coder.write_all("x".repeat(100_000).as_bytes()).unwrap();
    let request = Request::put("/v1/probe/blobs/7")
        .header("authorization", format!("Bearer {}", door.prober()))
        .header("content-encoding", "gzip");
    let answer = door.send_bytes(request, coder.finish().unwrap().into()).await;
    assert_eq!(answer.json()["text"], probe::base64(&"x".repeat(100_000)));
}

#[tokio::test]
async fn a_file_goes_up_under_a_condition() {
    let (door, _) = probe::open().await;
    for length in [5, 100_000] {
        let body = "x".repeat(length);
        for (query, status, room) in
            [("tags=a", 200, "7 a \"4\""), ("etag=%224%22", 200, "7 \"4\""), ("etag=5", 400, "")]
        {
            let request = Request::put(format!("/v1/probe/blobs/7?{query}"));
            let answer = send(&door, request.header("if-match", "\"4\""), &body).await;
            assert_eq!(answer.status, status, "{query}: {answer:?}");
            assert_eq!(answer.json()["room"].as_str().unwrap_or_default(), room);
        }
        let request = Request::put("/v1/probe/files/7").header("if-match", "\"4\"");
        assert_eq!(send(&door, request, &body).await.json()["room"], "7 \"4\"");
    }
}

#[tokio::test]
async fn a_long_file_that_breaks_off_is_a_fault_of_the_caller() {
    let (door, _) = probe::open().await;
    let head = format!(
        "PUT /v1/probe/blobs/7 HTTP/1.1\r\nhost: loop\r\nauthorization: Bearer {}\r\n",
        door.prober()
    );
    let body = "x".repeat(70_000);
    let answer = door.raw(&format!("{head}content-length: 100000\r\n\r\n{body}")).await;
    assert!(answer.is_empty() || answer.contains("BODY_INCOMPLETE"), "{answer}");
}

#[tokio::test]
async fn a_long_file_that_comes_too_slowly_is_given_up() {
    let setting = Setting::new().timeout(Duration::from_millis(300));
    let (door, _) = probe::open_with(setting).await;
    let head = format!(
        "PUT /v1/probe/blobs/7 HTTP/1.1\r\nhost: loop\r\nauthorization: Bearer {}\r\n",
        door.prober()
    );
    let mut stream = tokio::net::TcpStream::connect(door.address).await.unwrap();
    let request = format!("{head}content-length: 100000\r\n\r\n{}", "x".repeat(70_000));
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 504");
}

#[tokio::test]
async fn lines_and_arrays_go_up_as_messages() {
    let (door, _) = probe::open().await;
    for (content_type, body, count) in [
        ("application/x-ndjson", "{\"text\":\"a\",\"room\":\"r\"}\n{\"text\":\"b\"}\n", "2"),
        ("application/json", "[{\"text\":\"a\",\"room\":\"r\"},{\"text\":\"b\"}]", "2"),
        ("application/x-ndjson", "", "0"),
    ] {
        let request = Request::post("/v1/probe/collect").header("content-type", content_type);
        let answer = send(&door, request, body).await.json();
        assert_eq!(answer["count"], count, "{answer}");
    }
}

#[tokio::test]
async fn a_line_that_is_no_message_is_named() {
    let (door, _) = probe::open().await;
    for (body, expected) in [
        ("{\"text\":\"a\"}\n{\"texd\":\"b\"}\n", "texd"),
        ("{\"text\":\"a\"}\n{\"text\":", "malformed"),
    ] {
        let request =
            Request::post("/v1/probe/collect").header("content-type", "application/x-ndjson");
        let answer = send(&door, request, body).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(text(&answer).to_lowercase().contains(expected), "{answer:?}");
    }
    let request = Request::post("/v1/probe/collect").header("content-type", "text/plain");
    assert_eq!(send(&door, request, "a").await.status, 415);
}
