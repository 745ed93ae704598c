//! A text read by both codecs, and where they are known to differ.

use prost_reflect::DynamicMessage;
use serde_json::Value as Json;
use transcode::{Style, Unknown};

use crate::decode;
use crate::support::{descriptor, every};

/// One text, read by both: the message as JSON again, or the error.
#[derive(Debug)]
pub struct Reading {
    json: Json,
    ours: Result<Json, String>,
    theirs: Result<Json, String>,
}

/// A way in which the two differ: why, a text that must go on to do so, and how to know others
/// of the kind.
type Difference = (&'static str, &'static str, fn(&Reading) -> bool);

pub const KNOWN: &[Difference] = &[
    (
        "a quoted number is a whole number in any notation, as the conformance suite asks",
        r#"{"int":"1e2"}"#,
        |reading| {
            let scaled = |text: &str| is_number(text) && text.contains(['e', 'E', '.']);
            reading.they_refuse("invalid digit") && reading.holds(scaled)
        },
    ),
    (
        "a quoted number is written as JSON writes it, as the conformance suite asks",
        r#"{"long":"01"}"#,
        |reading| {
            let odd = |text: &str| !is_number(text) && text.trim().parse::<f64>().is_ok();
            reading.we_refuse("number") && reading.holds(odd)
        },
    ),
    (
        "the number of an enum value is a whole number in any notation, as other numbers are",
        r#"{"choice":1.0}"#,
        |reading| reading.they_refuse("expected a string or integer"),
    ),
    ("NullValue is an enum and has numbers", r#"{"oneNull":0}"#, |reading| {
        reading.they_refuse("expected null")
    }),
    ("null is the absence of a list, not a list of null", r#"{"values":null}"#, |reading| {
        reading.ours.is_ok() && reading.theirs.is_ok() && reading.json.to_string().contains("null")
    }),
    ("an empty Any has no type, as the conformance suite has it", r#"{"any":{}}"#, |reading| {
        reading.they_refuse("expected '@type'") && reading.json.to_string().contains("{}")
    }),
    (
        "an Empty in an Any is an object of its fields, as in C++ and Java",
        r#"{"any":{"@type":"type.googleapis.com/google.protobuf.Empty"}}"#,
        |reading| {
            let is_empty = |text: &str| text.ends_with("/google.protobuf.Empty");
            reading.they_refuse("expected 'value' field") && reading.holds(is_empty)
        },
    ),
    ("a number is not infinite unless it says so", r#"{"float":"1e39"}"#, |reading| {
        reading.we_refuse("within the range of a")
            && reading.theirs.as_ref().is_ok_and(|json| json.to_string().contains("Infinity"))
    }),
    ("a second has nine digits at most", r#"{"duration":"1.1234567890s"}"#, |reading| {
        let fraction = |text: &str| {
            let digits = text.split_once('.').map_or("", |(_, fraction)| fraction).bytes();
            digits.take_while(u8::is_ascii_digit).count()
        };
        let is_time = reading.we_refuse("duration") || reading.we_refuse("timestamp");
        is_time && reading.holds(|text| fraction(text) > 9)
    }),
    (
        "a Timestamp cannot tell a leap second from the second after",
        r#"{"timestamp":"9999-12-31T23:59:60Z"}"#,
        |reading| reading.we_refuse("timestamp") && reading.holds(|text| text.contains(":60")),
    ),
    ("a field mask holds names of fields", r#"{"mask":"a b,,c"}"#, |reading| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.';
        let is_name = |path: &str| !path.is_empty() && path.bytes().all(plain);
        reading.we_refuse("field names") && reading.holds(|text| !text.split(',').all(is_name))
    }),
    (
        "a whole number is in range before it is rounded to a double",
        r#"{"fixedLong":18446744073709551616}"#,
        |reading| {
            let bound = ["e19", "e+19", "e18", "e+18"];
            let json = reading.json.to_string();
            reading.we_refuse("a whole number") && bound.iter().any(|end| json.contains(end))
        },
    ),
    ("a member stands once", r#"{"structure":{"a":1,"a":2}}"#, |reading| {
        reading.we_refuse("twice")
    }),
];

impl Reading {
    pub fn of(text: &str) -> Reading {
        let ours = every().to_wire(text.as_bytes(), Style::Canonical, Unknown::Reject);
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let theirs = DynamicMessage::deserialize(descriptor(), &mut deserializer)
            .and_then(|message| deserializer.end().map(|()| message));
        // The other cannot show an Any without a type.
        let json = |message| serde_json::to_value(message).unwrap_or_default();
        Reading {
            json: serde_json::from_str(text).unwrap_or_default(),
            ours: ours.map(|wire| json(decode(&wire))).map_err(|error| error.to_string()),
            theirs: theirs.map(json).map_err(|error| error.to_string()),
        }
    }

    pub fn differs(&self) -> bool {
        self.ours.as_ref().ok() != self.theirs.as_ref().ok()
    }

    fn they_refuse(&self, why: &str) -> bool {
        self.ours.is_ok() && self.theirs.as_ref().is_err_and(|error| error.contains(why))
    }

    fn we_refuse(&self, why: &str) -> bool {
        self.theirs.is_ok() && self.ours.as_ref().is_err_and(|error| error.contains(why))
    }

    /// Whether there is such a text among the values and the names.
    fn holds(&self, such: impl Fn(&str) -> bool) -> bool {
        let mut values = vec![&self.json];
        while let Some(value) = values.pop() {
            match value {
                Json::Object(members) if members.keys().any(|name| such(name)) => return true,
                Json::Object(members) => values.extend(members.values()),
                Json::Array(elements) => values.extend(elements),
                Json::String(text) if such(text) => return true,
                _ => {}
            }
        }
        false
    }
}

fn is_number(text: &str) -> bool {
    text.trim() == text && serde_json::from_str::<serde_json::Number>(text).is_ok()
}
