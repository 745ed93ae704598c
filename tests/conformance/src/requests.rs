//! Requests made from a valid one: broken in one rule, or different and as valid.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use registry::FieldRules;
use serde_json::{Value, json};

/// A message that breaks one rule of one field.
#[derive(Clone, Debug)]
pub struct Malformed {
    /// Path in proto names, such as `biomarkers[0].code`.
    pub field: String,
    pub rule: &'static str,
    pub message: Value,
}

/// A message for every rule of every field, each broken alone.
pub fn malformed(descriptor: &MessageDescriptor, valid: &Value) -> Vec<Malformed> {
    let mut all = Vec::new();
    for field in descriptor.fields() {
        let rules = registry::rules(descriptor.parent_pool(), &field).unwrap_or_default();
        let value = valid.get(field.name());
        let breaks = broken(&rules, value).into_iter();
        all.extend(breaks.map(|(rule, broken)| Malformed {
            field: field.name().to_owned(),
            rule,
            message: with(valid, field.name(), broken),
        }));
        all.extend(malformed_items(&field, &rules, valid));
        all.extend(malformed_within(&field, valid));
    }
    all
}

/// Rules that each item of a list must keep.
fn malformed_items(field: &FieldDescriptor, rules: &FieldRules, valid: &Value) -> Vec<Malformed> {
    let Some(items) = &rules.items else { return Vec::new() };
    let breaks = broken(items, None).into_iter();
    let breaks = breaks.filter_map(|(rule, value)| Some((rule, json!([value?]))));
    let made = breaks.map(|(rule, list)| Malformed {
        field: format!("{}[0]", field.name()),
        rule,
        message: with(valid, field.name(), Some(list)),
    });
    made.collect()
}

/// Rules of the messages inside a field, where the valid message has them.
fn malformed_within(field: &FieldDescriptor, valid: &Value) -> Vec<Malformed> {
    let Kind::Message(inner) = field.kind() else { return Vec::new() };
    if field.is_map() || !inner.package_name().starts_with("loop.") {
        return Vec::new();
    }
    match valid.get(field.name()) {
        Some(Value::Array(items)) => {
            let Some(first) = items.first() else { return Vec::new() };
            let wrap = |it: Malformed| {
                let mut items = items.clone();
                items[0] = it.message;
                let message = with(valid, field.name(), Some(items.into()));
                Malformed { field: format!("{}[0].{}", field.name(), it.field), message, ..it }
            };
            malformed(&inner, first).into_iter().map(wrap).collect()
        }
        Some(value) => {
            let wrap = |it: Malformed| {
                let message = with(valid, field.name(), Some(it.message));
                Malformed { field: format!("{}.{}", field.name(), it.field), message, ..it }
            };
            malformed(&inner, value).into_iter().map(wrap).collect()
        }
        None => Vec::new(),
    }
}

/// A value for each rule, that breaks it; none where the break is absence.
fn broken(rules: &FieldRules, value: Option<&Value>) -> Vec<(&'static str, Option<Value>)> {
    let letters = |count: u64| Value::from("a".repeat(usize::try_from(count).unwrap_or_default()));
    let number = |text: &String| text.parse::<i64>().unwrap_or_default();
    let mut all = Vec::new();
    if rules.required {
        all.push(("required", None));
    }
    if let Some(least) = rules.min_len.filter(|it| *it > 0) {
        all.push(("min_len", Some(letters(least - 1))));
    }
    if let Some(most) = rules.max_len {
        all.push(("max_len", Some(letters(most + 1))));
    }
    if let Some(pattern) = &rules.pattern {
        all.push(("pattern", Some(mismatch(pattern).into())));
    }
    if !rules.allowed.is_empty() {
        all.push(("in", Some("none of these".into())));
    }
    if let Some(length) = rules.bytes_len {
        let short = vec![7; usize::try_from(length).unwrap_or_default().saturating_sub(1)];
        all.push(("len", Some(STANDARD.encode(short).into())));
    }
    all.extend(rules.gte.as_ref().map(|it| ("gte", Some((number(it) - 1).into()))));
    all.extend(rules.lte.as_ref().map(|it| ("lte", Some((number(it) + 1).into()))));
    if rules.defined_only {
        all.push(("defined_only", Some(9999.into())));
    }
    if rules.min_items.is_some() {
        all.push(("min_items", Some(json!([]))));
    }
    let first = value.and_then(|it| it.get(0));
    if let (Some(most), Some(first)) = (rules.max_items, first) {
        all.push(("max_items", Some((0..=most).map(|_| first.clone()).collect())));
    }
    if let Some(most) = rules.max_pairs {
        let pairs = (0..=most).map(|it| (format!("key{it}"), Value::from("value")));
        all.push(("max_pairs", Some(Value::Object(pairs.collect()))));
    }
    all
}

/// A text that a pattern refuses.
fn mismatch(pattern: &str) -> &'static str {
    let regex = regex_lite::Regex::new(pattern).expect("the registry compiled it");
    let candidates = ["not this one!", "Not@This One", "", "\u{e9}"];
    let refused = candidates.into_iter().find(|it| !regex.is_match(it));
    refused.unwrap_or_else(|| panic!("no text is known that breaks {pattern}"))
}

/// Another request of the same type: the first text it holds is another.
pub fn different(valid: &Value) -> Option<Value> {
    let members = valid.as_object()?;
    let (name, text) = members.iter().find_map(|(name, it)| Some((name, it.as_str()?)))?;
    Some(with(valid, name, Some(format!("{text}x").into())))
}

/// The message with one member set, or removed.
pub fn with(message: &Value, name: &str, value: Option<Value>) -> Value {
    let mut message = message.clone();
    let members = message.as_object_mut().expect("a message is an object");
    match value {
        Some(value) => members.insert(name.to_owned(), value),
        None => members.remove(name),
    };
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Contracts;

    #[test]
    fn every_rule_is_broken_alone_and_told_by_its_path() {
        let contracts = Contracts::of(&[&clinical::SERVICE]);
        let method = contracts.cases.iter().find(|it| it.name() == "ParseBiomarkers").unwrap();
        let valid = json!({
            "patient_id": "pat_1", "brand_id": "loop", "source": "manual",
            "biomarkers": [{"code": "albumin", "name": "Albumin", "value": 4.1, "unit": "g/dL",
                "collected_at": "2026-01-31T09:30:00Z"}],
        });
        let all = malformed(&method.method.descriptor.input(), &valid);
        let told: Vec<_> = all.iter().map(|it| format!("{} {}", it.field, it.rule)).collect();
        for expected in [
            "patient_id min_len",
            "brand_id pattern",
            "biomarkers min_items",
            "biomarkers max_items",
            "biomarkers[0].code pattern",
            "biomarkers[0].collected_at required",
            "biomarkers[0].reference_low max_len",
        ] {
            assert!(told.contains(&expected.to_owned()), "{expected} is not among {told:#?}");
        }
        let items = all.iter().find(|it| it.rule == "max_items").unwrap();
        assert_eq!(items.message["biomarkers"].as_array().unwrap().len(), 201);
    }

    #[test]
    fn a_different_request_has_the_same_members() {
        let other = different(&json!({"count": 1, "name": "a"})).unwrap();
        assert_eq!(other, json!({"count": 1, "name": "ax"}));
        assert_eq!(different(&json!({"count": 1})), None);
    }
}
