//! Entity tags: where an answer has one, and where a request takes one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use http::Method;
use proptest::prelude::*;
use serde_json::json;
use support::{api, found};
use transcode::{Style, Unknown};

fn wire(message: &str, json: &str) -> Vec<u8> {
    let message = api().message(message).unwrap();
    message.to_wire(json.as_bytes(), Style::Canonical, Unknown::Reject).unwrap()
}

/// The request message after `If-Match: "new"`; none if it takes no entity tag.
fn matched(method: Method, path: &str, body: &str) -> Option<serde_json::Value> {
    let found = found(method, path);
    let json = Some("application/json");
    let mut out = found.request(None, json, body.as_bytes(), Style::Rest).unwrap();
    let before = out.clone();
    if !found.set_etag(&mut out, "\"new\"") {
        assert_eq!(out, before);
        return None;
    }
    let json = found.method().input().to_json(&out, Style::Canonical).unwrap();
    Some(serde_json::from_slice(&json).unwrap())
}

#[test]
fn an_answers_tag_is_that_of_what_it_shows() {
    let book = wire("library.Book", r#"{"name":"a","etag":"W/\"4\""}"#);
    assert_eq!(found(Method::GET, "/books/a").etag(&book), Some("W/\"4\""));
    let answer = wire("library.WatchResponse", r#"{"book":{"name":"a","etag":"4"}}"#);
    assert_eq!(found(Method::PUT, "/shelves/s/book").etag(&answer), Some("4"));
}

#[test]
fn an_answer_without_a_tag_has_none() {
    let book = wire("library.Book", r#"{"name":"a","etag":"4"}"#);
    let answer = wire("library.WatchResponse", r#"{"book":{"name":"a","etag":"4"}}"#);
    let odd = wire("library.OddTags", r#"{"etag":["4"],"books":[{"etag":"4"}]}"#);
    let get = found(Method::GET, "/books/a");
    assert_eq!(get.etag(&wire("library.Book", r#"{"name":"a"}"#)), None);
    assert_eq!(get.etag(b""), None);
    assert_eq!(get.etag(b"\x22\x01\xff"), None);
    assert_eq!(get.etag(b"\x22\x05a"), None);
    assert_eq!(found(Method::DELETE, "/books/a").etag(&book), None);
    assert_eq!(found(Method::PUT, "/shelves/s/whole").etag(&answer), None);
    assert_eq!(found(Method::PUT, "/tags").etag(&odd), None);
}

#[test]
fn the_last_tag_counts_even_of_a_message_in_parts() {
    let part = |json| wire("library.WatchResponse", json);
    let parts = [
        part(r#"{"book":{"etag":"1"}}"#),
        part(r#"{"book":{"etag":"2"}}"#),
        part(r#"{"book":{"name":"a"}}"#),
    ];
    assert_eq!(found(Method::PUT, "/shelves/s/book").etag(&parts.concat()), Some("2"));
}

#[test]
fn a_request_takes_the_tag_itself_or_in_its_body() {
    assert_eq!(matched(Method::GET, "/books/a", ""), Some(json!({"name": "a", "etag": "\"new\""})));
    assert_eq!(
        matched(Method::PUT, "/shelves/s/book", r#"{"title":"A","etag":"old"}"#),
        Some(json!({"shelf": "s", "book": {"title": "A", "etag": "\"new\""}}))
    );
    assert_eq!(
        matched(Method::PUT, "/shelves/s/book", ""),
        Some(json!({"shelf": "s", "book": {"etag": "\"new\""}}))
    );
    assert_eq!(matched(Method::PUT, "/shelves/s/whole", "{}"), None);
    assert_eq!(matched(Method::PUT, "/tags", "[]"), None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_tag_that_is_set_is_the_one_that_is_read(tag in "\\PC{1,200}", bytes: Vec<u8>) {
        let mut out = wire("library.Book", r#"{"name":"a","etag":"old"}"#);
        let get = found(Method::GET, "/books/a");
        prop_assert_eq!(get.request_etag(&out), Some("old"));
        prop_assert!(get.set_etag(&mut out, &tag));
        prop_assert_eq!(get.request_etag(&out), Some(tag.as_str()));
        prop_assert_eq!(get.etag(&out), Some(tag.as_str()));
        let _ = get.etag(&bytes);
    }
}
