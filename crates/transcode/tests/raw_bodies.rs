//! Raw bodies: what comes before their bytes, so that nobody has to copy them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use http::Method;
use proptest::prelude::*;
use serde_json::{Value, json};
use support::found;
use transcode::{Match, Style};

fn read(found: &Match<'_>, wire: &[u8]) -> Value {
    let json = found.method().input().to_json(wire, Style::Canonical).unwrap();
    serde_json::from_slice(&json).unwrap()
}

#[test]
fn a_prefix_and_the_body_are_the_message() {
    let scan = found(Method::POST, "/scans/s");
    let prefix = scan.request_prefix(None, Some("image/png"), 5, Style::Rest).unwrap().unwrap();
    let wire = [prefix.as_slice(), b"\x89PNG\0"].concat();
    let content = json!({"contentType": "image/png", "data": "iVBORwA="});
    assert_eq!(read(&scan, &wire), json!({"shelf": "s", "content": content}));
    let whole = found(Method::POST, "/raw");
    let prefix = whole.request_prefix(None, Some("image/png"), 5, Style::Rest).unwrap().unwrap();
    assert_eq!(read(&whole, &[prefix.as_slice(), b"\x89PNG\0"].concat()), content);
}

#[test]
fn later_pieces_of_a_stream_have_neither_path_nor_type() {
    let scan = found(Method::POST, "/scans/s");
    let prefix = scan.later_request_prefix(1).unwrap();
    let wire = [prefix.as_slice(), b"a"].concat();
    assert_eq!(read(&scan, &wire), json!({"content": {"data": "YQ=="}}));
    assert_eq!(wire, scan.later_request(None, b"a", Style::Rest).unwrap());
}

#[test]
fn the_query_is_part_of_the_prefix_and_as_strict_as_ever() {
    let upload = found(Method::POST, "/files/a");
    let prefix = |query| upload.request_prefix(Some(query), None, 1, Style::Rest);
    assert!(prefix("").unwrap().is_some());
    for (query, message) in [
        ("nothing=1", "nothing: is not a known parameter"),
        ("name=b", "name: is part of the path and cannot be a parameter"),
        ("content.data=YQ", "content.data: is the body and cannot be a parameter"),
    ] {
        assert_eq!(prefix(query).unwrap_err().to_string(), message);
    }
}

#[test]
fn an_empty_file_is_a_file_if_it_has_a_type() {
    let upload = found(Method::POST, "/files/a");
    let request = |content_type| {
        let wire = upload.request(None, content_type, b"", Style::Rest).unwrap();
        let prefix = upload.request_prefix(None, content_type, 0, Style::Rest).unwrap();
        assert_eq!(prefix.unwrap(), wire);
        read(&upload, &wire)
    };
    assert_eq!(request(None), json!({"name": "a"}));
    assert_eq!(
        request(Some("text/csv")),
        json!({"name": "a", "content": {"contentType": "text/csv"}})
    );
}

#[test]
fn the_length_of_a_large_body_has_more_digits() {
    let body = vec![7; 2_100_000];
    let scan = found(Method::POST, "/scans/s");
    let prefix = scan.request_prefix(None, None, body.len(), Style::Rest).unwrap().unwrap();
    assert_eq!(prefix, b"\x0a\x01s\x12\xa5\x96\x80\x01\x12\xa0\x96\x80\x01");
    assert_eq!(
        [prefix, body.clone()].concat(),
        scan.request(None, None, &body, Style::Rest).unwrap()
    );
}

#[test]
fn a_body_that_is_not_raw_has_no_prefix() {
    let put = found(Method::PUT, "/message/a");
    assert!(!put.takes_http_body());
    assert_eq!(put.request_prefix(None, None, 1, Style::Rest).unwrap(), None);
    assert_eq!(put.later_request_prefix(1), None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_prefix_fits_a_body_of_any_size(
        length in prop_oneof![0usize..300, 16_000usize..17_000],
        content_type in proptest::option::of("[a-z/]{0,200}"),
    ) {
        let body = vec![7; length];
        for path in ["/scans/s", "/files/a", "/raw"] {
            let found = found(Method::POST, path);
            let content_type = content_type.as_deref();
            let prefix = found.request_prefix(None, content_type, length, Style::Rest);
            let wire = [prefix.unwrap().unwrap(), body.clone()].concat();
            let request = found.request(None, content_type, &body, Style::Rest).unwrap();
            prop_assert!(wire == request);
            let message = found.method().input().to_json(&wire, Style::Canonical);
            prop_assert!(message.is_ok());
        }
    }
}
