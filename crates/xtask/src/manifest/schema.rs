//! The part of JSON Schema (2020-12) that docs/service.schema.json is written in.
//!
//! A keyword that is not checked here is refused, so that no rule stands there unenforced.

use std::{fs, path::Path};

use anyhow::{Context as _, bail};
use regex_lite::Regex;
use serde_json::{Map, Value};

/// Keywords that explain and do not rule.
const ANNOTATIONS: [&str; 4] = ["$schema", "title", "description", "examples"];

/// A schema whose every keyword is known.
pub struct Schema(Value);

impl Schema {
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        Self::new(serde_json::from_str(&text).with_context(|| path.display().to_string())?)
    }

    fn new(schema: Value) -> anyhow::Result<Self> {
        refuse_unknown(&schema)?;
        Ok(Self(schema))
    }

    /// Every rule that `instance` breaks, with the place that breaks it.
    pub fn problems(&self, instance: &Value) -> Vec<String> {
        let mut problems = Vec::new();
        examine(&self.0, instance, "", &mut problems);
        problems
    }
}

fn refuse_unknown(schema: &Value) -> anyhow::Result<()> {
    for (keyword, rule) in members(schema) {
        match keyword.as_str() {
            "type" | "required" | "enum" | "pattern" | "minimum" | "maximum" => {}
            "additionalProperties" if *rule == Value::Bool(false) => {}
            "items" => refuse_unknown(rule)?,
            "properties" => members(rule).try_for_each(|(_, it)| refuse_unknown(it))?,
            known if ANNOTATIONS.contains(&known) => {}
            unknown => bail!("docs/service.schema.json: nothing checks `{unknown}: {rule}`"),
        }
    }
    Ok(())
}

fn examine(schema: &Value, instance: &Value, place: &str, problems: &mut Vec<String>) {
    for (keyword, rule) in members(schema) {
        match keyword.as_str() {
            "properties" => {
                for (name, schema) in members(rule) {
                    if let Some(inner) = instance.get(name) {
                        examine(schema, inner, &format!("{place}/{name}"), problems);
                    }
                }
            }
            "items" => {
                for (at, inner) in instance.as_array().into_iter().flatten().enumerate() {
                    examine(rule, inner, &format!("{place}/{at}"), problems);
                }
            }
            _ => {
                let broken = broken(keyword, rule, instance, schema);
                problems.extend(broken.into_iter().map(|it| format!("{place} {it}")));
            }
        }
    }
}

/// How an instance breaks one rule; some rules are broken more than once.
fn broken(keyword: &str, rule: &Value, instance: &Value, schema: &Value) -> Vec<String> {
    let one = |holds: bool, problem: String| if holds { Vec::new() } else { vec![problem] };
    match keyword {
        "type" => one(is_a(instance, rule), format!("must be of type {rule}")),
        "enum" => {
            let listed = rule.as_array().is_some_and(|it| it.contains(instance));
            one(listed, format!("must be one of {rule}"))
        }
        "pattern" => one(matches(instance, rule), format!("must match {rule}")),
        "minimum" => one(instance.as_f64() >= rule.as_f64(), format!("must be at least {rule}")),
        "maximum" => one(instance.as_f64() <= rule.as_f64(), format!("must be at most {rule}")),
        "required" => {
            let names = rule.as_array().into_iter().flatten().filter_map(Value::as_str);
            let absent = names.filter(|it| instance.get(it).is_none());
            absent.map(|it| format!("lacks `{it}`")).collect()
        }
        "additionalProperties" => {
            let strange =
                members(instance).filter(|(name, _)| schema["properties"].get(name).is_none());
            strange.map(|(name, _)| format!("has `{name}`, which no manifest has")).collect()
        }
        _ => Vec::new(),
    }
}

fn is_a(instance: &Value, kind: &Value) -> bool {
    match kind.as_str() {
        Some("object") => instance.is_object(),
        Some("array") => instance.is_array(),
        Some("string") => instance.is_string(),
        Some("number") => instance.is_number(),
        Some("integer") => instance.is_i64() || instance.is_u64(),
        _ => false,
    }
}

fn matches(instance: &Value, pattern: &Value) -> bool {
    let pattern = pattern.as_str().and_then(|it| Regex::new(it).ok());
    match (pattern, instance.as_str()) {
        (Some(pattern), Some(text)) => pattern.is_match(text),
        _ => false,
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_rule_is_enforced_and_names_the_place() {
        let schema = Schema::new(json!({
            "type": "object",
            "required": ["name", "slo"],
            "additionalProperties": false,
            "properties": {
                "name": {"type": "string", "pattern": "^[a-z]+$"},
                "status": {"enum": ["alpha", "beta"]},
                "slo": {"type": "number", "minimum": 90, "maximum": 100},
                "brands": {"type": "array", "items": {"type": "string"}},
            },
        }))
        .unwrap();
        let good = json!({"name": "a", "status": "beta", "slo": 99.9, "brands": ["loop"]});
        assert_eq!(schema.problems(&good), Vec::<String>::new());
        for (instance, problem) in [
            (json!([]), " must be of type \"object\""),
            (json!({"name": "a"}), " lacks `slo`"),
            (json!({"name": "A", "slo": 99}), "/name must match \"^[a-z]+$\""),
            (json!({"name": "a", "slo": 89}), "/slo must be at least 90"),
            (json!({"name": "a", "slo": 101}), "/slo must be at most 100"),
            (json!({"name": "a", "slo": 99, "x": 1}), " has `x`, which no manifest has"),
            (json!({"name": "a", "slo": 99, "status": "old"}), "/status must be one of"),
            (json!({"name": "a", "slo": 99, "brands": ["b", 1]}), "/brands/1 must be of type"),
        ] {
            let problems = schema.problems(&instance);
            assert!(problems.iter().any(|it| it.starts_with(problem)), "{instance}: {problems:?}");
        }
    }

    #[test]
    fn a_rule_that_nothing_checks_is_no_schema() {
        for schema in [
            json!({"format": "uri"}),
            json!({"additionalProperties": true}),
            json!({"properties": {"a": {"items": {"minLength": 1}}}}),
        ] {
            assert!(Schema::new(schema.clone()).is_err(), "{schema}");
        }
    }
}
