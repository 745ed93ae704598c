//! Parameters beyond plain fields: elements of lists, entries of maps, and every text form.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use http::Method;
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{every, found};
use transcode::{Style, Unknown};

/// The request message as canonical JSON, or the error.
fn query_of(path: &str, query: &str) -> Result<Value, String> {
    let found = found(Method::GET, path);
    let wire = found.request(Some(query), None, b"", Style::Rest).map_err(|e| e.to_string())?;
    let json = found.method().input().to_json(&wire, Style::Canonical).unwrap();
    Ok(serde_json::from_slice(&json).unwrap())
}

fn query(query: &str) -> Result<Value, String> {
    query_of("/any", query)
}

fn error(text: &str) -> String {
    query(text).unwrap_err()
}

#[test]
fn the_parameter_that_says_how_to_answer_is_no_field() {
    assert_eq!(query("$alt=json%3Benum-encoding%3Dint&int=1&%24alt"), Ok(json!({"int": 1})));
    assert_eq!(error("$xgafv=2"), "$xgafv: is not a known parameter");
    assert_eq!(error("child.$alt=json"), "child.$alt: is not a known parameter");
}

#[test]
fn elements_of_a_list_come_in_any_order() {
    for text in [
        "children[0].int=1&children[0].text=a&children[1].int=2",
        "children[1].int=2&children[0].text=a&children[0].int=1",
        "children%5B1%5D.int=2&children%5b0%5d.text=a&children[0%5D.int=1",
    ] {
        let expected = json!({"children": [{"int": 1, "text": "a"}, {"int": 2}]});
        assert_eq!(query(text), Ok(expected), "{text}");
    }
}

#[test]
fn lists_may_be_anywhere_and_hold_anything() {
    assert_eq!(
        query(
            "child.children[0].children[1].flag=true&child.children[0].children[0].child.texts=a&child.children[0].children[0].child.texts=b&child.int=1&children[0].textToText[k]=v"
        ),
        Ok(json!({
            "child": {"int": 1, "children": [{"children": [{"child": {"texts": ["a", "b"]}}, {"flag": true}]}]},
            "children": [{"textToText": {"k": "v"}}]
        }))
    );
    assert_eq!(
        query("oneChild.children[0].oneInt=1&children[0].one_text=a"),
        Ok(json!({"children": [{"oneText": "a"}], "oneChild": {"children": [{"oneInt": 1}]}}))
    );
}

#[test]
fn an_index_that_breaks_a_rule_is_named() {
    let gap = "must have indexes from 0 without a gap";
    let range = "must have indexes from 0 to 99";
    for (text, message) in [
        ("children[1].int=1", format!("children: {gap}")),
        ("children[0].int=1&children[2].int=1", format!("children: {gap}")),
        ("children[0].children[1].int=1", format!("children[0].children: {gap}")),
        ("child.children[1].int=1", format!("child.children: {gap}")),
        ("children[100].int=1", format!("children: {range}")),
        ("children[99999999999999999999].int=1", format!("children: {range}")),
        ("children[-1].int=1", format!("children: {range}")),
        ("children[+1].int=1", format!("children: {range}")),
        ("children[01].int=1", format!("children: {range}")),
        ("children[].int=1", format!("children: {range}")),
        (
            "children[0].int=x",
            "children[0].int: must be a whole number from -2147483648 to 2147483647".to_owned(),
        ),
        ("children[0].int=1&children[0].int=1", "children[0].int: is there twice".to_owned()),
        ("children[0].nothing=1", "children[0].nothing: is not a known parameter".to_owned()),
        ("children[0].child=1", "children[0].child: cannot be a parameter".to_owned()),
        (
            "children[0].one_int=1&children[0].one_text=a",
            "children[0].one_text: excludes another field that is also there".to_owned(),
        ),
        (
            "one_child.children[0].int=1&one_int=1",
            "one_int: excludes another field that is also there".to_owned(),
        ),
        ("children[0]=1", "children[0]: is not a known parameter".to_owned()),
        ("children[0=1", "children[0: is not a known parameter".to_owned()),
        ("nothing[0].int=1", "nothing[0].int: is not a known parameter".to_owned()),
        ("texts[0]=a", "texts: takes no index".to_owned()),
        ("timestamps[0].seconds=1", "timestamps: takes no index".to_owned()),
        ("values[0].string_value=1", "values: takes no index".to_owned()),
        ("child[0].int=1", "child: takes no index".to_owned()),
        ("text[0]=1", "text: takes no index".to_owned()),
    ] {
        assert_eq!(error(text), message, "{text}");
    }
}

#[test]
fn a_list_has_at_most_a_hundred_elements() {
    let all: Vec<_> =
        (0..100).rev().map(|index| format!("children[{index}].int={index}")).collect();
    let request = query(&all.join("&")).unwrap();
    let elements = request["children"].as_array().unwrap();
    assert_eq!((elements.len(), &elements[99]["int"]), (100, &json!(99)));
}

#[test]
fn names_lead_no_deeper_than_a_message_may_be() {
    let accepts = |text: String| {
        let wire = found(Method::GET, "/any").request(Some(&text), None, b"", Style::Rest);
        wire.is_ok_and(|wire| every().to_json(&wire, Style::Rest).is_ok())
    };
    for step in ["child.", "children[0]."] {
        let nested = |levels: usize| format!("{}int=1", step.repeat(levels));
        assert!(accepts(nested(98)));
        for levels in [99, 20_000] {
            assert!(error(&nested(levels)).ends_with(": is not a known parameter"));
        }
    }
}

#[test]
fn entries_of_maps_are_named_by_their_keys() {
    assert_eq!(
        query("text_to_text[a]=x+y&textToText[b.c]d]=&text_to_text%5B%5D=z&text_to_text[a+b]=1"),
        Ok(json!({"textToText": {"a": "x y", "b.c]d": "", "": "z", "a b": "1"}}))
    );
    assert_eq!(
        query(
            "int_to_long[-5]=9007199254740993&flag_to_choice[true]=first_one&flag_to_choice[false]=77&long_to_data[18446744073709551615]=AQI"
        ),
        Ok(json!({
            "intToLong": {"-5": "9007199254740993"},
            "flagToChoice": {"false": 77, "true": "CHOICE_FIRST_ONE"},
            "longToData": {"18446744073709551615": "AQI="}
        }))
    );
    assert_eq!(
        query("child.text_to_text[a]=b&children[0].textToText[c]=d"),
        Ok(json!({"child": {"textToText": {"a": "b"}}, "children": [{"textToText": {"c": "d"}}]}))
    );
}

#[test]
fn an_entry_that_breaks_a_rule_is_named_without_its_key() {
    for (text, message) in [
        ("text_to_text[a]=1&textToText[a]=1", "text_to_text[]: is there twice"),
        ("int_to_long[1]=1&int_to_long[1.0]=1", "int_to_long[]: is there twice"),
        (
            "int_to_long[x]=1",
            "int_to_long[]: must be a whole number from -2147483648 to 2147483647",
        ),
        ("flag_to_choice[1]=first_one", "flag_to_choice[]: must be true or false"),
        (
            "int_to_long[1]=x",
            "int_to_long[]: must be a whole number from -9223372036854775808 to 9223372036854775807",
        ),
        ("text_to_child[a]=1", "text_to_child[]: cannot be a parameter"),
        ("text_to_child[a].int=1", "text_to_child[a].int: is not a known parameter"),
        ("text_to_text[a=1", "text_to_text[a: is not a known parameter"),
        ("structure[a]=1", "structure: takes no index"),
    ] {
        assert_eq!(error(text), message, "{text}");
    }
}

#[test]
fn what_belongs_to_path_or_body_takes_no_elements() {
    let put = |target: &str, query, body: &[u8]| {
        let found = found(Method::PUT, target);
        let request = found.request(Some(query), Some("application/json"), body, Style::Rest);
        request.unwrap_err().to_string()
    };
    let body = put("/list", "children[0].int=1", b"[]");
    assert_eq!(body, "children: is the body and cannot be a parameter");
    let body = put("/map", "text_to_child[a]=1", b"{}");
    assert_eq!(body, "text_to_child[]: is the body and cannot be a parameter");
}

#[test]
fn a_path_variable_is_not_the_field_of_its_name_in_an_element() {
    let request =
        query_of("/nested/a/first_one", "children[0].child.text=b&children[0].choice=2nd");
    let expected = json!({"choice": "CHOICE_FIRST_ONE", "child": {"text": "a"},
        "children": [{"choice": "CHOICE_2ND", "child": {"text": "b"}}]});
    assert_eq!(request, Ok(expected));
}

#[test]
fn a_plus_is_a_space_only_where_a_value_may_have_one() {
    for (text, expected) in [
        ("float=3.4028235e+38&double=1e+3", json!({"double": 1000, "float": 3.4028235e38})),
        ("int=1e+3&exact=1e+5", json!({"int": 1000, "exact": "1e+5"})),
        ("timestamp=2026-01-31T09:30:00+02:00", json!({"timestamp": "2026-01-31T07:30:00Z"})),
        ("data=+/8=&wrapped_data=+/8", json!({"data": "+/8=", "wrappedData": "+/8="})),
        ("text=a+b&wrapped_text=c+d", json!({"text": "a b", "wrappedText": "c d"})),
        ("text_to_text[a+b]=c+d", json!({"textToText": {"a b": "c d"}})),
    ] {
        assert_eq!(query(text), Ok(expected), "{text}");
    }
}

#[test]
fn numbers_have_the_spellings_of_json() {
    for (text, expected) in [
        ("double=NaN&float=NaN", json!({"double": "NaN", "float": "NaN"})),
        ("double=Infinity&float=-Infinity", json!({"double": "Infinity", "float": "-Infinity"})),
        ("doubles=NaN&doubles=1.5", json!({"doubles": ["NaN", 1.5]})),
        ("long=-1e2", json!({"long": "-100"})),
    ] {
        assert_eq!(query(text), Ok(expected), "{text}");
    }
    for value in ["nan", "inf", "+Infinity", "1.", "0x1", "", "1_000", "3.5e38"] {
        assert_eq!(
            error(&format!("float={value}")),
            "float: must be a number within the range of a float"
        );
    }
}

#[test]
fn enums_are_open_in_query_and_path() {
    assert_eq!(query("choice=77&choices=-5"), Ok(json!({"choice": 77, "choices": [-5]})));
    assert_eq!(query_of("/nested/a/77", ""), Ok(json!({"choice": 77, "child": {"text": "a"}})));
    assert!(error("choice=2147483648").starts_with("choice: must be one of"));
}

#[test]
fn well_known_types_have_their_text_form_wherever_they_are() {
    let expected = json!({
        "timestamp": "2026-01-31T09:30:00.500Z", "duration": "1.500s", "mask": "aB,c",
        "wrappedLong": "-5", "wrappedText": "a", "wrappedData": "AQI=", "wrappedFlag": true,
        "timestamps": ["1970-01-01T00:00:01Z", "1970-01-01T00:00:00Z"]
    });
    let declared = [
        "timestamp=2026-01-31T09:30:00.5Z",
        "duration=1.5s",
        "mask=a_b,c",
        "wrapped_long=-5",
        "wrapped_text=a",
        "wrapped_data=AQI",
        "wrapped_flag=true",
        "timestamps=1970-01-01T00:00:01Z",
        "timestamps=1970-01-01T00:00:00Z",
    ];
    let camel = |text: &str| {
        let (name, value) = text.split_once('=').unwrap();
        let (first, second) = name.split_once('_').unwrap_or((name, ""));
        let second = second.get(..1).map_or(String::new(), |c| c.to_uppercase() + &second[1..]);
        format!("{first}{second}={value}")
    };
    let under = |prefix: &str, json_names: bool| {
        let named = declared.map(|text| if json_names { camel(text) } else { text.to_owned() });
        query(&named.map(|text| format!("{prefix}{text}")).join("&")).unwrap()
    };
    for json_names in [false, true] {
        assert_eq!(under("", json_names), expected);
        assert_eq!(under("child.child.", json_names), json!({"child": {"child": expected}}));
        assert_eq!(under("children[0].", json_names), json!({"children": [expected]}));
    }
    assert_eq!(
        query_of("/found/2026-01-31T09:30:00Z/a%20b/work.main_title,authors", ""),
        Ok(json!({
            "work": {"published": "2026-01-31T09:30:00Z", "subtitle": "a b"},
            "updateMask": "work.mainTitle,authors"
        }))
    );
}

/// Parameters that together say what a message of some depth is, with the message.
fn parameters(depth: u32) -> BoxedStrategy<(Value, Vec<String>)> {
    let scalars = (
        any::<Option<i8>>(),
        proptest::option::of("[a-z&=+% ]{0,3}"),
        proptest::collection::btree_map("[a-z\\[\\].]{0,3}", "[a-z]{1,2}", 0..3),
    );
    let own = scalars.prop_map(|(int, text, map)| {
        let mut message = json!({});
        let mut parameters = Vec::new();
        if let Some(int) = int {
            message["optionalInt"] = json!(int);
            parameters.push(format!("optional_int={int}"));
        }
        if let Some(text) = text {
            message["optionalText"] = json!(text);
            parameters.push(format!("optionalText={}", encoded(&text)));
        }
        for (key, value) in map {
            parameters.push(format!("text_to_text[{}]={value}", encoded(&key)));
            message["textToText"][key] = json!(value);
        }
        if parameters.is_empty() {
            message["flag"] = json!(true);
            parameters.push("flag=true".to_owned());
        }
        (message, parameters)
    });
    if depth == 0 {
        return own.boxed();
    }
    let inner = parameters(depth - 1);
    let lists = proptest::collection::vec(inner.clone(), 0..3);
    (own, lists, proptest::option::of(inner))
        .prop_map(|((mut message, mut all), list, child)| {
            for (index, (element, parameters)) in list.into_iter().enumerate() {
                all.extend(parameters.iter().map(|it| format!("children[{index}].{it}")));
                let list = &mut message["children"];
                *list = match list.take() {
                    Value::Array(mut elements) => {
                        elements.push(element);
                        elements.into()
                    }
                    _ => json!([element]),
                };
            }
            if let Some((child, parameters)) = child {
                all.extend(parameters.iter().map(|it| format!("child.{it}")));
                message["child"] = child;
            }
            (message, all)
        })
        .boxed()
}

fn encoded(text: &str) -> String {
    let special = |byte: u8| match byte {
        b' ' => "+".to_owned(),
        b'a'..=b'z' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(special).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parameters_in_any_order_say_what_json_says(
        (message, shuffled) in parameters(2).prop_flat_map(|(message, parameters)| {
            (Just(message), Just(parameters).prop_shuffle())
        })
    ) {
        let wire = every().to_wire(message.to_string().as_bytes(), Style::Rest, Unknown::Reject);
        let expected = every().to_json(&wire.unwrap(), Style::Canonical).unwrap();
        let expected: Value = serde_json::from_slice(&expected).unwrap();
        prop_assert_eq!(query(&shuffled.join("&")), Ok(expected));
    }

    #[test]
    fn no_name_makes_the_reader_panic(text in "((child|children|text_to_text|text|a)(\\[[0-9a]{0,2}\\]?)?\\.?){0,4}=[0-9a]{0,2}") {
        let _ = query(&text);
    }
}
