//! JSON that is almost that of a message.

use serde_json::Value as Json;

use crate::choices::Choices;
use crate::support::descriptor;

/// Values that stand where others are expected.
const VALUES: &[&str] = &[
    "null",
    "true",
    "0",
    "-0",
    "1",
    "-1",
    "1.0",
    "1.5",
    "1e2",
    "-1e-2",
    "1e400",
    "1e39",
    "1e19",
    "2147483648",
    "-2147483649",
    "4294967296",
    "9007199254740993",
    "9223372036854775808",
    "18446744073709551616",
    r#""""#,
    r#""1""#,
    r#""-1""#,
    r#""1.0""#,
    r#""1e2""#,
    r#""1.5""#,
    r#"" 1""#,
    r#""+1""#,
    r#""01""#,
    r#""0x1""#,
    r#""NaN""#,
    r#""-Infinity""#,
    r#""nan""#,
    r#""inf""#,
    r#""true""#,
    r#""null""#,
    r#""AQI""#,
    r#""-_8=""#,
    r#""A""#,
    r#""CHOICE_2ND""#,
    r#""2nd""#,
    r#""1970-01-01T00:00:00Z""#,
    r#""1970-01-01T00:00:00.123456789+23:59""#,
    r#""9999-12-31T23:59:60Z""#,
    r#""1970-01-01t00:00:00z""#,
    r#""1970-02-30T00:00:00Z""#,
    r#""0000-01-01T00:00:00Z""#,
    r#""1s""#,
    r#""-1.5s""#,
    r#""1.1234567890s""#,
    r#""s""#,
    r#""315576000001s""#,
    r#""a.b""#,
    r#""aB,c""#,
    r#""a_b""#,
    r#""a,,b""#,
    "[]",
    "[1]",
    "[null]",
    "[[]]",
    r#"["a",1]"#,
    "{}",
    r#"{"a":1}"#,
    r#"{"a":null}"#,
    r#"{"int":1}"#,
    r#"{"value":1}"#,
    r#"{"seconds":1}"#,
    r#"{"@type":"nothing"}"#,
    r#"{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"}"#,
    r#"{"@type":"type.googleapis.com/google.protobuf.Empty"}"#,
    r#"{"@type":"type.googleapis.com/test.Every","int":1}"#,
];

const NAMES: &[&str] = &["int", "one_text", "oneInt", "value", "@type", "unknown", "1", "true"];

/// What is put into a text at random, most of which is then no JSON.
const PIECES: &[&str] = &["", ",", "null", "\"", "0", "-", ".", "e1", "{}", " ", "\\u0041", "/"];

impl Choices<'_> {
    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.next() as usize % all.len()]
    }

    /// The JSON of a message with some of its values, names and letters replaced.
    pub fn mutated_json(&mut self) -> String {
        let mut json = serde_json::to_value(self.message(descriptor(), 0)).unwrap();
        for _ in 0..1 + self.next() % 2 {
            self.mutate(&mut json);
        }
        let mut text = json.to_string();
        if self.next().is_multiple_of(8) {
            let letters: Vec<(usize, char)> = text.char_indices().collect();
            let (start, letter) = *self.one_of(&letters);
            let end = start + if self.next().is_multiple_of(2) { letter.len_utf8() } else { 0 };
            text.replace_range(start..end, self.one_of::<&str>(PIECES));
        }
        text
    }

    /// Walks to one value and puts another there, or renames the member that led to it.
    fn mutate(&mut self, json: &mut Json) {
        let deeper = !self.next().is_multiple_of(16);
        match json {
            Json::Object(members) if deeper && !members.is_empty() => {
                let names: Vec<String> = members.keys().cloned().collect();
                let name = self.one_of(&names);
                if self.next().is_multiple_of(8) {
                    let value = members.remove(name).unwrap();
                    members.insert((*self.one_of(NAMES)).to_owned(), value);
                } else {
                    self.mutate(&mut members[name]);
                }
            }
            Json::Array(elements) if deeper && !elements.is_empty() => {
                let at = self.next() as usize % elements.len();
                self.mutate(&mut elements[at]);
            }
            _ => *json = self.replacement(json),
        }
    }

    fn replacement(&mut self, json: &Json) -> Json {
        let values: Vec<Json> =
            VALUES.iter().filter_map(|v| serde_json::from_str(v).ok()).collect();
        let same_type =
            |value: &&Json| std::mem::discriminant(*value) == std::mem::discriminant(json);
        let alike: Vec<&Json> = values.iter().filter(same_type).collect();
        match (self.next() % 8, json) {
            (0, Json::Number(number)) => Json::String(number.to_string()),
            (0, Json::String(text)) => Json::String(format!("{text}0")),
            (1, _) => Json::Array(vec![json.clone(), json.clone()]),
            (2..=5, _) if !alike.is_empty() => (*self.one_of(&alike)).clone(),
            _ => self.one_of(&values).clone(),
        }
    }
}
