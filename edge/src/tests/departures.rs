//! Callers who set a time, and callers who leave: what their services learn of it.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use serde_json::json;

use super::{
    door::{Door, Setting, until},
    probe::{self, envelope, wire},
};
use crate::grpc::frame;

const GET_BIOMARKER: &str = "/loop.clinical.v1.ClinicalService/GetBiomarker";
const WATCH: &str = "/loop.probe.v1.ProbeService/Watch";

async fn connect(door: &Door) -> SendRequest<Full<Bytes>> {
    let stream = tokio::net::TcpStream::connect(door.address).await.unwrap();
    let builder = http2::Builder::new(TokioExecutor::new());
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn request(
    door: &Door,
    path: &str,
    token: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Request<Full<Bytes>> {
    let mut request = Request::post(format!("http://{}{path}", door.address))
        .header("authorization", format!("Bearer {token}"))
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::from(body)).unwrap()
}

fn biomarker(id: &str) -> Vec<u8> {
    let message = clinical_contract::v1::GetBiomarkerRequest { id: id.into() };
    frame(&message.encode_to_vec()).to_vec()
}

/// A stream that has begun and never ends.
async fn begun(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Response<Incoming> {
    let mut response = sender.send_request(request).await.unwrap();
    response.frame().await.unwrap().unwrap().into_data().unwrap();
    response
}

#[tokio::test]
async fn a_callers_time_is_the_services_less_the_way_back() {
    let door = Door::open().await;
    let mut sender = connect(&door).await;
    let grpc = ("content-type", "application/grpc");
    let connect = ("content-type", "application/proto");
    for (headers, most) in [
        ([grpc, ("grpc-timeout", "2S")], 1950),
        ([grpc, ("grpc-timeout", "400m")], 380),
        ([connect, ("connect-timeout-ms", "2000")], 1950),
        ([connect, ("request-timeout", "2")], 1950),
        ([grpc, ("grpc-timeout", "1H")], 29_950),
    ] {
        let body = biomarker("bio_1");
        let body = if headers[0] == grpc { body } else { body[5..].to_vec() };
        let request = request(&door, GET_BIOMARKER, &door.reader(), &headers, body);
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.into_body().collect().await.unwrap();
        let heard = door.clinical.last()["grpc-timeout"].to_str().unwrap().to_owned();
        let left: u64 = heard.trim_end_matches('m').parse().unwrap();
        assert!((most / 2..=most).contains(&left), "{headers:?}: {heard}");
    }
}

#[tokio::test]
async fn a_grpc_caller_who_gives_up_a_call_ends_it_at_the_service() {
    let door = Arc::new(Setting::new().over_tcp().open().await);
    let mut sender = connect(&door).await;
    let grpc = [("content-type", "application/grpc")];
    let stalls = request(&door, GET_BIOMARKER, &door.reader(), &grpc, biomarker("bio_stalls"));
    let call = tokio::spawn(sender.send_request(stalls));
    until("the call to arrive", || door.clinical.calls() == 1).await;
    // RST_STREAM: the connection stays, and so do its other calls.
    call.abort();
    until("the call to end", || door.clinical.gone() == 1).await;
    let again = request(&door, GET_BIOMARKER, &door.reader(), &grpc, biomarker("bio_1"));
    let answer = sender.send_request(again).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(answer.trailers().unwrap()["grpc-status"], "0");
}

#[tokio::test]
async fn who_leaves_a_stream_ends_it_at_the_service_in_every_protocol() {
    let (door, probe) = probe::open().await;
    let message = json!({"text": "hi", "count": 1, "hangs": true});
    let framed = frame(&wire("WatchRequest", &message)).to_vec();
    for (left, content_type, body) in [
        (1, "application/grpc", framed.clone()),
        (2, "application/grpc-web", framed),
        (3, "application/connect+json", envelope(&message)),
    ] {
        let mut sender = connect(&door).await;
        let headers = [("content-type", content_type)];
        let response =
            begun(&mut sender, request(&door, WATCH, &door.prober(), &headers, body)).await;
        assert_eq!(probe.gone(), left - 1);
        drop(response);
        until("the call to end", || probe.gone() == left).await;
    }
    for (left, accept) in [(4, "text/event-stream"), (5, "application/x-ndjson")] {
        let mut sender = connect(&door).await;
        let path = format!("http://{}/v1/probe/watch/hi?count=1&hangs=true", door.address);
        let request = Request::get(path)
            .header("authorization", format!("Bearer {}", door.prober()))
            .header("accept", accept)
            .body(Full::default())
            .unwrap();
        let response = begun(&mut sender, request).await;
        assert_eq!(probe.gone(), left - 1);
        drop(response);
        until("the call to end", || probe.gone() == left).await;
    }
}
