//! Bodies of parts: each one a field, a file or a JSON value.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use http::Method;
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{api, found};
use transcode::{Part, Style};

const JSON: Option<&str> = Some("application/json");

fn part<'a>(name: &'a str, content_type: Option<&'a str>, text: &'a str) -> Part<'a> {
    Part { name, content_type, bytes: text.as_bytes() }
}

/// The request message as canonical JSON, or the error.
fn sent(method: Method, target: &str, parts: &[Part<'_>]) -> Result<Value, String> {
    let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q)));
    let found = found(method, path);
    let wire = found.request_from_parts(query, parts, Style::Rest).map_err(|e| e.to_string())?;
    let json = found.method().input().to_json(&wire, Style::Canonical).unwrap();
    Ok(serde_json::from_slice(&json).unwrap())
}

fn post(parts: &[Part<'_>]) -> Result<Value, String> {
    sent(Method::POST, "/works", parts)
}

#[test]
fn only_a_contract_that_asks_for_it_has_multipart_bodies() {
    assert!(api().method("/library.Forms/AddWork").unwrap().accepts_multipart());
    assert!(!api().method("/library.Forms/FindWork").unwrap().accepts_multipart());
    let error = found(Method::POST, "/works").request(None, None, b"{}", Style::Rest).unwrap_err();
    assert_eq!(error.to_string(), "the body must be multipart/form-data or application/json");
}

#[test]
fn each_part_is_a_field() {
    let parts = [
        part("shelf", None, "a b+c%20"),
        part("count", Some("text/plain; charset=utf-8"), "5"),
        part("tags", None, "x"),
        part("tags", None, ""),
        part("years", None, "1999"),
        part("years", JSON, "2e3"),
        part("work.published", None, "2026-01-31T09:30:00+02:00"),
        part("work.mainTitle", JSON, r#""A\nB""#),
        part("work.subtitle", None, "C"),
        part("labels[a]", None, "b"),
        part("authors[1].given_name", None, "second"),
        part("authors[0].given_name", None, "first"),
    ];
    assert_eq!(
        post(&parts),
        Ok(json!({
            "shelf": "a b+c%20", "count": 5, "tags": ["x", ""], "years": [1999, 2000],
            "work": {"published": "2026-01-31T07:30:00Z", "mainTitle": "A\nB", "subtitle": "C"},
            "labels": {"a": "b"}, "authors": [{"givenName": "first"}, {"givenName": "second"}]
        }))
    );
    assert_eq!(post(&[]), Ok(json!({})));
}

#[test]
fn files_fill_bytes_and_http_bodies_as_they_are() {
    let png = Part { name: "cover", content_type: Some("image/png"), bytes: b"\x89PNG\0" };
    let parts = [
        png,
        Part { name: "thumbnail", ..png },
        part("pages", Some("text/html; charset=latin1"), "<p>"),
        part("pages", JSON, "{}"),
        part("pages", None, ""),
    ];
    assert_eq!(
        post(&parts),
        Ok(json!({
            "cover": {"contentType": "image/png", "data": "iVBORwA="},
            "thumbnail": "iVBORwA=",
            "pages": [
                {"contentType": "text/html; charset=latin1", "data": "PHA+"},
                {"contentType": "application/json", "data": "e30="},
                {}
            ]
        }))
    );
}

#[test]
fn json_parts_are_messages_elements_and_maps() {
    let parts = [
        part("work", JSON, r#"{"main_title":"A","authors":["x"],"sequel":{}}"#),
        part("authors", Some("application/vnd.author+json"), r#"{"given_name":"a"}"#),
        part("authors", JSON, "{}"),
        part("labels", JSON, r#"{"a":"b","c":"d"}"#),
        part("count", JSON, "null"),
    ];
    assert_eq!(
        post(&parts),
        Ok(json!({
            "work": {"mainTitle": "A", "authors": ["x"], "sequel": {}},
            "authors": [{"givenName": "a"}, {}],
            "labels": {"a": "b", "c": "d"}
        }))
    );
}

#[test]
fn parts_of_a_body_field_are_its_fields() {
    let target = "/shelves/s/w?tags=a&count=1";
    let parts = [part("main_title", None, "A"), part("sequel.isbn", None, "1")];
    assert_eq!(
        sent(Method::POST, target, &parts),
        Ok(json!({
            "shelf": "s", "tags": ["a"], "count": 1,
            "work": {"name": "w", "mainTitle": "A", "sequel": {"number": "1"}}
        }))
    );
    let error = |name| sent(Method::POST, target, &[part(name, None, "w")]).unwrap_err();
    assert_eq!(error("name"), "work.name: is part of the path and cannot be a part");
    assert_eq!(error("shelf"), "work.shelf: is not a known part");
}

#[test]
fn a_part_that_breaks_a_rule_is_named() {
    let latin = Part { name: "shelf", content_type: None, bytes: b"\xe9" };
    for (parts, message) in [
        (vec![part("nothing", None, "")], "nothing: is not a known part"),
        (vec![part("", None, "")], "is not a known part"),
        (vec![part("shelf", None, ""); 2], "shelf: is there twice"),
        (vec![part("cover", None, ""); 2], "cover: is there twice"),
        (vec![part("labels", JSON, "{}"); 2], "labels: is there twice"),
        (
            vec![part("exact", None, ""), part("whole", None, "1")],
            "whole: excludes another field that is also there",
        ),
        (
            vec![part("count", None, "x")],
            "count: must be a whole number from -2147483648 to 2147483647",
        ),
        (vec![part("work", None, "{}")], "work: must be application/json"),
        (vec![part("work", Some("text/plain"), "{}")], "work: must be application/json"),
        (vec![part("labels", None, "{}")], "labels: must be application/json"),
        (vec![part("work", JSON, r#"{"isbn":1}"#)], "work.isbn: must be a string"),
        (
            vec![part("work", JSON, "{")],
            "work: is not valid JSON: expected a name in double quotes at byte 1",
        ),
        (vec![part("work", JSON, "{}{}")], "work: is not valid JSON: expected the end at byte 2"),
        (vec![part("authors", JSON, "[]")], "authors: must be an object"),
        (vec![part("authors", JSON, "null")], "authors: must not be null"),
        (
            vec![part("shelf", Some("image/png"), "a")],
            "shelf: must be text in UTF-8 or application/json",
        ),
        (
            vec![part("shelf", Some("text/plain; charset=latin1"), "a")],
            "shelf: must be text in UTF-8 or application/json",
        ),
        (vec![latin], "shelf: must be UTF-8"),
        (
            vec![part("authors[1].given_name", None, "")],
            "authors: must have indexes from 0 without a gap",
        ),
        (vec![part("work.metadata.fields", None, "")], "work.metadata.fields: is not a known part"),
    ] {
        assert_eq!(post(&parts), Err(message.to_owned()));
    }
    let part = [part("shelf", None, "s")];
    assert_eq!(sent(Method::DELETE, "/works", &part), Err("the request has no body".to_owned()));
    assert_eq!(sent(Method::DELETE, "/works?shelf=s", &[]), Ok(json!({"shelf": "s"})));
    assert_eq!(
        sent(Method::POST, "/works?count=1", &part),
        Err("count: is not a known parameter: all fields are in the body".to_owned())
    );
}

fn any_part() -> impl Strategy<Value = (String, Option<String>, Vec<u8>)> {
    let name =
        "(work|authors|labels|cover|pages|tags|count|thumbnail)(\\[[01a]\\])?(\\.(name|etag|x))?";
    let types = prop_oneof![
        Just(None),
        Just(Some("application/json".to_owned())),
        Just(Some("image/png".to_owned())),
        "[a-z/;= ]{0,12}".prop_map(Some),
    ];
    let bytes = prop_oneof![
        any::<Vec<u8>>(),
        "(\\{\\}|null|1|\"a\"|\\[\\]|\\{\"name\":\"a\"\\})".prop_map(String::into_bytes),
    ];
    (name, types, bytes)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_parts_are_refused_or_become_a_message(given in proptest::collection::vec(any_part(), 0..4)) {
        let parts: Vec<_> = given
            .iter()
            .map(|(name, kind, bytes)| Part { name, content_type: kind.as_deref(), bytes })
            .collect();
        let _ = post(&parts);
        let _ = sent(Method::POST, "/shelves/s/w", &parts);
    }

    #[test]
    fn the_bytes_of_a_file_arrive_whatever_they_are(bytes: Vec<u8>) {
        let work = found(Method::POST, "/works");
        let cover = Part { name: "cover", content_type: Some("a/b"), bytes: &bytes };
        let wire = work.request_from_parts(None, &[cover], Style::Rest).unwrap();
        prop_assert!(wire.ends_with(&bytes));
        let json = json!({"cover": {"contentType": "a/b", "data": base64(&bytes)}}).to_string();
        let sent = work.request(None, JSON, json.as_bytes(), Style::Rest).unwrap();
        let input = work.method().input();
        prop_assert_eq!(input.to_json(&wire, Style::Rest), input.to_json(&sent, Style::Rest));
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
