//! Streams: element after element of an answer, document after document of a request.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use http::Method;
use proptest::prelude::*;
use support::{api, found};
use transcode::{Chunk, Documents, ResponseError, Style, Unknown, WireError};

fn wire(message: &str, json: &str) -> Vec<u8> {
    let message = api().message(message).unwrap();
    message.to_wire(json.as_bytes(), Style::Canonical, Unknown::Reject).unwrap()
}

fn element(path: &str, wire: &[u8]) -> String {
    let mut out = b"data: ".to_vec();
    found(Method::GET, path).element(wire, Style::Rest, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The messages of a request stream as canonical JSON.
fn messages(path: &str, query: Option<&str>, body: &str) -> Vec<String> {
    let found = found(Method::POST, path);
    let mut documents = Documents::new(1000);
    documents.push(body.as_bytes());
    documents.finish();
    let mut messages = Vec::new();
    while let Some(document) = documents.next_document().unwrap() {
        let json = Some("application/json");
        let wire = match messages.is_empty() {
            true => found.request(query, json, document, Style::Rest),
            false => found.later_request(json, document, Style::Rest),
        };
        let message = wire.map(|wire| {
            let json = found.method().input().to_json(&wire, Style::Canonical).unwrap();
            String::from_utf8(json).unwrap()
        });
        messages.push(message.unwrap_or_else(|error| error.to_string()));
    }
    messages
}

#[test]
fn methods_tell_how_they_stream_and_what_is_raw() {
    let method = |name: &str| api().method(&format!("/library.Streams/{name}")).unwrap();
    let facts = |name| {
        let method = method(name);
        [
            method.is_client_streaming(),
            method.is_server_streaming(),
            method.takes_http_body(),
            method.answers_http_body(),
        ]
    };
    assert_eq!(facts("Watch"), [false, true, false, false]);
    assert_eq!(facts("Import"), [true, false, false, false]);
    assert_eq!(facts("Download"), [false, true, false, true]);
    assert_eq!(facts("Scan"), [true, true, true, true]);
}

#[test]
fn an_element_is_appended_whole_or_as_its_response_body() {
    let book = wire("library.WatchResponse", r#"{"book":{"name":"a\nb"},"position":"3"}"#);
    assert_eq!(
        element("/shelves/s:watch", &book),
        r#"data: {"book":{"name":"a\nb","authors":[]},"position":"3"}"#
    );
    assert_eq!(element("/shelves/s:books", &book), r#"data: {"name":"a\nb","authors":[]}"#);
    assert_eq!(element("/shelves/s:books", b""), "data: null");
    assert_eq!(element("/ping", b""), "data: {}");
}

#[test]
fn an_element_that_is_no_message_leaves_nothing_behind() {
    let mut out = b"[{}".to_vec();
    let broken = b"\x0a\x05\x12\x01a\x1a\xff";
    let watch = found(Method::GET, "/shelves/s:watch");
    let error = watch.element(broken, Style::Rest, &mut out).unwrap_err();
    assert_eq!(error, ResponseError::Malformed(WireError::Truncated));
    assert_eq!(out, b"[{}");
}

#[test]
fn path_and_query_are_part_of_the_first_message_only() {
    let expected = [
        r#"{"shelf":"s","book":{"title":"A"}}"#,
        r#"{"book":{"title":"B"}}"#,
        r#"{"shelf":"other"}"#,
    ];
    assert_eq!(
        messages(
            "/shelves/s:import",
            None,
            "{\"book\":{\"title\":\"A\"}}\n{\"book\":{\"title\":\"B\"}}\n{\"shelf\":\"other\"}\n"
        ),
        expected
    );
    assert_eq!(
        messages(
            "/shelves/s/books:import",
            Some("overwrite=true"),
            r#"[{"title":"A"}, {"title":"B"}, {"titel":"C"}]"#
        ),
        [
            r#"{"shelf":"s","book":{"title":"A"},"overwrite":true}"#,
            r#"{"book":{"title":"B"}}"#,
            "book.titel: is not a known field",
        ]
    );
}

#[test]
fn a_raw_answer_is_a_part_of_its_message() {
    let download = found(Method::GET, "/shelves/s:download");
    let message = wire("google.api.HttpBody", r#"{"contentType":"text/csv","data":"YSxi"}"#);
    let chunk = download.chunk(&message).unwrap().unwrap();
    assert_eq!(chunk, Chunk { content_type: Some("text/csv"), data: b"a,b" });
    assert!(message.as_ptr_range().contains(&chunk.data.as_ptr()));
    let empty = Chunk { content_type: None, data: b"" };
    assert_eq!(download.chunk(b"").unwrap(), Some(empty));
    assert_eq!(download.chunk(b"\x0a\x01\xff").unwrap_err(), WireError::NotUtf8.into());
    assert_eq!(found(Method::GET, "/shelves/s:watch").chunk(&message).unwrap(), None);
}

#[test]
fn a_raw_response_body_that_comes_in_parts_is_merged() {
    let scan = found(Method::POST, "/scans/s");
    let parts = [
        wire("library.Page", r#"{"content":{"contentType":"image/png","data":"YQ=="}}"#),
        wire("library.Page", r#"{"shelf":"s","content":{"data":"Yg=="}}"#),
    ]
    .concat();
    let chunk = scan.chunk(&parts).unwrap().unwrap();
    assert_eq!(chunk, Chunk { content_type: Some("image/png"), data: b"b" });
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_element_has_a_line_break(title: String, authors: Vec<String>) {
        let book = serde_json::json!({"book": {"title": title, "authors": authors}});
        let wire = wire("library.WatchResponse", &book.to_string());
        let line = element("/shelves/s:watch", &wire);
        prop_assert!(!line.contains(['\n', '\r']), "{}", line);
        let read: serde_json::Value = serde_json::from_str(&line["data: ".len()..]).unwrap();
        prop_assert_eq!(&read["book"]["title"].as_str().unwrap_or_default(), &title);
    }
}
