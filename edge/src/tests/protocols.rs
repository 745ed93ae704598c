//! gRPC, gRPC-Web and Connect: the same methods behind the same checkpoints, in other words.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use clinical_contract::v1::{self as pb, clinical_service_client::ClinicalServiceClient};
use http::Request;
use serde_json::{Value, json};
use tonic::{Code, transport::Endpoint};
use tonic_types::StatusExt as _;

use super::{
    door::{Answer, Door, until},
    probe::{self, envelope, envelopes, json_of, wire},
};
use crate::grpc::frame;

const ECHO: &str = "/loop.probe.v1.ProbeService/Echo";
const WATCH: &str = "/loop.probe.v1.ProbeService/Watch";
const CHAT: &str = "/loop.probe.v1.ProbeService/Chat";
const CHANGE: &str = "/loop.probe.v1.ProbeService/Change";

async fn send(door: &Door, path: &str, content_type: &str, body: Vec<u8>) -> Answer {
    let request = Request::post(path)
        .header("authorization", format!("Bearer {}", door.prober()))
        .header("content-type", content_type);
    door.send_bytes(request, body.into()).await
}

async fn connect_json(door: &Door, path: &str, json: Value) -> Answer {
    send(door, path, "application/json", json.to_string().into_bytes()).await
}

#[tokio::test]
async fn a_grpc_client_calls_and_fails_as_at_the_service() {
    let door = Door::open().await;
    let address = format!("http://{}", door.address);
    let channel = Endpoint::from_shared(address).unwrap().connect().await.unwrap();
    let mut client = ClinicalServiceClient::new(channel);
    let call = |id: &str, token: &str| {
        let mut request = tonic::Request::new(pb::GetBiomarkerRequest { id: id.into() });
        if !token.is_empty() {
            let value = format!("Bearer {token}").parse().unwrap();
            request.metadata_mut().insert("authorization", value);
        }
        request
    };
    let reader = door.reader();
    let answer = client.get_biomarker(call("bio_1", &reader)).await.unwrap();
    assert!(answer.metadata().get(kit::RECEIPT).is_none());
    assert_eq!(answer.into_inner().biomarker.unwrap().value, "4.10");
    let failure = client.get_biomarker(call("bio_missing", &reader)).await.unwrap_err();
    assert_eq!(failure.code(), Code::NotFound);
    assert_eq!(failure.get_details_error_info().unwrap().reason, "BIOMARKER_NOT_FOUND");
    let failure = client.get_biomarker(call("bio_unaudited", &reader)).await.unwrap_err();
    assert_eq!(failure.code(), Code::Internal);
    let failure = client.get_biomarker(call("bio_1", "")).await.unwrap_err();
    assert_eq!(failure.code(), Code::Unauthenticated);
    let failure = client.get_biomarker(call("bio_1", &door.writer())).await.unwrap_err();
    assert_eq!(failure.code(), Code::PermissionDenied);
    let mut slow = call("bio_stalls", &reader);
    slow.set_timeout(Duration::from_millis(150));
    let failure = client.get_biomarker(slow).await.unwrap_err();
    assert!(matches!(failure.code(), Code::DeadlineExceeded | Code::Cancelled), "{failure:?}");
}

#[tokio::test]
async fn grpc_streams_go_both_ways_as_they_come() {
    let (door, probe) = probe::open().await;
    let stream = tokio::net::TcpStream::connect(door.address).await.unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(executor, io).await.unwrap();
    tokio::spawn(connection);
    let (say, said) = tokio::sync::mpsc::channel::<Bytes>(1);
    let said = futures::stream::unfold(said, |mut said| async move {
        let next = said.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(hyper::body::Frame::data(next)), said))
    });
    let body = tonic::body::Body::new(http_body_util::StreamBody::new(said));
    let request = Request::post(format!("http://{}{CHAT}", door.address))
        .header("authorization", format!("Bearer {}", door.prober()))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body)
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let mut messages = crate::grpc::Messages::open(answer.map(tonic::body::Body::new)).unwrap();
    assert!(!messages.headers.contains_key("loop-secret"));
    for text in ["one", "two"] {
        say.send(frame(&wire("EchoRequest", &json!({"text": text})))).await.unwrap();
        let heard = messages.next().await.unwrap().unwrap();
        assert_eq!(json_of("EchoResponse", &heard)["text"], text);
    }
    say.send(frame(&wire("EchoRequest", &json!({"text": "missing"})))).await.unwrap();
    let failure = messages.next().await.unwrap_err();
    assert_eq!(failure.code(), Code::NotFound);
    assert_eq!(probe.gone(), 0);
}

#[tokio::test]
async fn grpc_needs_http_2_and_says_so() {
    let (door, _) = probe::open().await;
    let answer = send(&door, ECHO, "application/grpc", frame(b"").to_vec()).await;
    assert_eq!(answer.header("grpc-status"), "3");
    assert!(answer.header("grpc-message").contains("HTTP"), "{answer:?}");
}

#[tokio::test]
async fn grpc_web_has_its_trailers_in_the_body() {
    let (door, _) = probe::open().await;
    let message = frame(&wire("WatchRequest", &json!({"text": "hi", "count": 2})));
    let answer = send(&door, WATCH, "application/grpc-web+proto", message.to_vec()).await;
    assert_eq!(answer.header("content-type"), "application/grpc-web+proto");
    let found = envelopes(answer.body);
    assert_eq!(found.iter().map(|(flags, _)| *flags).collect::<Vec<_>>(), [0, 0, 0x80]);
    assert_eq!(json_of("EchoResponse", &found[1].1)["count"], "1");
    assert_eq!(found[2].1, "grpc-status: 0\r\n");
}

#[tokio::test]
async fn grpc_web_takes_a_stream_of_requests_from_those_who_can_send_it() {
    let (door, _) = probe::open().await;
    let said = ["a", "b"].map(|it| frame(&wire("EchoRequest", &json!({"text": it}))));
    let answer = send(&door, CHAT, "application/grpc-web+proto", said.concat()).await;
    let found = envelopes(answer.body);
    assert_eq!(found.iter().map(|(flags, _)| *flags).collect::<Vec<_>>(), [0, 0, 0x80]);
    assert_eq!(json_of("EchoResponse", &found[1].1)["text"], "b");
}

#[tokio::test]
async fn a_grpc_stream_ends_with_the_gateway() {
    let (door, probe) = probe::open().await;
    let door = Arc::new(door);
    let (room, caller) = (&door.parts.capacity.streams, door.clone());
    let all = room.available_permits();
    let watching = tokio::spawn(async move {
        let message = json!({"text": "hi", "count": 1, "hangs": true});
        let message = frame(&wire("WatchRequest", &message)).to_vec();
        send(&caller, WATCH, "application/grpc-web+proto", message).await
    });
    until("the stream to begin", || room.available_permits() < all).await;
    door.shutdown.cancel();
    let found = envelopes(watching.await.unwrap().body);
    let (flags, trailers) = found.last().unwrap();
    assert_eq!(*flags, 0x80);
    assert!(String::from_utf8_lossy(trailers).contains("grpc-status: 14"), "{trailers:?}");
    until("the call to end", || probe.gone() == 1).await;
}

#[tokio::test]
async fn grpc_web_text_is_base64_both_ways() {
    let (door, _) = probe::open().await;
    let message = frame(&wire("EchoRequest", &json!({"text": "hi"})));
    let body = encode_base64(&message);
    let answer = send(&door, ECHO, "application/grpc-web-text", body).await;
    assert_eq!(answer.header("content-type"), "application/grpc-web-text+proto");
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let bytes: Vec<u8> = crate::call::decode_web_text(text.as_bytes()).unwrap().to_vec();
    let found = envelopes(bytes.into());
    assert_eq!(json_of("EchoResponse", &found[0].1)["text"], "hi");
    let answer = send(&door, ECHO, "application/grpc-web-text", b"*".to_vec()).await;
    assert_eq!(answer.status, 200);
    // Text comes as a whole, so it is no stream of requests.
    let answer = send(&door, CHAT, "application/grpc-web-text", vec![]).await;
    let refused = crate::call::decode_web_text(&answer.body).unwrap();
    assert!(String::from_utf8_lossy(&refused).contains("grpc-status: 3"), "{refused:?}");
}

fn encode_base64(bytes: &[u8]) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes).into_bytes()
}

#[tokio::test]
async fn a_refusal_in_grpc_web_is_in_the_body_too() {
    let (door, _) = probe::open().await;
    let request = Request::post(ECHO).header("content-type", "application/grpc-web");
    let answer = door.send_bytes(request, frame(b"").to_vec().into()).await;
    assert_eq!(answer.status, 200);
    let found = envelopes(answer.body);
    assert_eq!(found[0].0, 0x80);
    assert!(String::from_utf8_lossy(&found[0].1).contains("grpc-status: 16"));
}

#[tokio::test]
async fn connect_speaks_json_and_protobuf() {
    let (door, _) = probe::open().await;
    let answer = connect_json(&door, ECHO, json!({"text": "hi", "unknown": 1})).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    assert_eq!(answer.json(), json!({"text": "hi", "count": "1"}));
    let body = wire("EchoRequest", &json!({"text": "hi"}));
    let answer = send(&door, ECHO, "application/proto", body).await;
    assert_eq!(answer.header("content-type"), "application/proto");
    assert_eq!(json_of("EchoResponse", &answer.body)["text"], "hi");
    assert!(answer.headers.get("loop-secret").is_none());
}

#[tokio::test]
async fn connect_names_its_errors_in_its_own_words() {
    let (door, _) = probe::open().await;
    let answer = connect_json(&door, ECHO, json!({"text": "missing"})).await;
    assert_eq!(answer.status, 404);
    let error = answer.json();
    assert_eq!((&error["code"], &error["message"]), (&json!("not_found"), &json!("no such thing")));
    assert_eq!(error["details"][0]["type"], "google.rpc.ErrorInfo");
    assert_eq!(error["details"][0]["debug"]["reason"], "THING_NOT_FOUND");
    let answer = connect_json(&door, ECHO, json!({"text": 7})).await;
    assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("invalid_argument")));
    let answer = send(&door, ECHO, "text/plain", vec![]).await;
    assert_eq!(answer.status, 415);
    let answer = door.post(ECHO, "", "{}").await;
    assert_eq!((answer.status, &answer.json()["code"]), (401, &json!("unauthenticated")));
    assert!(answer.header("www-authenticate").starts_with("Bearer"));
}

#[tokio::test]
async fn connect_reads_by_get_and_changes_by_post_only() {
    let (door, _) = probe::open().await;
    let path = format!("{ECHO}?connect=v1&encoding=json&message=%7B%22text%22%3A%22hi%22%7D");
    let answer = door.get(&path, &door.prober()).await;
    assert_eq!(answer.json()["text"], "hi");
    let path = format!("{CHANGE}?connect=v1&encoding=json&message=%7B%7D");
    let answer = door.get(&path, &door.prober()).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    let answer = connect_json(&door, CHANGE, json!({"id": "1", "thing": {"name": "n"}})).await;
    assert_eq!(answer.json()["thing"]["name"], "n");
}

#[tokio::test]
async fn connect_streams_are_enveloped_and_end_with_a_word() {
    let (door, _) = probe::open().await;
    let body = envelope(&json!({"text": "hi", "count": 2}));
    let answer = send(&door, WATCH, "application/connect+json", body).await;
    assert_eq!(answer.header("content-type"), "application/connect+json");
    let found = envelopes(answer.body);
    assert_eq!(found.len(), 3);
    assert_eq!(found[2], (2, Bytes::from_static(b"{}")));
    let body = envelope(&json!({"text": "hi", "count": 1, "fails": true}));
    let found = envelopes(send(&door, WATCH, "application/connect+json", body).await.body);
    let end: Value = serde_json::from_slice(&found[1].1).unwrap();
    assert_eq!((found[1].0, &end["error"]["code"]), (2, &json!("not_found")));
    let body = [envelope(&json!({"text": "a"})), envelope(&json!({"text": "b"}))].concat();
    let found = envelopes(send(&door, CHAT, "application/connect+json", body).await.body);
    assert_eq!(found.len(), 3);
}

#[tokio::test]
async fn a_bad_message_in_a_connect_stream_is_named_at_its_end() {
    let (door, _) = probe::open().await;
    let bad = envelope(&json!({"text": 7}));
    for (path, body) in [
        (CHAT, [envelope(&json!({"text": "a"})), bad.clone()].concat()),
        (WATCH, bad.clone()),
        (CHAT, envelope(&json!({"text": "a"}))[..4].to_vec()),
    ] {
        let answer = send(&door, path, "application/connect+json", body).await;
        assert_eq!(answer.status, 200);
        let found = envelopes(answer.body);
        let (flags, end) = found.last().unwrap();
        let end: Value = serde_json::from_slice(end).unwrap();
        assert_eq!((*flags, &end["error"]["code"]), (2, &json!("invalid_argument")), "{end}");
    }
    let answer = send(&door, ECHO, "application/connect+json", bad).await;
    assert_eq!(answer.status, 415);
}
