//! Field rules (`buf.validate`), checked by generated code before a handler runs.

use std::fmt::Display;

/// A request whose fields can be checked against the rules of its contract.
pub trait Validate {
    /// Adds a violation for each field that breaks its rule.
    fn validate(&self, rules: &mut Rules);

    /// The value of the message's own `brand_id`, where it has one that is set.
    fn brand(&self) -> Option<&str> {
        None
    }
}

impl Validate for () {
    fn validate(&self, _: &mut Rules) {}
}

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path in proto names: `biomarkers[0].code`.
    pub field: String,
    /// A clause that completes "the field …": `must have at least 1 item`.
    pub rule: String,
}

/// Collects violations while generated code walks a message. Never holds a field's value.
#[derive(Debug, Default)]
pub struct Rules {
    path: Vec<String>,
    violations: Vec<Violation>,
}

impl Rules {
    pub fn check(message: &impl Validate) -> Vec<Violation> {
        let mut rules = Self::default();
        message.validate(&mut rules);
        rules.violations
    }

    /// Walks into a nested message.
    pub fn nested(&mut self, field: impl Display, message: &impl Validate) {
        self.path.push(field.to_string());
        message.validate(self);
        self.path.pop();
    }

    pub fn require(&mut self, holds: bool, field: impl Display, rule: impl Display) {
        if !holds {
            let mut path = self.path.join(".");
            if !path.is_empty() {
                path.push('.');
            }
            self.violations
                .push(Violation { field: path + &field.to_string(), rule: rule.to_string() });
        }
    }

    /// `string.min_len`, in characters.
    pub fn min_len(&mut self, field: impl Display, value: &str, at_least: usize) {
        let rule = format_args!("must have at least {at_least} characters").to_string();
        self.require(value.chars().nth(at_least.saturating_sub(1)).is_some(), field, rule);
    }

    /// `string.max_len`, in characters.
    pub fn max_len(&mut self, field: impl Display, value: &str, at_most: usize) {
        let holds = value.len() <= at_most || value.chars().nth(at_most).is_none();
        self.require(holds, field, format_args!("must have at most {at_most} characters"));
    }
}

/// A pattern of a contract, compiled once. The generator has proved that it compiles.
pub fn regex(pattern: &str) -> regex_lite::Regex {
    regex_lite::Regex::new(pattern).expect("the generator compiled it")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Inner(&'static str);
    impl Validate for Inner {
        fn validate(&self, rules: &mut Rules) {
            rules.min_len("code", self.0, 2);
            rules.max_len("code", self.0, 3);
        }
    }

    struct Outer(Vec<Inner>);
    impl Validate for Outer {
        fn validate(&self, rules: &mut Rules) {
            for (i, it) in self.0.iter().enumerate() {
                rules.nested(format_args!("items[{i}]"), it);
            }
        }
    }

    #[test]
    fn a_violation_names_the_path_and_the_rule() {
        let found = Rules::check(&Outer(vec![Inner("ab"), Inner("é"), Inner("abcd")]));
        let fields: Vec<_> = found.iter().map(|it| it.field.as_str()).collect();
        assert_eq!(fields, ["items[1].code", "items[2].code"]);
        assert_eq!(found[1].rule, "must have at most 3 characters");
    }

    #[test]
    fn lengths_count_characters_and_not_bytes() {
        assert!(Rules::check(&Inner("ééé")).is_empty());
    }
}
