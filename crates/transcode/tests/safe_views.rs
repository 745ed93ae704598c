//! The view that may be logged: what it shows, what it masks, where it ends.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use proptest::prelude::*;
use support::every;
use transcode::{SAFE_VIEW_LIMIT, Style, Unknown};

fn view(json: &str) -> String {
    let wire = every().to_wire(json.as_bytes(), Style::Canonical, Unknown::Reject).unwrap();
    every().safe_view(&wire).to_string()
}

#[test]
fn plain_fields_are_shown_in_declared_names() {
    for (json, expected) in [
        ("{}", "{}"),
        (r#"{"int":5,"long":"6","text":"a\"b"}"#, r#"{"int":5,"long":"6","text":"a\"b"}"#),
        (
            r#"{"choice":"CHOICE_FIRST_ONE","exact":"1.50"}"#,
            r#"{"choice":"first_one","exact":"1.50"}"#,
        ),
        (
            r#"{"ints":[1,2],"texts":["a","b"],"child":{"flag":true}}"#,
            r#"{"child":{"flag":true},"ints":[1,2],"texts":["a","b"]}"#,
        ),
        (
            r#"{"timestamp":"2026-01-31T09:30:00Z","wrappedText":"a"}"#,
            r#"{"timestamp":"2026-01-31T09:30:00Z","wrapped_text":"a"}"#,
        ),
    ] {
        let shown: serde_json::Value = serde_json::from_str(&view(json)).unwrap();
        assert_eq!(shown, serde_json::from_str::<serde_json::Value>(expected).unwrap(), "{json}");
    }
}

#[test]
fn what_may_hold_anything_is_masked_wholly_and_once() {
    for (json, expected) in [
        (r#"{"secret":"lph_cs_1"}"#, r#"{"secret":"[secret]"}"#),
        (r#"{"data":"YQ==","datas":["YQ==","Yg=="]}"#, r#"{"data":"[bytes]","datas":"[bytes]"}"#),
        (r#"{"textToText":{"a":"b","c":"d"}}"#, r#"{"text_to_text":"[map]"}"#),
        (
            r#"{"structure":{"a":1},"value":1,"list":[1]}"#,
            r#"{"structure":"[struct]","value":"[struct]","list":"[struct]"}"#,
        ),
        (r#"{"any":{"@type":"a/test.Every","text":"a"}}"#, r#"{"any":"[any]"}"#),
        (r#"{"wrappedData":"YQ=="}"#, r#"{"wrapped_data":"[bytes]"}"#),
        (
            r#"{"children":[{"secret":"a"},{"values":[1,2]}]}"#,
            r#"{"children":[{"secret":"[secret]"},{"values":"[struct]"}]}"#,
        ),
    ] {
        assert_eq!(view(json), expected);
    }
}

#[test]
fn unknown_fields_are_left_out_and_malformed_bytes_end_the_view() {
    assert_eq!(every().safe_view(b"\xfa\x3f\x03abc\x18\x05").as_str(), r#"{"int":5}"#);
    assert_eq!(
        every().safe_view(b"\x18\x05\x72\x7fabc").as_str(),
        r#"{"int":5,"text":[malformed]"#
    );
}

#[test]
fn a_long_view_ends_with_an_ellipsis() {
    let long = view(&format!(r#"{{"int":1,"text":"{}","texts":["a"]}}"#, "é".repeat(100_000)));
    assert!(long.starts_with(r#"{"int":1,"text":"éé"#) && long.ends_with('…'));
    assert!(long.len() <= SAFE_VIEW_LIMIT + '…'.len_utf8());
    let many = format!(r#"{{"ints":[{}1]}}"#, "1,".repeat(100_000));
    assert!(view(&many).ends_with('…') && view(&many).len() < SAFE_VIEW_LIMIT + 8);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_secret_never_shows_wherever_it_stands(secret in "[A-Z]{8}", depth in 0usize..20, before: bool) {
        let mut json = format!(r#"{{"secret":"{secret}","structure":{{"{secret}":"{secret}"}}}}"#);
        for _ in 0..depth {
            let plain = if before { r#""int":1,"# } else { "" };
            json = format!(r#"{{{plain}"child":{json},"textToText":{{"{secret}":"{secret}"}}}}"#);
        }
        prop_assert!(!view(&json).contains(&secret));
    }
}
