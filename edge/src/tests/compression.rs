//! Messages that are compressed one by one, before services that read plain ones.

use std::io::{Read as _, Write as _};

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};

use super::{
    door::{Answer, Door, Setting},
    probe::{self, envelopes, json_of, wire},
};
use crate::grpc::{flagged, frame};

const ECHO: &str = "/loop.probe.v1.ProbeService/Echo";
const COLLECT: &str = "/loop.probe.v1.ProbeService/Collect";
const CHAT: &str = "/loop.probe.v1.ProbeService/Chat";
const WATCH: &str = "/loop.probe.v1.ProbeService/Watch";

pub type Headers<'a> = &'a [(&'static str, &'a str)];

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn gunzip(coded: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(coded).read_to_end(&mut plain).unwrap();
    plain
}

fn zstd(plain: &[u8]) -> Vec<u8> {
    zstd::encode_all(plain, 3).unwrap()
}

fn echo(text: &str) -> Vec<u8> {
    wire("EchoRequest", &json!({"text": text}))
}

/// Over HTTP/2: headers, body and trailers.
pub async fn grpc(
    door: &Door,
    path: &str,
    headers: Headers<'_>,
    body: Vec<u8>,
) -> (HeaderMap, Bytes, HeaderMap) {
    let stream = tokio::net::TcpStream::connect(door.address).await.unwrap();
    let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::post(format!("http://{}{path}", door.address))
        .header("authorization", format!("Bearer {}", door.prober()))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::<Bytes>::from(body)).unwrap();
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().cloned().unwrap_or_default();
    (head.headers, body.to_bytes(), trailers)
}

async fn post(
    door: &Door,
    path: &str,
    content_type: &str,
    headers: Headers<'_>,
    body: Vec<u8>,
) -> Answer {
    let mut request = Request::post(path)
        .header("authorization", format!("Bearer {}", door.prober()))
        .header("content-type", content_type);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    door.send_bytes(request, body.into()).await
}

#[tokio::test]
async fn a_grpc_message_is_restored_for_its_service() {
    let (door, _) = probe::open().await;
    for (name, coded) in [("gzip", gzip(&echo("hi"))), ("zstd", zstd(&echo("hi")))] {
        let (_, body, trailers) =
            grpc(&door, ECHO, &[("grpc-encoding", name)], flagged(1, &coded).to_vec()).await;
        assert_eq!(trailers["grpc-status"], "0", "{name}");
        assert_eq!(json_of("EchoResponse", &envelopes(body)[0].1)["text"], "hi");
    }
    // One by one: the second is as it is.
    let body = [flagged(1, &gzip(&echo("a"))), frame(&echo("b"))].concat();
    for (path, texts) in [(COLLECT, vec!["ab"]), (CHAT, vec!["a", "b"])] {
        let (_, body, trailers) =
            grpc(&door, path, &[("grpc-encoding", "gzip")], body.clone()).await;
        assert_eq!(trailers["grpc-status"], "0", "{path}");
        let found: Vec<_> = envelopes(body)
            .iter()
            .map(|(_, it)| json_of("EchoResponse", it)["text"].clone())
            .collect();
        assert_eq!(found, texts);
    }
}

#[tokio::test]
async fn a_coding_that_is_not_read_is_unimplemented_and_the_others_are_named() {
    let (door, _) = probe::open().await;
    for path in [ECHO, CHAT] {
        let (headers, ..) =
            grpc(&door, path, &[("grpc-encoding", "snappy")], flagged(1, b"x").to_vec()).await;
        assert_eq!(headers["grpc-status"], "12", "{path}");
        assert_eq!(headers["grpc-accept-encoding"], "identity,gzip,zstd");
    }
    let sent = [("connect-content-encoding", "br")];
    let answer = post(&door, CHAT, "application/connect+json", &sent, vec![]).await;
    assert_eq!(answer.header("connect-accept-encoding"), "identity,gzip,zstd");
    let end: Value = serde_json::from_slice(&envelopes(answer.body)[0].1).unwrap();
    assert_eq!(end["error"]["code"], "unimplemented");
}

#[tokio::test]
async fn a_few_bytes_that_stand_for_many_go_no_further() {
    let mut setting = Setting::new();
    setting.config.limits.body = 10_000;
    let (door, _) = probe::open_with(setting).await;
    let bomb = flagged(1, &gzip(&vec![0; 1 << 20])).to_vec();
    // Each within the limit, and not together.
    let many = flagged(1, &gzip(&vec![0; 6000])).repeat(2);
    let sent = [("grpc-encoding", "gzip")];
    for (path, body) in [(ECHO, &bomb), (ECHO, &many), (COLLECT, &bomb), (CHAT, &bomb)] {
        let (headers, _, trailers) = grpc(&door, path, &sent, body.clone()).await;
        let told = if trailers.is_empty() { headers } else { trailers };
        assert_eq!(told["grpc-status"], "3", "{path}: {told:?}");
        assert!(told["grpc-message"].to_str().unwrap().contains("10000"), "{path}: {told:?}");
    }
    let answer = post(&door, ECHO, "application/grpc-web", &sent, bomb.clone()).await;
    assert!(String::from_utf8_lossy(&answer.body).contains("grpc-status: 3"), "{answer:?}");
    let sent = [("connect-content-encoding", "gzip")];
    let answer = post(&door, CHAT, "application/connect+proto", &sent, bomb).await;
    assert!(String::from_utf8_lossy(&answer.body).contains("10000"), "{answer:?}");
}

#[tokio::test]
async fn what_is_not_as_its_coding_says_is_refused() {
    let (door, _) = probe::open().await;
    for (path, flags, message) in [(ECHO, 1, &b"x"[..]), (ECHO, 2, b""), (COLLECT, 1, b"x")] {
        let (headers, ..) =
            grpc(&door, path, &[("grpc-encoding", "gzip")], flagged(flags, message).to_vec()).await;
        assert_eq!(headers["grpc-status"], "3", "{path} {flags}");
    }
}

#[tokio::test]
async fn an_answer_is_compressed_for_who_reads_it_where_it_pays() {
    let (door, _) = probe::open().await;
    let long = "x".repeat(3000);
    for (accepted, coding) in [("identity,deflate,gzip", "gzip"), ("gzip, zstd", "zstd")] {
        let sent = [("grpc-accept-encoding", accepted)];
        let (headers, body, trailers) =
            grpc(&door, ECHO, &sent, frame(&echo(&long)).to_vec()).await;
        assert_eq!(
            (&headers["grpc-encoding"], &trailers["grpc-status"]),
            (&coding.parse().unwrap(), &"0".parse().unwrap())
        );
        let found = envelopes(body);
        assert_eq!(found[0].0, 1);
        let plain = match coding {
            "gzip" => gunzip(&found[0].1),
            _ => zstd::decode_all(&found[0].1[..]).unwrap(),
        };
        assert_eq!(json_of("EchoResponse", &plain)["text"], *long);
        let (_, body, _) = grpc(&door, ECHO, &sent, frame(&echo("short")).to_vec()).await;
        assert_eq!(envelopes(body)[0].0, 0);
    }
    let (headers, body, _) = grpc(&door, ECHO, &[], frame(&echo(&long)).to_vec()).await;
    assert_eq!((headers.get("grpc-encoding"), envelopes(body)[0].0), (None, 0));
    let sent = [("grpc-accept-encoding", "snappy")];
    let (headers, ..) = grpc(&door, ECHO, &sent, frame(&echo(&long)).to_vec()).await;
    assert!(!headers.contains_key("grpc-encoding"));
}

#[tokio::test]
async fn grpc_web_and_connect_streams_compress_alike() {
    let (door, _) = probe::open().await;
    let long = "x".repeat(3000);
    let sent = [("grpc-encoding", "gzip"), ("grpc-accept-encoding", "gzip")];
    let body = flagged(1, &gzip(&echo(&long))).to_vec();
    let answer = post(&door, ECHO, "application/grpc-web+proto", &sent, body).await;
    assert_eq!(answer.header("grpc-encoding"), "gzip");
    let found = envelopes(answer.body);
    assert_eq!(found.iter().map(|(flags, _)| *flags).collect::<Vec<_>>(), [1, 0x80]);
    assert_eq!(json_of("EchoResponse", &gunzip(&found[0].1))["text"], *long);

    let sent = [("connect-content-encoding", "zstd"), ("connect-accept-encoding", "gzip")];
    let request = json!({"text": long, "count": 1}).to_string();
    let body = flagged(1, &zstd(request.as_bytes())).to_vec();
    let answer = post(&door, WATCH, "application/connect+json", &sent, body).await;
    assert_eq!(answer.header("connect-content-encoding"), "gzip");
    let found = envelopes(answer.body);
    assert_eq!(found.iter().map(|(flags, _)| *flags).collect::<Vec<_>>(), [1, 2]);
    let message: Value = serde_json::from_slice(&gunzip(&found[0].1)).unwrap();
    assert_eq!(message["text"], *long);
}
