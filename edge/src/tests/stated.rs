//! Limits that a method's contract states.

use http::Request;
use serde_json::json;

use super::{
    door::{Answer, Door, Setting},
    probe::{self, envelope, wire},
};
use crate::grpc::frame;

async fn post(door: &Door, path: &str, content_type: &str, body: Vec<u8>) -> Answer {
    let request = Request::post(path)
        .header("authorization", format!("Bearer {}", door.prober()))
        .header("content-type", content_type);
    door.send_bytes(request, body.into()).await
}

async fn rest(door: &Door, path: &str, length: usize) -> Answer {
    let body = json!({"text": "x".repeat(length)}).to_string();
    post(door, path, "application/json", body.into()).await
}

/// A gateway whose methods take 1000 bytes, and none more than `stated`.
async fn open(stated: usize) -> Door {
    let mut setting = Setting::new();
    (setting.config.limits.body, setting.config.limits.stated_body) = (1000, stated);
    probe::open_with(setting).await.0
}

fn says(answer: &Answer, most: usize) {
    assert_eq!((answer.status, answer.error().as_str()), (413, "body_too_large"), "{answer:?}");
    assert_eq!(answer.json()["message"], format!("body must have at most {most} bytes"));
}

#[tokio::test]
async fn a_method_may_take_less_than_the_others() {
    let door = open(10_000).await;
    assert_eq!(rest(&door, "/v1/probe/notes", 50).await.status, 200);
    says(&rest(&door, "/v1/probe/notes", 100).await, 100);
    assert_eq!(rest(&door, "/v1/probe/echo", 100).await.status, 200);
    let message = wire("EchoRequest", &json!({"text": "x".repeat(200)}));
    let path = "/loop.probe.v1.ProbeService/Note";
    let answer = post(&door, path, "application/proto", message.clone()).await;
    assert_eq!(answer.status, 413);
    let answer = post(&door, path, "application/grpc-web", frame(&message).to_vec()).await;
    assert!(String::from_utf8_lossy(&answer.body).contains("most%20100%20bytes"), "{answer:?}");
}

#[tokio::test]
async fn a_method_may_take_more_than_the_others() {
    let door = open(10_000).await;
    assert_eq!(rest(&door, "/v1/probe/archive", 5000).await.status, 200);
    says(&rest(&door, "/v1/probe/archive", 8000).await, 8000);
    says(&rest(&door, "/v1/probe/echo", 5000).await, 1000);
    let body = envelope(&json!({"text": "x".repeat(5000)}));
    let path = "/loop.probe.v1.ProbeService/Chat";
    let answer = post(&door, path, "application/connect+json", body).await;
    assert!(String::from_utf8_lossy(&answer.body).contains("at most 1000 bytes"), "{answer:?}");
}

#[tokio::test]
async fn no_contract_states_more_than_the_operator_allows() {
    let door = open(3000).await;
    assert_eq!(rest(&door, "/v1/probe/archive", 2500).await.status, 200);
    says(&rest(&door, "/v1/probe/archive", 5000).await, 3000);
}

#[tokio::test]
async fn who_sends_too_much_learns_it_before_it_is_sent() {
    let door = open(10_000).await;
    let head = format!(
        "POST /v1/probe/notes HTTP/1.1\r\nhost: loop.test\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: 9000\r\n\r\n",
        door.prober()
    );
    assert!(door.raw(&head).await.starts_with("HTTP/1.1 413"));
}
