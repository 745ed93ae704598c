//! Protected values in messages: put there to be recognised, and found again.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use registry::{FieldRules, Phi};
use serde_json::Value;

/// Shorter values occur by chance.
const TELLING: usize = 6;

/// Puts a value nobody else uses into every protected text whose rules bear it.
pub fn plant(message: &MessageDescriptor, json: &mut Value, mark: &str) {
    visit(message, json, &mut |class, field, value| {
        let rules = registry::rules(field.parent_pool(), field).unwrap_or_default();
        let is_text = field.kind() == Kind::String
            && !field.is_map()
            && !registry::decimal(field.parent_pool(), field);
        let words = !matches!(class, Phi::Identifier | Phi::Secret);
        let candidates = [format!("Zq{mark}"), format!("zq{mark}@canary.test")];
        if let Some(fit) = candidates.iter().find(|it| bears(&rules, it))
            && is_text
            && words
        {
            *value = fit.clone().into();
        }
    });
}

/// Every protected value of a message that is long enough to be known again.
pub fn collect(message: &MessageDescriptor, json: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut json = json.clone();
    visit(message, &mut json, &mut |class, field, value| {
        // An id may stand where ids belong: in events and audit rows.
        // An enum's word occurs by chance.
        if class != Phi::Identifier && !matches!(field.kind(), Kind::Enum(_)) {
            leaves(value, &mut found);
        }
    });
    found.retain(|it| it.len() >= TELLING);
    found
}

fn leaves(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Number(number) => found.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|it| leaves(it, found)),
        Value::Object(members) => members.values().for_each(|it| leaves(it, found)),
        _ => {}
    }
}

fn bears(rules: &FieldRules, text: &str) -> bool {
    let fits = |pattern: &String| {
        regex_lite::Regex::new(pattern).expect("the registry compiled it").is_match(text)
    };
    let length = text.len() as u64;
    rules.max_len.is_none_or(|it| length <= it)
        && rules.min_len.is_none_or(|it| length >= it)
        && rules.pattern.as_ref().is_none_or(fits)
        && rules.allowed.is_empty()
}

/// Calls `seen` for every field that is protected and present.
fn visit(
    message: &MessageDescriptor,
    json: &mut Value,
    seen: &mut dyn FnMut(Phi, &FieldDescriptor, &mut Value),
) {
    let Some(members) = json.as_object_mut() else { return };
    for field in message.fields() {
        let Some(value) = members.get_mut(field.name()) else { continue };
        if let Some(class) = registry::phi(message.parent_pool(), &field) {
            seen(class, &field, value);
        } else if let Kind::Message(inner) = field.kind()
            && !field.is_map()
        {
            match value {
                Value::Array(items) => items.iter_mut().for_each(|it| visit(&inner, it, seen)),
                other => visit(&inner, other, seen),
            }
        }
    }
}
