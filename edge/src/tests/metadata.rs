//! What callers and services tell each other besides their messages.

use http::Request;
use serde_json::{Value, json};

use super::{
    compression::grpc,
    door::{Answer, Door},
    probe::{self, envelope, envelopes, json_of, wire},
};
use crate::grpc::frame;

const TELL: &str = "/loop.probe.v1.ProbeService/Tell";
const TELL_ALL: &str = "/loop.probe.v1.ProbeService/TellAll";

async fn get(door: &Door, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request =
        Request::get(path).header("authorization", format!("Bearer {}", door.prober()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    door.send(request, "").await
}

async fn post(door: &Door, path: &str, content_type: &str, body: Vec<u8>) -> Answer {
    let request = Request::post(path)
        .header("authorization", format!("Bearer {}", door.prober()))
        .header("content-type", content_type)
        .header("x-order", "7");
    door.send_bytes(request, body.into()).await
}

#[tokio::test]
async fn a_service_sees_the_headers_that_its_contract_names() {
    let (door, _) = probe::open().await;
    let sent =
        [("x-order", "7"), ("x-other", "8"), ("x-key-bin", "YQ==,Yg"), ("x-brand-id", "loop")];
    let answer = get(&door, "/v1/probe/tell/hi", &sent).await;
    let seen = answer.json()["room"].as_str().unwrap().to_owned();
    let mut seen: Vec<_> = seen.split(' ').filter(|it| !it.starts_with("x-brand-id")).collect();
    seen.sort_unstable();
    assert_eq!(seen, ["x-key-bin=YQ==", "x-key-bin=Yg", "x-order=7"]);
    let answer = get(&door, "/v1/probe/tell/hi", &[("x-key-bin", "*")]).await;
    assert_eq!((answer.status, answer.error().as_str()), (400, "validation_error"));
    // Another method has none.
    assert_eq!(get(&door, "/v1/probe/echo/hi", &[("x-key-bin", "*")]).await.status, 200);
}

#[tokio::test]
async fn headers_and_trailers_come_back_as_headers_over_rest() {
    let (door, _) = probe::open().await;
    let answer = get(&door, "/v1/probe/tell/hi", &[]).await;
    let told =
        ["x-told", "x-told-bin", "x-last", "x-hidden", "loop-secret"].map(|it| answer.header(it));
    assert_eq!(told, ["yes", "YQ", "bye", "", ""]);
    let answer = get(&door, "/v1/probe/tell/missing", &[]).await;
    assert_eq!((answer.status, answer.error().as_str()), (404, "not_found"));
    assert_eq!((answer.header("x-told"), answer.header("x-hidden")), ("no", ""));
    let answer = get(&door, "/v1/probe/tell-all/hi", &[]).await;
    assert_eq!((answer.header("x-told"), answer.header("x-told-bin")), ("yes", ""));
}

#[tokio::test]
async fn grpc_has_them_as_they_are() {
    let (door, _) = probe::open().await;
    let call = async |text: &str| {
        let body = frame(&wire("EchoRequest", &json!({"text": text}))).to_vec();
        grpc(&door, TELL, &[("x-order", "7"), ("x-other", "8")], body).await
    };
    let (headers, body, trailers) = call("hi").await;
    assert_eq!(json_of("EchoResponse", &envelopes(body)[0].1)["room"], "x-order=7");
    assert_eq!([&headers["x-told"], &headers["x-told-bin"]], ["yes", "YQ"]);
    assert_eq!([&trailers["x-last"], &trailers["grpc-status"]], ["bye", "0"]);
    assert!(!headers.contains_key("x-hidden") && !trailers.contains_key("x-hidden"));
    let (headers, ..) = call("missing").await;
    assert_eq!([&headers["x-told"], &headers["grpc-status"]], ["no", "5"]);
    assert!(!headers.contains_key("x-hidden"));
}

#[tokio::test]
async fn grpc_web_has_them_where_grpc_has_them() {
    let (door, _) = probe::open().await;
    let call = async |text: &str| {
        let body = frame(&wire("EchoRequest", &json!({"text": text}))).to_vec();
        post(&door, TELL, "application/grpc-web", body).await
    };
    let answer = call("hi").await;
    assert_eq!((answer.header("x-told"), answer.header("x-hidden")), ("yes", ""));
    let trailers = String::from_utf8(envelopes(answer.body).pop().unwrap().1.to_vec()).unwrap();
    assert_eq!(trailers, "grpc-status: 0\r\nx-last: bye\r\n");
    let answer = call("missing").await;
    let trailers = String::from_utf8(envelopes(answer.body).pop().unwrap().1.to_vec()).unwrap();
    assert!(trailers.contains("grpc-status: 5\r\n") && trailers.contains("x-told: no\r\n"));
    assert!(!trailers.contains("x-hidden"), "{trailers}");
}

#[tokio::test]
async fn connect_has_trailers_by_prefix_and_in_its_last_envelope() {
    let (door, _) = probe::open().await;
    let unary = async |text: &str| {
        let body = json!({"text": text}).to_string().into_bytes();
        post(&door, TELL, "application/json", body).await
    };
    let answer = unary("hi").await;
    assert_eq!(answer.json()["room"], "x-order=7");
    let told =
        ["x-told", "trailer-x-last", "x-last", "trailer-x-hidden"].map(|it| answer.header(it));
    assert_eq!(told, ["yes", "bye", "", ""]);
    let answer = unary("missing").await;
    assert_eq!((answer.status, answer.header("x-told")), (404, "no"));

    let stream = async |text: &str| {
        let body = envelope(&json!({"text": text}));
        let answer = post(&door, TELL_ALL, "application/connect+json", body).await;
        let (flags, end) = envelopes(answer.body.clone()).pop().unwrap();
        assert_eq!(flags, 2);
        (answer, serde_json::from_slice::<Value>(&end).unwrap())
    };
    let (answer, end) = stream("hi").await;
    assert_eq!(answer.header("x-told"), "yes");
    assert_eq!(end, json!({"metadata": {"x-last": ["bye"]}}));
    let (answer, end) = stream("missing").await;
    assert_eq!((answer.header("x-told"), &end["error"]["code"]), ("no", &json!("not_found")));
}
