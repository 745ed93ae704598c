//! What a field may hold, and whether it is protected.

use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value,
};

use crate::{
    Fault,
    options::{Options, text, texts},
    ours,
};

/// The class of protected data a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phi {
    Identifier,
    Contact,
    Demographic,
    Clinical,
    FreeText,
    Secret,
}

/// The subset of `buf.validate` that the platform checks. A rule outside it is a fault, so that no
/// contract promises what nothing enforces.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldRules {
    pub required: bool,
    pub min_len: Option<u64>,
    pub max_len: Option<u64>,
    pub pattern: Option<String>,
    pub allowed: Vec<String>,
    pub bytes_len: Option<u64>,
    pub gte: Option<Number>,
    pub lte: Option<Number>,
    pub defined_only: bool,
    pub min_items: Option<u64>,
    pub max_items: Option<u64>,
    pub max_pairs: Option<u64>,
    pub items: Option<Box<FieldRules>>,
}

/// A bound of a numeric rule, in decimal text as Rust writes it.
pub type Number = String;

impl FieldRules {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The class of a field, if it is protected.
pub fn phi(pool: &DescriptorPool, field: &FieldDescriptor) -> Option<Phi> {
    let option = pool.get_extension_by_name("loop.options.v1.phi")?;
    class_of(field.options().get_extension(&option).as_enum_number()?)
}

/// True when the field is a string that holds an exact decimal.
pub fn decimal(pool: &DescriptorPool, field: &FieldDescriptor) -> bool {
    let option = pool.get_extension_by_name("loop.options.v1.decimal");
    option.and_then(|it| field.options().get_extension(&it).as_bool()).unwrap_or_default()
}

/// The rules of a field; an error names a rule that is not supported.
pub fn rules(pool: &DescriptorPool, field: &FieldDescriptor) -> Result<FieldRules, String> {
    let Some(option) = pool.get_extension_by_name("buf.validate.field") else {
        return Ok(FieldRules::default());
    };
    let options = field.options();
    match options.has_extension(&option) {
        true => options.get_extension(&option).as_message().map_or(Ok(FieldRules::default()), read),
        false => Ok(FieldRules::default()),
    }
}

pub(crate) fn class(options: &Options, field: &FieldDescriptor) -> Option<Phi> {
    class_of(field.options().get_extension(&options.phi).as_enum_number()?)
}

fn class_of(number: i32) -> Option<Phi> {
    match number {
        1 => Some(Phi::Identifier),
        2 => Some(Phi::Contact),
        3 => Some(Phi::Demographic),
        4 => Some(Phi::Clinical),
        5 => Some(Phi::FreeText),
        6 => Some(Phi::Secret),
        _ => None,
    }
}

fn read(message: &DynamicMessage) -> Result<FieldRules, String> {
    let mut rules = FieldRules::default();
    for (field, value) in message.fields() {
        match (field.name(), value) {
            ("required", Value::Bool(required)) => rules.required = *required,
            (kind, Value::Message(inner)) => read_kind(&mut rules, kind, inner)?,
            (other, _) => return Err(other.to_owned()),
        }
    }
    Ok(rules)
}

fn read_kind(rules: &mut FieldRules, kind: &str, message: &DynamicMessage) -> Result<(), String> {
    for (field, value) in message.fields() {
        match (kind, field.name(), value) {
            ("string", "min_len", Value::U64(it)) => rules.min_len = Some(*it),
            ("string", "max_len", Value::U64(it)) => rules.max_len = Some(*it),
            ("string", "pattern", Value::String(_)) => {
                rules.pattern = Some(text(message, "pattern"))
            }
            ("string", "in", _) => rules.allowed = texts(message, "in"),
            ("bytes", "len", Value::U64(it)) => rules.bytes_len = Some(*it),
            ("enum", "defined_only", Value::Bool(it)) => rules.defined_only = *it,
            ("repeated", "min_items", Value::U64(it)) => rules.min_items = Some(*it),
            ("repeated", "max_items", Value::U64(it)) => rules.max_items = Some(*it),
            ("repeated", "items", Value::Message(it)) => rules.items = Some(Box::new(read(it)?)),
            ("map", "max_pairs", Value::U64(it)) => rules.max_pairs = Some(*it),
            (_, "gte", it) if number(it).is_some() => rules.gte = number(it),
            (_, "lte", it) if number(it).is_some() => rules.lte = number(it),
            (kind, other, _) => return Err(format!("{kind}.{other}")),
        }
    }
    Ok(())
}

fn number(value: &Value) -> Option<Number> {
    match value {
        Value::U32(it) => Some(it.to_string()),
        Value::I32(it) => Some(it.to_string()),
        Value::U64(it) => Some(it.to_string()),
        Value::I64(it) => Some(it.to_string()),
        _ => None,
    }
}

/// Field names that give a person away. A string field so named must say what it holds.
const TELLING: [&str; 9] = [
    "first_name",
    "last_name",
    "full_name",
    "email",
    "phone",
    "date_of_birth",
    "birth_date",
    "address",
    "ssn",
];

pub(crate) fn check_all(options: &Options, pool: &DescriptorPool, faults: &mut Vec<Fault>) {
    for message in pool.all_messages().filter(|it| ours(it.package_name()) && !it.is_map_entry()) {
        for field in message.fields() {
            check(options, pool, &message, &field, faults);
        }
    }
}

fn check(
    options: &Options,
    pool: &DescriptorPool,
    message: &MessageDescriptor,
    field: &FieldDescriptor,
    faults: &mut Vec<Fault>,
) {
    let mut fault = |problem: String, mend: &str| {
        let subject = format!("{}.{}", message.full_name(), field.name());
        faults.push(Fault::new(&message.parent_file(), field.path(), &subject, problem, mend));
    };
    if TELLING.contains(&field.name())
        && field.kind() == Kind::String
        && class(options, field).is_none()
    {
        fault("looks protected and does not say so".into(), "add `[(loop.options.v1.phi) = …]`");
    }
    match rules(pool, field) {
        Err(rule) => fault(
            format!("uses the rule {rule}, which nothing here enforces"),
            "use one that crates/registry/src/field.rs reads, or teach it and the generator the rule",
        ),
        Ok(rules) => {
            let patterns =
                rules.pattern.iter().chain(rules.items.iter().filter_map(|it| it.pattern.as_ref()));
            for pattern in patterns {
                if let Err(cause) = regex_lite::Regex::new(pattern) {
                    fault(
                        format!("has a pattern that does not compile: {cause}"),
                        "write an RE2 pattern",
                    );
                }
            }
        }
    }
}
