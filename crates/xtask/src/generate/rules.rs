//! `Validate` of every message that a request can hold, from its `buf.validate` rules.

use std::{collections::BTreeSet, fmt::Write as _};

use anyhow::anyhow;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use registry::{FieldRules, Registry, rules};

use super::masks::real_oneof;

pub fn all(registry: &Registry, package: &str) -> anyhow::Result<String> {
    let mut code = String::new();
    for message in requests(registry, package) {
        let mut body = String::new();
        let mut brand = "";
        for field in message.fields() {
            body += &checks(registry, package, &field)?;
        }
        let rules = if body.is_empty() { "_" } else { "rules" };
        if message.get_field_by_name("brand_id").is_some_and(|it| !it.supports_presence()) {
            brand = BRAND;
        }
        let _ = writeln!(
            code,
            "\nimpl ::contract::Validate for {} {{\n    \
             fn validate(&self, {rules}: &mut ::contract::Rules) {{\n{body}    }}\n{brand}}}",
            message.name(),
        );
    }
    Ok(code)
}

const BRAND: &str = "
    fn brand(&self) -> Option<&str> {
        Some(self.brand_id.as_str()).filter(|it| !it.is_empty())
    }
";

/// The messages of this package that some request of it reaches.
fn requests(registry: &Registry, package: &str) -> Vec<MessageDescriptor> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    let ours = |it: &&registry::Method| it.descriptor.parent_service().package_name() == package;
    for method in registry.methods().iter().filter(ours) {
        reach(&method.descriptor.input(), package, &mut seen, &mut found);
    }
    found
}

fn reach(
    message: &MessageDescriptor,
    package: &str,
    seen: &mut BTreeSet<String>,
    found: &mut Vec<MessageDescriptor>,
) {
    if message.package_name() != package || !seen.insert(message.full_name().to_owned()) {
        return;
    }
    if !message.is_map_entry() {
        found.push(message.clone());
    }
    for field in message.fields() {
        if let Kind::Message(inner) = field.kind() {
            reach(&inner, package, seen, found);
        }
    }
}

fn checks(registry: &Registry, package: &str, field: &FieldDescriptor) -> anyhow::Result<String> {
    let rules = rules(registry.pool(), field).map_err(|rule| anyhow!("unsupported rule {rule}"))?;
    let name = field.name();
    let value = format!("self.{}", rust_name(name));
    let mut code = String::new();
    if rules.required {
        let _ =
            writeln!(code, "        rules.require({value}.is_some(), {name:?}, \"is required\");");
    }
    if field.is_map() {
        code += &size(&value, name, &rules, "entries");
    } else if field.is_list() {
        code += &size(&value, name, &rules, "items");
        let place = format!("format_args!(\"{name}[{{i}}]\")");
        let item = scalar("it", &place, &rules.items.clone().unwrap_or_default(), field)
            + &nested("it", &place, package, field);
        if !item.is_empty() {
            let _ = writeln!(
                code,
                "        for (i, it) in {value}.iter().enumerate() {{\n{item}        }}"
            );
        }
    } else {
        code += &single(&value, &rules, package, field);
    }
    Ok(code)
}

fn single(value: &str, rules: &FieldRules, package: &str, field: &FieldDescriptor) -> String {
    let place = format!("{:?}", field.name());
    let optional = field.supports_presence() && real_oneof(field).is_none();
    if real_oneof(field).is_some() {
        return String::new();
    }
    let held = if optional { "it" } else { value };
    let reference = if optional { "it".to_owned() } else { format!("&{value}") };
    let code = scalar(&reference, &place, rules, field) + &nested(held, &place, package, field);
    match optional && !code.is_empty() {
        true => format!("        if let Some(it) = &{value} {{\n{code}        }}\n"),
        false => code,
    }
}

fn nested(value: &str, place: &str, package: &str, field: &FieldDescriptor) -> String {
    match field.kind() {
        Kind::Message(inner) if inner.package_name() == package => {
            format!("            rules.nested({place}, {value});\n")
        }
        _ => String::new(),
    }
}

fn size(value: &str, name: &str, rules: &FieldRules, noun: &str) -> String {
    let mut code = String::new();
    if let Some(least) = rules.min_items {
        let _ = writeln!(
            code,
            "        rules.require({value}.len() >= {least}, {name:?}, \"must have at least {least} {noun}\");"
        );
    }
    if let Some(most) = rules.max_items.or(rules.max_pairs) {
        let _ = writeln!(
            code,
            "        rules.require({value}.len() <= {most}, {name:?}, \"must have at most {most} {noun}\");"
        );
    }
    code
}

/// Checks of one value behind a reference expression.
fn scalar(value: &str, place: &str, rules: &FieldRules, field: &FieldDescriptor) -> String {
    let mut code = String::new();
    let deref = value.strip_prefix('&').map_or_else(|| format!("*{value}"), str::to_owned);
    let mut require = |holds: String, rule: String| {
        let _ = writeln!(code, "            rules.require({holds}, {place}, {rule:?});");
    };
    if let Some(length) = rules.bytes_len {
        require(format!("{deref}.len() == {length}"), format!("must have {length} bytes"));
    }
    if let Some(bound) = &rules.gte {
        require(format!("{deref} >= {bound}"), format!("must be at least {bound}"));
    }
    if let Some(bound) = &rules.lte {
        require(format!("{deref} <= {bound}"), format!("must be at most {bound}"));
    }
    if !rules.allowed.is_empty() {
        let allowed = &rules.allowed;
        require(
            format!("{allowed:?}.contains(&{deref}.as_str())"),
            format!("must be one of {}", allowed.join(", ")),
        );
    }
    if let (true, Kind::Enum(kind)) = (rules.defined_only, field.kind()) {
        require(
            format!("{}::try_from({deref}).is_ok()", kind.name()),
            "must be a defined value".into(),
        );
    }
    if let Some(pattern) = &rules.pattern {
        let _ = writeln!(
            code,
            "            static PATTERN_{0}: ::std::sync::LazyLock<::contract::Pattern> = ::std::sync::LazyLock::new(|| ::contract::regex({pattern:?}));\n            \
             rules.require(PATTERN_{0}.is_match({value}), {place}, {rule:?});",
            field.name().to_uppercase(),
            rule = format!("must match {pattern}"),
        );
    }
    for (bound, check) in [(rules.min_len, "min_len"), (rules.max_len, "max_len")] {
        if let Some(bound) = bound {
            let _ = writeln!(code, "            rules.{check}({place}, {value}, {bound});");
        }
    }
    code
}

/// prost escapes keywords.
pub fn rust_name(name: &str) -> String {
    match name {
        "type" | "match" | "ref" | "use" | "in" | "move" | "where" | "final" => format!("r#{name}"),
        _ => name.to_owned(),
    }
}
