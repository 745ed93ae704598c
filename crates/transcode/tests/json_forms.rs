//! JSON, value by value: what is accepted, what is written, what is refused and why.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use prost::Message as _;
use prost_reflect::DynamicMessage;
use serde_json::{Value, json};
use support::every;
use transcode::{Defaults, Enums, PrintOptions, Style, Unknown};

/// What a message written in one style becomes in the other style's text.
fn converted(json: &str, from: Style, to: Style) -> String {
    let wire = every()
        .to_wire(json.as_bytes(), from, Unknown::Reject)
        .unwrap_or_else(|error| panic!("{json}: {error}"));
    String::from_utf8(every().to_json(&wire, to).unwrap()).unwrap()
}

fn canonical(json: &str) -> String {
    converted(json, Style::Canonical, Style::Canonical)
}

fn refusal(json: &str, style: Style) -> String {
    every().to_wire(json.as_bytes(), style, Unknown::Reject).unwrap_err().to_string()
}

#[test]
fn every_form_of_a_value_is_accepted() {
    for (json, expected) in [
        (r#"{"int":"5","long":5,"unsigned":5e0}"#, r#"{"int":5,"long":"5","unsigned":5}"#),
        (r#"{"double":"1.50","float":-0.0}"#, r#"{"double":1.5,"float":-0}"#),
        (r#"{"double":"NaN","float":"-Infinity"}"#, r#"{"double":"NaN","float":"-Infinity"}"#),
        (r#"{"data":"-_-_","datas":["YQ","YQ=="]}"#, r#"{"data":"+/+/","datas":["YQ==","YQ=="]}"#),
        (
            r#"{"choice":1,"choices":["CHOICE_2ND",99]}"#,
            r#"{"choice":"CHOICE_FIRST_ONE","choices":["CHOICE_2ND",99]}"#,
        ),
        (r#"{"text":"\u00e9\ud83d\ude00\/\b"}"#, r#"{"text":"é😀/\b"}"#),
        (r#"{"optional_int":0,"optionalText":""}"#, r#"{"optionalInt":0,"optionalText":""}"#),
        (
            r#"{"child":null,"ints":null,"textToText":null,"oneInt":null,"oneText":"a"}"#,
            r#"{"oneText":"a"}"#,
        ),
        (r#"{"oneNull":null}"#, r#"{"oneNull":null}"#),
        (r#"{"value":null,"values":[null,1]}"#, r#"{"value":null,"values":[null,1]}"#),
        (
            r#"{"intToLong":{"-1":"2"},"flagToChoice":{"true":1}}"#,
            r#"{"intToLong":{"-1":"2"},"flagToChoice":{"true":"CHOICE_FIRST_ONE"}}"#,
        ),
        (
            r#"{"timestamp":"2026-01-31T09:30:00.120+02:00"}"#,
            r#"{"timestamp":"2026-01-31T07:30:00.120Z"}"#,
        ),
        (
            r#"{"structure":{"a":[1,{"b":null}],"c":"d"}}"#,
            r#"{"structure":{"a":[1,{"b":null}],"c":"d"}}"#,
        ),
        (
            r#"{"empty":{},"list":[],"wrappedText":"","wrappedData":"YQ"}"#,
            r#"{"list":[],"empty":{},"wrappedText":"","wrappedData":"YQ=="}"#,
        ),
        (r#"{"any":{}}"#, r#"{"any":{}}"#),
        (
            r#"{"any":{"int":1,"@type":"type.googleapis.com/test.Every"}}"#,
            r#"{"any":{"@type":"type.googleapis.com/test.Every","int":1}}"#,
        ),
        (
            r#"{"any":{"value":{"value":"1s","@type":"a/google.protobuf.Duration"},"@type":"a/google.protobuf.Any"}}"#,
            r#"{"any":{"@type":"a/google.protobuf.Any","value":{"@type":"a/google.protobuf.Duration","value":"1s"}}}"#,
        ),
        (" {\n\t\"ints\" : [ 1 , 2 ]\r} ", r#"{"ints":[1,2]}"#),
        (r#"{"\u0069nt":1}"#, r#"{"int":1}"#),
    ] {
        assert_eq!(canonical(json), expected, "{json}");
    }
}

#[test]
fn what_breaks_a_rule_is_refused_with_path_and_rule() {
    for (json, message) in [
        (r#"{"int":2147483648}"#, "int: must be a whole number from -2147483648 to 2147483647"),
        (r#"{"unsigned":-1}"#, "unsigned: must be a whole number from 0 to 4294967295"),
        (r#"{"int":" 1"}"#, "int: must be a whole number from -2147483648 to 2147483647"),
        (r#"{"int":true}"#, "int: must be a number"),
        (r#"{"flag":"true"}"#, "flag: must be true or false"),
        (r#"{"text":1}"#, "text: must be a string"),
        (r#"{"data":"a*"}"#, "data: must be base64"),
        (
            r#"{"choice":"1"}"#,
            r#"choice: must be one of "CHOICE_BELOW", "CHOICE_UNSPECIFIED", "CHOICE_FIRST_ONE", "CHOICE_2ND""#,
        ),
        (r#"{"float":3.5e38}"#, "float: must be a number within the range of a float"),
        (r#"{"ints":[1,null]}"#, "ints[1]: must not be null"),
        (r#"{"ints":1}"#, "ints: must be a list"),
        (r#"{"child":[]}"#, "child: must be an object"),
        (
            r#"{"child":{"children":[{},{"child":{"int":"x"}}]}}"#,
            "child.children[1].child.int: must be a whole number from -2147483648 to 2147483647",
        ),
        (r#"{"textToText":{"a":null}}"#, "text_to_text[]: must not be null"),
        (r#"{"textToText":{"a":"b","a":"c"}}"#, "text_to_text[]: must not have a key twice"),
        (
            r#"{"intToLong":{"x":1}}"#,
            "int_to_long[]: must be a whole number from -2147483648 to 2147483647",
        ),
        (
            r#"{"intToLong":{"1":1,"01":1}}"#,
            "int_to_long[]: must be a whole number from -2147483648 to 2147483647",
        ),
        (r#"{"structure":{"a":1,"a":2}}"#, "structure: must not have a key twice"),
        (r#"{"oneInt":1,"oneText":"a"}"#, "one_text: excludes another field that is also there"),
        (r#"{"timestamp":"2026-01-31"}"#, "timestamp: must be an RFC 3339 timestamp"),
        (r#"{"duration":"1"}"#, "duration: must be a duration such as \"1.5s\""),
        (r#"{"mask":"a_b"}"#, "mask: must be field names separated by commas"),
        (r#"{"any":{"a":1}}"#, "any.@type: is required"),
        (r#"{"any":{"@type":"test.Every"}}"#, "any.@type: is not the URL of a known message"),
        (r#"{"any":{"@type":"a/google.protobuf.Duration"}}"#, "any.value: is required"),
        (
            r#"{"any":{"@type":"a/test.Every","int":"x"}}"#,
            "any.int: must be a whole number from -2147483648 to 2147483647",
        ),
        (r#"{"exact":1.5}"#, "exact: must be a string"),
        ("null", "must be an object"),
    ] {
        assert_eq!(refusal(json, Style::Canonical), message, "{json}");
    }
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    for (json, reason, offset) in [
        ("", "expected a value", 0),
        ("{", "expected a name in double quotes", 1),
        (r#"{"int":1,}"#, "expected a name in double quotes", 9),
        (r#"{"ints":[1,]}"#, "expected a value", 11),
        (r#"{"int":01}"#, "expected a value", 7),
        (r#"{"int":NaN}"#, "expected a value", 7),
        (r#"{"int":+1}"#, "expected a value", 7),
        (r#"{'int':1}"#, "expected a name in double quotes", 1),
        (r#"{"int" 1}"#, "expected ':'", 7),
        (r#"{"int":1 "long":1}"#, "expected ',' or '}'", 9),
        (r#"{"text":"a"#, "expected the end of a string", 10),
        ("{\"text\":\"a\n\"}", "expected the end of a string", 10),
        (r#"{"text":"\x"}"#, "expected an escape", 10),
        (r#"{"text":"\ud800"}"#, "unpaired surrogate", 15),
        (r#"{"text":"\udc00"}"#, "unpaired surrogate", 15),
        ("{}{}", "expected the end", 2),
        ("{/**/}", "expected a name in double quotes", 1),
    ] {
        let message = format!("the body is not valid JSON: {reason} at byte {offset}");
        assert_eq!(refusal(json, Style::Canonical), message, "{json}");
    }
    let error = every().to_wire(b"{\"text\":\"\xff\"}", Style::Rest, Unknown::Reject).unwrap_err();
    assert_eq!(error.to_string(), "the body is not valid JSON: expected UTF-8 at byte 9");
}

#[test]
fn rest_has_declared_names_short_enums_and_bare_decimals() {
    let rest = |json| converted(json, Style::Rest, Style::Rest);
    let lists = |json: &str| {
        let value: serde_json::Value = serde_json::from_str(json).unwrap();
        let object = value.as_object().unwrap();
        object.values().filter(|value| **value == serde_json::json!([])).count()
    };
    let empty = rest("{}");
    assert!(
        empty.contains(r#""int":0,"long":"0","#) && empty.contains(r#""flag":false"#),
        "{empty}"
    );
    assert!(empty.contains(r#""text_to_text":{}"#) && !empty.contains(r#""text":"#), "{empty}");
    assert_eq!(lists(&empty), 12);
    for (json, part) in [
        (r#"{"choice":"first_one"}"#, r#""choice":"first_one""#),
        (r#"{"choice":"CHOICE_2ND"}"#, r#""choice":"2nd""#),
        (r#"{"choice":-1}"#, r#""choice":"below""#),
        (r#"{"optional_choice":"unspecified"}"#, r#""optional_choice":"unspecified""#),
        (r#"{"exact":12345678901234567890.10}"#, r#""exact":12345678901234567890.10"#),
        (r#"{"exact":"1e5"}"#, r#""exact":1e5"#),
        (r#"{"exact":"1e400"}"#, r#""exact":"1e400""#),
        (r#"{"exact":"about 5"}"#, r#""exact":"about 5""#),
        (r#"{"mask":"a_b,cD"}"#, r#""mask":"a_b,c_d""#),
        (r#"{"fixedLongs":[1]}"#, r#""fixed_longs":["1"]"#),
        (r#"{"renamed":"a"}"#, r#""@other name":"a""#),
    ] {
        assert!(rest(json).contains(part), "{json}: {}", rest(json));
    }
}

fn printed(json: &str, print: PrintOptions) -> Value {
    let wire = every().to_wire(json.as_bytes(), Style::Canonical, Unknown::Reject).unwrap();
    serde_json::from_slice(&every().to_json(&wire, print).unwrap()).unwrap()
}

#[test]
fn defaults_are_left_out_or_there_in_either_style() {
    let rest = |defaults| printed("{}", PrintOptions { defaults, ..Style::Rest.into() });
    assert_eq!(rest(Defaults::Omitted), json!({}));
    assert_eq!(rest(Defaults::Countable), printed("{}", Style::Rest.into()));
    let all = rest(Defaults::Emitted);
    assert_eq!(all["text"], "");
    assert_eq!(all["data"], "");
    assert_eq!(all["choice"], "unspecified");
    assert_eq!(
        (&all["long"], &all["ints"], &all["text_to_text"]),
        (&json!("0"), &json!([]), &json!({}))
    );
    for absent in ["optional_int", "one_int", "child", "timestamp", "wrapped_text", "exact"] {
        assert!(all.get(absent).is_none(), "{absent}: {all}");
    }
    let canonical = PrintOptions { defaults: Defaults::Emitted, ..Style::Canonical.into() };
    let all = printed("{}", canonical);
    assert_eq!((&all["exact"], &all["choice"]), (&json!(""), &json!("CHOICE_UNSPECIFIED")));
    // Down to the messages that are there.
    assert_eq!(printed(r#"{"child":{}}"#, canonical)["child"]["fixedLongs"], json!([]));
}

#[test]
fn enums_are_names_or_numbers() {
    let json = r#"{"choice":1,"choices":[2,99],"flagToChoice":{"true":1},"oneNull":null}"#;
    for style in [Style::Rest, Style::Canonical] {
        let print = PrintOptions { enums: Enums::Numbers, ..style.into() };
        let shown = printed(json, print);
        let name = |rest, canonical| if style == Style::Rest { rest } else { canonical };
        assert_eq!((&shown["choice"], &shown["choices"]), (&json!(1), &json!([2, 99])));
        assert_eq!(shown[name("flag_to_choice", "flagToChoice")], json!({"true": 1}));
        assert_eq!(shown.get(name("one_null", "oneNull")), Some(&Value::Null));
    }
}

#[test]
fn unknown_members_and_enum_names_can_be_ignored() {
    let json =
        r#"{"x":{"y":[1]},"choice":"X","choices":["X","CHOICE_2ND"],"flagToChoice":{"true":"X"}}"#;
    assert_eq!(refusal(json, Style::Canonical), "x: is not a known field");
    let wire = every().to_wire(json.as_bytes(), Style::Canonical, Unknown::Ignore).unwrap();
    let json = every().to_json(&wire, Style::Canonical).unwrap();
    assert_eq!(json, br#"{"choices":["CHOICE_2ND"]}"#);
}

#[test]
fn what_has_no_json_form_is_an_error_of_the_response() {
    let wire = |hex: &[u8]| every().to_json(hex, Style::Canonical).unwrap_err().to_string();
    // value { number_value: NaN }
    let nan = [&b"\xda\x04\x09\x11"[..], &f64::NAN.to_le_bytes()].concat();
    assert_eq!(wire(&nan), "google.protobuf.Value is not a finite number");
    assert_eq!(
        wire(b"\xba\x04\x07\x08\xff\xff\xff\xff\xff\x7f"),
        "google.protobuf.Timestamp is outside of years 1 to 9999"
    );
    assert_eq!(wire(b"\xea\x04\x05\x0a\x03a/b"), "google.protobuf.Any holds an unknown message");
    assert_eq!(wire(b"\x72\x01\xff"), "malformed protobuf: a string that is not UTF-8");
    assert_eq!(wire(b"\x72\x02a"), "malformed protobuf: it ends too early");
}

#[test]
fn map_entries_may_lack_key_and_value_and_the_last_of_equal_keys_counts() {
    let json =
        |wire: &[u8]| String::from_utf8(every().to_json(wire, Style::Canonical).unwrap()).unwrap();
    assert_eq!(json(b"\x9a\x03\x00"), r#"{"textToText":{"":""}}"#);
    assert_eq!(json(b"\xa2\x03\x00"), r#"{"intToLong":{"0":"0"}}"#);
    assert_eq!(json(b"\xaa\x03\x02\x10\x01"), r#"{"flagToChoice":{"false":"CHOICE_FIRST_ONE"}}"#);
    assert_eq!(json(b"\xb2\x03\x03\x0a\x01a"), r#"{"textToChild":{"a":{}}}"#);
    assert_eq!(
        json(b"\xa2\x03\x04\x08\x01\x10\x02\xa2\x03\x02\x08\x05\xa2\x03\x05\x08\x81\x00\x10\x03"),
        r#"{"intToLong":{"1":"3","5":"0"}}"#
    );
}

#[test]
fn a_list_may_be_interrupted_by_fields_that_are_unknown_or_of_another_wire_type() {
    let json =
        |wire: &[u8]| String::from_utf8(every().to_json(wire, Style::Canonical).unwrap()).unwrap();
    let unknown = b"\xc2\x3e\x01a";
    let wrong_type = b"\x1d\0\0\0\0";
    for between in [&unknown[..], wrong_type, b"\x18\x05"] {
        let wire =
            [b"\x80\x02\x01", between, b"\x82\x02\x02\x02\x03", between, b"\x80\x02\x04"].concat();
        let lists = json(&wire);
        assert!(lists.ends_with(r#""ints":[1,2,3,4]}"#), "{lists}");
    }
    let map = [&b"\x9a\x03\x03\x0a\x01a"[..], unknown, b"\x9a\x03\x03\x0a\x01b"].concat();
    assert_eq!(json(&map), r#"{"textToText":{"a":"","b":""}}"#);
}

#[test]
fn messages_of_any_size_may_follow_each_other() {
    let child = |length: usize| json!({"text": "a".repeat(length), "child": {"int": 1}});
    let sizes = [1, 117, 118, 119, 120, 130, 16_400, 2, 200, 70_000, 3, 300];
    let children: Vec<Value> = sizes.into_iter().map(child).collect();
    let json = json!({"children": children}).to_string();
    let wire = every().to_wire(json.as_bytes(), Style::Canonical, Unknown::Reject).unwrap();
    let read = DynamicMessage::decode(support::descriptor(), &wire[..]).unwrap();
    // No length takes more bytes than it needs.
    assert_eq!(read.encoded_len(), wire.len());
    let again = every().to_json(&wire, Style::Canonical).unwrap();
    let (again, sent): (Value, Value) =
        (serde_json::from_slice(&again).unwrap(), serde_json::from_str(&json).unwrap());
    let texts = |it: &Value| -> Vec<usize> {
        let children = it["children"].as_array().unwrap().iter();
        children.map(|it| it["text"].as_str().unwrap_or_default().len()).collect()
    };
    assert_eq!(texts(&again), texts(&sent));
}
