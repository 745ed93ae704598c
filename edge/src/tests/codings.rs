//! Compressed bodies, up and down.

use std::io::{Read as _, Write as _};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use http::Request;

use super::door::{Answer, Door, Setting, report};

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

async fn parse(door: &Door, coding: &str, body: Vec<u8>) -> Answer {
    let request = Request::post("/v1/biomarkers/parse")
        .header("authorization", format!("Bearer {}", door.writer()))
        .header("content-type", "application/json")
        .header("content-encoding", coding);
    door.send_bytes(request, body.into()).await
}

#[tokio::test]
async fn a_compressed_request_is_read_and_a_false_one_refused() {
    let door = Door::open().await;
    assert_eq!(parse(&door, "gzip", gzip(&report("lab"))).await.status, 200);
    let answer = parse(&door, "gzip", report("lab").into_bytes()).await;
    assert_eq!((answer.status, answer.error().as_str()), (400, "validation_error"));
    // No bytes are none that gzip makes.
    assert_eq!(parse(&door, "gzip", Vec::new()).await.status, 400);
    let answer = parse(&door, "deflate", gzip(&report("lab"))).await;
    assert_eq!(answer.status, 415);
}

#[tokio::test]
async fn what_is_small_and_stands_for_much_is_too_large() {
    let mut setting = Setting::new();
    setting.config.limits.body = 10_000;
    let door = setting.open().await;
    let answer = parse(&door, "gzip", gzip(&" ".repeat(10_001))).await;
    assert_eq!((answer.status, answer.error().as_str()), (413, "body_too_large"));
}

#[tokio::test]
async fn a_large_answer_is_compressed_for_who_accepts_it() {
    let door = Door::open().await;
    let token = door.reader();
    let ask = |accept: &'static str| {
        Request::get("/v1/biomarkers/bio_long")
            .header("authorization", format!("Bearer {token}"))
            .header("accept-encoding", accept)
    };
    let plain = door.send(ask("identity"), "").await;
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), ("", "accept-encoding"));
    let coded = door.send(ask("gzip"), "").await;
    assert_eq!(
        (coded.header("content-encoding"), coded.header("vary")),
        ("gzip", "accept-encoding")
    );
    assert!(coded.body.len() < plain.body.len() / 4);
    let mut text = Vec::new();
    GzDecoder::new(&coded.body[..]).read_to_end(&mut text).unwrap();
    assert_eq!(text, plain.body);
    let small = door.send(Request::get("/healthz").header("accept-encoding", "gzip"), "").await;
    assert_eq!((small.header("content-encoding"), small.header("vary")), ("", ""));
}
