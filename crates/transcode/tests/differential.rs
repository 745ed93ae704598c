//! Against another implementation: `prost-reflect` with its own JSON mapping.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "differential/choices.rs"]
mod choices;
#[path = "differential/mutations.rs"]
mod mutations;
#[path = "differential/reading.rs"]
mod reading;
mod support;

use choices::Choices;
use proptest::prelude::*;
use prost::Message as _;
use prost_reflect::{DynamicMessage, SerializeOptions};
use reading::{KNOWN, Reading};
use serde_json::Value;
use support::{descriptor, every};
use transcode::{Defaults, Enums, PrintOptions, Style, Unknown};

fn generated(choices: &[u32]) -> DynamicMessage {
    Choices(choices.iter()).message(descriptor(), 0)
}

/// JSON text as `prost-reflect` reads it.
fn read(json: &[u8]) -> DynamicMessage {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    DynamicMessage::deserialize(descriptor(), &mut deserializer)
        .unwrap_or_else(|error| panic!("{error} in {}", String::from_utf8_lossy(json)))
}

fn decode(wire: &[u8]) -> DynamicMessage {
    DynamicMessage::decode(descriptor(), wire).unwrap()
}

/// Compares what messages say: a default that is set is the same as one that is not.
fn same(left: &DynamicMessage, right: &DynamicMessage) -> Result<(), TestCaseError> {
    let value = |message| serde_json::to_value(message).unwrap();
    prop_assert_eq!(value(left), value(right));
    Ok(())
}

/// The same JSON, whether `1` or `1.0` was written.
fn comparable(json: Value) -> Value {
    match json {
        Value::Number(number) => number.as_f64().into(),
        Value::Array(all) => all.into_iter().map(comparable).collect(),
        Value::Object(all) => all.into_iter().map(|(name, it)| (name, comparable(it))).collect(),
        same => same,
    }
}

/// The fields of a message, each with its tag.
fn split(mut wire: &[u8]) -> Vec<Vec<u8>> {
    let mut fields = Vec::new();
    while !wire.is_empty() {
        let mut rest = wire;
        let (number, wire_type) = prost::encoding::decode_key(&mut rest).unwrap();
        let context = prost::encoding::DecodeContext::default();
        prost::encoding::skip_field(wire_type, number, &mut rest, context).unwrap();
        fields.push(wire[..wire.len() - rest.len()].to_vec());
        wire = rest;
    }
    fields
}

fn choices() -> impl Strategy<Value = Vec<u32>> {
    proptest::collection::vec(any::<u32>(), 0..300)
}

#[test]
fn the_known_differences_are_there() {
    for (reason, text, is_known) in KNOWN {
        let reading = Reading::of(text);
        assert!(reading.differs() && is_known(&reading), "{reason}: {reading:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn what_we_write_is_read_by_the_other(choices in choices()) {
        let message = generated(&choices);
        let json = every().to_json(&message.encode_to_vec(), Style::Canonical).unwrap();
        same(&read(&json), &message)?;
    }

    #[test]
    fn what_the_other_writes_is_read_by_us(choices in choices()) {
        let message = generated(&choices);
        let json = serde_json::to_vec(&message).unwrap();
        let wire = every().to_wire(&json, Style::Canonical, Unknown::Reject).unwrap();
        same(&decode(&wire), &message)?;
    }

    #[test]
    fn defaults_and_numbers_of_enums_are_where_the_other_has_them(
        choices in choices(),
        emitted: bool,
        numbers: bool,
    ) {
        let message = generated(&choices);
        let print = PrintOptions {
            style: Style::Canonical,
            defaults: if emitted { Defaults::Emitted } else { Defaults::Omitted },
            enums: if numbers { Enums::Numbers } else { Enums::Names },
        };
        let options = SerializeOptions::new().skip_default_fields(!emitted).use_enum_numbers(numbers);
        let mut theirs = Vec::new();
        let mut serializer = serde_json::Serializer::new(&mut theirs);
        message.serialize_with_options(&mut serializer, &options).unwrap();
        let ours = every().to_json(&message.encode_to_vec(), print).unwrap();
        let value = |json: &[u8]| comparable(serde_json::from_slice(json).unwrap());
        prop_assert_eq!(value(&ours), value(&theirs));
    }

    #[test]
    fn either_style_comes_back(
        choices in choices(),
        style in prop_oneof![Just(Style::Canonical), Just(Style::Rest)],
        defaults in prop_oneof![
            Just(Defaults::Omitted), Just(Defaults::Countable), Just(Defaults::Emitted),
        ],
        enums in prop_oneof![Just(Enums::Names), Just(Enums::Numbers)],
    ) {
        let message = generated(&choices);
        let print = PrintOptions { style, defaults, enums };
        let json = every().to_json(&message.encode_to_vec(), print).unwrap();
        let wire = every().to_wire(&json, style, Unknown::Reject).unwrap();
        let again = every().to_json(&wire, print).unwrap();
        prop_assert_eq!(String::from_utf8(json).unwrap(), String::from_utf8(again).unwrap());
    }

    #[test]
    fn fields_may_come_in_any_order_split_and_repeated(
        first in choices(),
        second in choices(),
        order in proptest::collection::vec(any::<u32>(), 64),
    ) {
        let mut fields = split(&generated(&first).encode_to_vec());
        fields.extend(split(&generated(&second).encode_to_vec()));
        // Fields that nobody knows, and a known one in a wire type that is not its own.
        fields.extend([b"\xc2\x3e\x01a".to_vec(), b"\xc8\x3e\x05".to_vec(), b"\xc0\x3e\x05".to_vec()]);
        let mut keyed: Vec<_> = fields.iter().zip(order.iter().cycle()).collect();
        keyed.sort_by_key(|(_, place)| **place);
        let wire: Vec<u8> = keyed.into_iter().flat_map(|(field, _)| field.clone()).collect();
        // Merging two Anys may pair the type of one with the value of the other.
        let expected = decode(&wire);
        prop_assume!(serde_json::to_value(&expected).is_ok());
        let json = every().to_json(&wire, Style::Canonical).unwrap();
        same(&read(&json), &expected)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2048) })]

    #[test]
    fn changed_json_is_read_or_refused_alike(choices in choices()) {
        let text = Choices(choices.iter()).mutated_json();
        let reading = Reading::of(&text);
        let known = KNOWN.iter().any(|(_, _, is_known)| is_known(&reading));
        prop_assert!(known || !reading.differs(), "{text}\n{reading:?}");
    }
}
