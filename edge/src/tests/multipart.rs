//! `multipart/form-data`: where a method takes it, how it is read, and what is refused.

use bytes::Bytes;
use http::Request;
use serde_json::json;

use super::{
    door::{Answer, Door, Setting},
    probe,
};

const PATH: &str = "/v1/probe/imports/7";

async fn post(door: &Door, path: &str, content_type: &str, body: impl Into<Bytes>) -> Answer {
    let request = Request::post(path)
        .header("authorization", format!("Bearer {}", door.prober()))
        .header("content-type", content_type);
    door.send_bytes(request, body.into()).await
}

/// Parts with these headers, between boundaries.
fn parts(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (headers, content) in parts {
        body.extend_from_slice(format!("--b\r\n{headers}\r\n\r\n").as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--b--\r\n");
    body
}

fn named(name: &str) -> String {
    format!("Content-Disposition: form-data; name=\"{name}\"")
}

/// Status, reason, field and rule of a refusal.
fn refusal(answer: &Answer) -> (u16, String, String, String) {
    let json = answer.json();
    let violation = &json["details"][1]["field_violations"][0];
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let reason = text(&json["details"][0]["reason"]);
    (answer.status, reason, text(&violation["field"]), text(&violation["description"]))
}

#[tokio::test]
async fn parts_become_fields() {
    let (door, _) = probe::open().await;
    let file = format!("{}; filename=\"a.csv\"\r\nContent-Type: text/csv", named("file"));
    let thing = format!("{}\r\nContent-Type: application/json", named("thing"));
    let body = parts(&[
        (&named("text"), "größer".as_bytes()),
        (&named("tags"), b"a"),
        (&file, b"a,b\r\n--c\r\n"),
        (&named("tags"), b""),
        (&thing, b"{\"name\":\"n\"}"),
        (&named("count"), b"-3"),
    ]);
    let answer = post(&door, PATH, "multipart/form-data; boundary=b", body.clone()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let expected = json!({
        "id": "7", "text": "größer", "tags": ["a", ""], "thing": {"name": "n"}, "count": -3,
        "file": {
            "content_type": "text/csv", "data": probe::base64("a,b\r\n--c\r\n"), "extensions": [],
        },
    });
    assert_eq!(answer.json(), expected);
    let quoted = post(&door, PATH, "Multipart/Form-Data; Boundary=\"b\"", body).await;
    assert_eq!(quoted.json(), expected);
    let json = post(&door, PATH, "application/json", "{\"text\":\"t\"}").await;
    assert_eq!(json.json()["text"], "t");
}

#[tokio::test]
async fn a_body_of_no_parts_is_an_empty_form() {
    let (door, _) = probe::open().await;
    let answer = post(&door, PATH, "multipart/form-data; boundary=b", parts(&[])).await;
    assert_eq!((answer.status, &answer.json()["id"]), (200, &json!("7")));
}

#[tokio::test]
async fn a_coded_body_of_parts_is_restored_first() {
    use std::io::Write as _;
    let (door, _) = probe::open().await;
    let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    coder.write_all(&parts(&[(&named("text"), b"t")])).unwrap();
    let request = Request::post(PATH)
        .header("authorization", format!("Bearer {}", door.prober()))
        .header("content-type", "multipart/form-data; boundary=b")
        .header("content-encoding", "gzip");
    let answer = door.send_bytes(request, coder.finish().unwrap().into()).await;
    assert_eq!(answer.json()["text"], "t", "{answer:?}");
}

#[tokio::test]
async fn what_is_wrong_names_the_part_and_the_rule() {
    let (door, _) = probe::open().await;
    let whole = "multipart/form-data; boundary=b";
    let long = format!("{}\r\nx-long: {}", named("text"), "x".repeat(8 << 10));
    let coded = format!("{}\r\nContent-Transfer-Encoding: base64", named("text"));
    let json = format!("{}\r\nContent-Type: application/json", named("thing"));
    let cut = |body: Vec<u8>, at: usize| body[..body.len() - at].to_vec();
    for (content_type, body, reason, field, rule) in [
        ("multipart/form-data", parts(&[]), "MALFORMED_MULTIPART", "content-type", "a boundary"),
        (
            whole,
            parts(&[(&named("nothing"), b"1")]),
            "INVALID_FIELD",
            "nothing",
            "is not a known part",
        ),
        (whole, parts(&[(&named("count"), b"many")]), "INVALID_FIELD", "count", "must be"),
        (whole, parts(&[(&json, b"{")]), "INVALID_FIELD", "thing", "is not valid JSON"),
        (
            whole,
            parts(&[("Content-Disposition: form-data", b"1")]),
            "MALFORMED_MULTIPART",
            "parts[0]",
            "must have a name",
        ),
        (
            whole,
            parts(&[(&named("text"), b"1"), ("no header", b"1")]),
            "MALFORMED_MULTIPART",
            "parts[1]",
            "must have headers",
        ),
        (whole, parts(&[(&long, b"1")]), "MALFORMED_MULTIPART", "text", "at most 8192 bytes"),
        (whole, parts(&[(&coded, b"1")]), "MALFORMED_MULTIPART", "text", "transfer-encoding"),
        (
            whole,
            cut(parts(&[(&named("text"), b"1")]), 9),
            "MALFORMED_MULTIPART",
            "text",
            "must end with its boundary",
        ),
        (whole, b"nothing".to_vec(), "MALFORMED_MULTIPART", "body", "must end with its boundary"),
        (whole, Vec::new(), "MALFORMED_MULTIPART", "body", "must end with its boundary"),
    ] {
        let answer = post(&door, PATH, content_type, body).await;
        let found = refusal(&answer);
        assert_eq!((found.0, &*found.1, &*found.2), (400, reason, field), "{answer:?}");
        assert!(found.3.contains(rule), "{found:?}");
    }
}

#[tokio::test]
async fn parts_are_limited_in_number_and_in_size() {
    let mut setting = Setting::new();
    setting.config.limits.body = 100_000;
    let (door, _) = probe::open_with(setting).await;
    let (tag, text) = (named("tags"), named("text"));
    let content_type = "multipart/form-data; boundary=b";
    let many = vec![(&*tag, &b"a"[..]); 1001];
    let answer = post(&door, PATH, content_type, parts(&many[1..])).await;
    assert_eq!(answer.json()["tags"].as_array().unwrap().len(), 1000);
    let answer = post(&door, PATH, content_type, parts(&many)).await;
    assert_eq!((answer.status, answer.error().as_str()), (413, "body_too_large"));
    assert_eq!(refusal(&answer).1, "TOO_MANY_PARTS");
    let large = vec![b'x'; 100_001];
    let answer = post(&door, PATH, content_type, parts(&[(&text, &large)])).await;
    assert_eq!((answer.status, refusal(&answer).1.as_str()), (413, "BODY_TOO_LARGE"));
}

#[tokio::test]
async fn elsewhere_parts_are_415() {
    let (door, _) = probe::open().await;
    for path in ["/v1/probe/echo", "/v1/probe/collect"] {
        let body = parts(&[(&named("text"), b"t")]);
        let answer = post(&door, path, "multipart/form-data; boundary=b", body).await;
        assert_eq!((answer.status, answer.error().as_str()), (415, "unsupported_media_type"));
    }
    let answer = post(&door, PATH, "multipart/mixed; boundary=b", parts(&[(&named("text"), b"t")]));
    assert_eq!(answer.await.status, 415);
}
