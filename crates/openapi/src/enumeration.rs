//! Enums as REST JSON spells them.

use prost_reflect::EnumDescriptor;
use serde_json::{Value, json};

use crate::comment;

/// The schema of an enum. Its unspecified value is left out: JSON has it by absence.
pub(crate) fn schema(descriptor: &EnumDescriptor) -> Value {
    let file = descriptor.parent_file();
    let mut names: Vec<String> = Vec::new();
    let mut lines = Vec::new();
    for (value, name) in descriptor.values().zip(spellings(descriptor)) {
        let unspecified = value.number() == 0 && value.name().ends_with("UNSPECIFIED");
        if unspecified || names.contains(&name) {
            continue;
        }
        let text = comment::of(&file, value.path());
        lines.push(if text.is_empty() {
            format!("- `{name}`")
        } else {
            format!("- `{name}`: {text}")
        });
        names.push(name);
    }
    let text = comment::of(&file, descriptor.path());
    let description = [text, lines.join("\n")].join("\n\n");
    json!({"type": "string", "enum": names, "description": description.trim()})
}

/// Each value's name in lower case without the enum's name: `normal` for
/// `BIOMARKER_STATUS_NORMAL`. With it where short names clash or are none; as declared where
/// lower case clashes.
pub(crate) fn spellings(descriptor: &EnumDescriptor) -> Vec<String> {
    let prefix = format!("{}_", snake_case(descriptor.name()));
    let declared: Vec<String> = descriptor.values().map(|it| it.name().to_owned()).collect();
    let lower: Vec<String> = declared.iter().map(|it| it.to_ascii_lowercase()).collect();
    let short = |name: &String| match name.strip_prefix(&prefix) {
        Some(short) if short.starts_with(|it: char| it.is_ascii_lowercase()) => short.to_owned(),
        _ => name.clone(),
    };
    let short: Vec<String> = lower.iter().map(short).collect();
    let numbers: Vec<i32> = descriptor.values().map(|it| it.number()).collect();
    let clash = |names: &[String]| {
        (0..names.len()).any(|i| (0..i).any(|j| names[i] == names[j] && numbers[i] != numbers[j]))
    };
    [short, lower].into_iter().find(|it| !clash(it)).unwrap_or(declared)
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    let mut before_lower = false;
    for (at, letter) in name.char_indices() {
        let next_is_lower = name[at + 1..].starts_with(|it: char| it.is_ascii_lowercase());
        if letter.is_ascii_uppercase() && at > 0 && (before_lower || next_is_lower) {
            snake.push('_');
        }
        before_lower = letter.is_ascii_lowercase() || letter.is_ascii_digit();
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
