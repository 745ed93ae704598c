//! No input makes anything panic, and what is accepted is a message.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use http::Method;
use proptest::prelude::*;
use support::{api, every};
use transcode::{Code, ErrorFormat, Route, Status, Style, Unknown};

/// Bytes that look like protobuf more often than arbitrary ones do.
fn wire() -> impl Strategy<Value = Vec<u8>> {
    let field = (1u32..90, 0u8..6, proptest::collection::vec(any::<u8>(), 0..12));
    proptest::collection::vec(field, 0..12).prop_map(|fields| {
        let mut wire = Vec::new();
        for (number, wire_type, payload) in fields {
            prost::encoding::encode_varint((number << 3 | u32::from(wire_type)).into(), &mut wire);
            if wire_type == 2 {
                wire.push(payload.len() as u8);
            }
            wire.extend(payload);
        }
        wire
    })
}

const JSON: &str = r#"{"text":"a\u00e9","ints":[1,2.0,3e0],"textToText":{"a":"b"},"child":{"data":"AQI="},"timestamp":"2026-01-31T09:30:00Z","value":{"a":[null,true,1.5]},"any":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1.5s"},"choice":"CHOICE_2ND","mask":"a.b"}"#;

/// A valid text with some bytes overwritten, inserted and taken out.
fn mutated_json() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<usize>(), 0u8..3, any::<u8>());
    proptest::collection::vec(change, 0..4).prop_map(|changes| {
        let mut text = JSON.as_bytes().to_vec();
        for (at, kind, byte) in changes {
            let at = at % text.len();
            match kind {
                0 => text[at] = byte,
                1 => text.insert(at, byte),
                _ => drop(text.remove(at)),
            }
        }
        text
    })
}

fn convert_all(wire: &[u8]) {
    for message in support::pool().all_messages() {
        let message = api().message(message.full_name()).unwrap();
        for style in [Style::Canonical, Style::Rest] {
            if let Ok(json) = message.to_json(wire, style) {
                assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&json).is_ok());
            }
        }
        let _ = message.safe_view(wire);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_are_refused_or_become_json(bytes: Vec<u8>) {
        convert_all(&bytes);
    }

    #[test]
    fn arbitrary_fields_are_refused_or_become_json(bytes in wire()) {
        convert_all(&bytes);
    }

    #[test]
    fn arbitrary_text_is_refused_or_becomes_a_message(text in mutated_json()) {
        for style in [Style::Canonical, Style::Rest] {
            for unknown in [Unknown::Reject, Unknown::Ignore] {
                if let Ok(wire) = every().to_wire(&text, style, unknown) {
                    prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&text).is_ok());
                    prop_assert!(prost_reflect::DynamicMessage::decode(support::descriptor(), &*wire).is_ok());
                    every().to_json(&wire, style).unwrap();
                }
            }
        }
    }

    #[test]
    fn arbitrary_requests_are_refused_or_become_a_message(
        path in "/(nested|message|files|any|list|works|whole/works|scans)/[a-z%2F]{0,4}(/[CHOIE_2ND]{0,12})?(:go)?",
        query in "([a-z_.]{0,8}(text|int|child\\.flag|choice)=[0-9a-z%]{0,4}&?){0,3}",
        body in mutated_json(),
    ) {
        for method in [Method::GET, Method::PUT, Method::POST, Method::DELETE, Method::PATCH] {
            if let Route::Found(found) = api().route(&method, &path) {
                let wire = found.request(Some(&query), Some("application/json"), &body, Style::Rest);
                if let Ok(wire) = wire {
                    found.method().input().to_json(&wire, Style::Rest).unwrap();
                }
            }
        }
    }

    #[test]
    fn arbitrary_answers_are_refused_or_shown(fields in wire(), raw: Vec<u8>) {
        for path in ["/shelves/s:watch", "/shelves/s:books", "/shelves/s:download", "/books/a"] {
            let Route::Found(found) = api().route(&Method::GET, path) else { panic!("{path}") };
            for wire in [&fields, &raw] {
                let mut line = Vec::new();
                if found.element(wire, Style::Rest, &mut line).is_ok() {
                    prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&line).is_ok());
                } else {
                    prop_assert!(line.is_empty());
                }
                let _ = (found.chunk(wire), found.etag(wire), found.response(wire, Style::Rest));
            }
        }
    }

    #[test]
    fn arbitrary_details_are_rendered(code: i32, message: String, details in wire(), raw: Vec<u8>) {
        for details in [details, raw] {
            let status = Status { code: Code::from_number(code), message: message.clone(), details };
            for format in [ErrorFormat::Platform, ErrorFormat::Problem, ErrorFormat::OAuth] {
                let response = api().error(&status, "req_1", format);
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&response.body).is_ok());
            }
        }
    }
}

#[test]
fn nesting_is_bounded_both_ways() {
    for (open, close) in [("{\"child\":", "}"), ("{\"value\":[", "]}")] {
        let nest =
            |levels: usize| format!("{}{}{}", open.repeat(levels), "{}", close.repeat(levels));
        let deep = nest(200_000);
        assert!(every().to_wire(deep.as_bytes(), Style::Rest, Unknown::Reject).is_err());
        assert!(every().to_wire(deep.as_bytes(), Style::Rest, Unknown::Ignore).is_err());
    }
    let nested = |levels: usize| {
        let mut wire = Vec::new();
        for _ in 0..levels {
            let mut outer = vec![0x8a, 0x01];
            prost::encoding::encode_varint(wire.len() as u64, &mut outer);
            outer.append(&mut wire);
            wire = outer;
        }
        wire
    };
    assert!(every().to_json(&nested(99), Style::Rest).is_ok());
    assert!(every().to_json(&nested(100), Style::Rest).is_err());
}

#[test]
fn disorder_at_every_level_takes_no_exponential_time() {
    let mut wire = Vec::new();
    for _ in 0..90 {
        let mut outer = vec![0x8a, 0x01];
        prost::encoding::encode_varint(wire.len() as u64, &mut outer);
        outer.append(&mut wire);
        outer.extend([0x18, 0x01]);
        wire = outer;
    }
    let json = every().to_json(&wire, Style::Canonical).unwrap();
    assert!(json.starts_with(b"{\"int\":1,\"child\":{\"int\":1,"));
}

#[test]
fn a_parameter_reaches_as_deep_as_a_message_may_be_nested() {
    let Route::Found(found) = api().route(&Method::GET, "/any") else { panic!() };
    for last in ["int=1", "wrapped_text=a"] {
        let request = |levels: usize| {
            let query = format!("{}{last}", "child.".repeat(levels));
            found.request(Some(&query), None, b"", Style::Rest)
        };
        assert!(every().to_json(&request(98).unwrap(), Style::Rest).is_ok());
        assert!(
            prost_reflect::DynamicMessage::decode(support::descriptor(), &*request(98).unwrap())
                .is_ok()
        );
        for levels in [99, 100, 200_000] {
            let error = request(levels).unwrap_err().to_string();
            assert!(error.ends_with("is not a known parameter"), "{error}");
        }
    }
}
