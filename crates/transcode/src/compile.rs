//! Compiles descriptors to plans.

use prost_reflect::{
    Cardinality, DescriptorPool, EnumDescriptor, ExtensionDescriptor, FieldDescriptor,
    MessageDescriptor, Syntax, Value,
};

use crate::plan::{
    EnumId, EnumPlan, EnumValuePlan, FieldPlan, Kind, MessageId, MessagePlan, Phi, Plans, Shape,
    WellKnown,
};
use crate::verbatim::Verbatim;

/// Field numbers below this are looked up in a table.
const SMALL: u32 = 256;

/// Compiles every message and enum of the pool.
pub(crate) fn plans(pool: &DescriptorPool) -> Plans {
    let compiler = Compiler::new(pool);
    Plans {
        messages: pool.all_messages().map(|message| compiler.message(&message)).collect(),
        enums: pool.all_enums().map(|descriptor| enumeration(&descriptor)).collect(),
        message_ids: compiler.message_ids,
    }
}

struct Compiler {
    message_ids: std::collections::HashMap<Box<str>, MessageId>,
    enum_ids: std::collections::HashMap<Box<str>, EnumId>,
    phi: Option<ExtensionDescriptor>,
    decimal: Option<ExtensionDescriptor>,
}

impl Compiler {
    fn new(pool: &DescriptorPool) -> Compiler {
        let messages = pool.all_messages().zip(0..);
        let enums = pool.all_enums().zip(0..);
        Compiler {
            message_ids: messages.map(|(m, id)| (m.full_name().into(), MessageId(id))).collect(),
            enum_ids: enums.map(|(e, id)| (e.full_name().into(), EnumId(id))).collect(),
            phi: pool.get_extension_by_name("loop.options.v1.phi"),
            decimal: pool.get_extension_by_name("loop.options.v1.decimal"),
        }
    }

    fn message(&self, message: &MessageDescriptor) -> MessagePlan {
        let mut fields: Vec<FieldPlan> = message.fields().map(|field| self.field(&field)).collect();
        fields.extend(message.extensions().map(|extension| self.extension(&extension)));
        fields.sort_by_key(|field| field.number);
        let without_presence: Box<[u16]> = (0..)
            .zip(&fields)
            .filter(|(_, field)| field.shape != Shape::Explicit)
            .map(|(index, _)| index)
            .collect();
        let countable = |index: &&u16| {
            let field = &fields[usize::from(**index)];
            field.is_repeated() || field.kind.is_number_or_bool()
        };
        MessagePlan {
            full_name: message.full_name().into(),
            well_known: well_known(message.full_name()),
            small_numbers: small_numbers(&fields),
            names: names(&fields),
            countable: without_presence.iter().filter(countable).copied().collect(),
            without_presence,
            fields: fields.into(),
        }
    }

    fn field(&self, field: &FieldDescriptor) -> FieldPlan {
        let shape = if field.is_map() {
            Shape::Map
        } else {
            shape(field.cardinality(), field.is_packed(), field.supports_presence())
        };
        let oneof = field.containing_oneof().filter(|oneof| !oneof.is_synthetic());
        let index = |oneof: prost_reflect::OneofDescriptor| {
            let mut oneofs = field.parent_message().oneofs();
            oneofs.position(|other| other == oneof).map(|index| index as u16)
        };
        let kind = self.kind(&field.kind(), field.is_group(), self.is_decimal(field));
        FieldPlan {
            number: field.number(),
            kind,
            wire_type: kind.wire_type(),
            shape,
            oneof: oneof.and_then(index),
            name: field.name().into(),
            json_name: field.json_name().into(),
            phi: self.phi(field),
            canonical_key: key(field.json_name()),
            rest_key: key(rest_name(field.name(), field.json_name())),
        }
    }

    /// An extension is a field whose JSON name is its full name in brackets.
    fn extension(&self, field: &ExtensionDescriptor) -> FieldPlan {
        let kind = self.kind(&field.kind(), field.is_group(), false);
        FieldPlan {
            number: field.number(),
            kind,
            wire_type: kind.wire_type(),
            shape: shape(field.cardinality(), field.is_packed(), field.supports_presence()),
            oneof: None,
            name: field.json_name().into(),
            json_name: field.json_name().into(),
            phi: None,
            canonical_key: key(field.json_name()),
            rest_key: key(field.json_name()),
        }
    }

    fn kind(&self, kind: &prost_reflect::Kind, is_group: bool, is_decimal: bool) -> Kind {
        use prost_reflect::Kind as Declared;
        match kind {
            Declared::Double => Kind::Double,
            Declared::Float => Kind::Float,
            Declared::Int32 => Kind::Int32,
            Declared::Int64 => Kind::Int64,
            Declared::Uint32 => Kind::Uint32,
            Declared::Uint64 => Kind::Uint64,
            Declared::Sint32 => Kind::Sint32,
            Declared::Sint64 => Kind::Sint64,
            Declared::Fixed32 => Kind::Fixed32,
            Declared::Fixed64 => Kind::Fixed64,
            Declared::Sfixed32 => Kind::Sfixed32,
            Declared::Sfixed64 => Kind::Sfixed64,
            Declared::Bool => Kind::Bool,
            Declared::String if is_decimal => Kind::Decimal,
            Declared::String => Kind::String,
            Declared::Bytes => Kind::Bytes,
            Declared::Enum(descriptor) => Kind::Enum(self.enum_ids[descriptor.full_name()]),
            Declared::Message(message) if is_group => {
                Kind::Group(self.message_ids[message.full_name()])
            }
            Declared::Message(message) => Kind::Message(self.message_ids[message.full_name()]),
        }
    }

    fn is_decimal(&self, field: &FieldDescriptor) -> bool {
        let Some(decimal) = &self.decimal else { return false };
        field.options().get_extension(decimal).as_bool() == Some(true)
    }

    fn phi(&self, field: &FieldDescriptor) -> Option<Phi> {
        let value = field.options().get_extension(self.phi.as_ref()?).into_owned();
        match value {
            Value::EnumNumber(1) => Some(Phi::Identifier),
            Value::EnumNumber(2) => Some(Phi::Contact),
            Value::EnumNumber(3) => Some(Phi::Demographic),
            Value::EnumNumber(4) => Some(Phi::Clinical),
            Value::EnumNumber(6) => Some(Phi::Secret),
            Value::EnumNumber(0) => None,
            // A class that is newer than this code is protected all the same.
            _ => Some(Phi::FreeText),
        }
    }
}

fn shape(cardinality: Cardinality, packed: bool, presence: bool) -> Shape {
    match (cardinality, presence) {
        (Cardinality::Repeated, _) => Shape::List { packed },
        (_, true) => Shape::Explicit,
        (_, false) => Shape::Implicit,
    }
}

/// A field's name in REST: the declared one, unless the contract gives another `json_name`.
fn rest_name<'a>(name: &'a str, json_name: &'a str) -> &'a str {
    if json_name == default_json_name(name) { name } else { json_name }
}

/// What protoc makes of a name: no underscores, and a capital after each.
fn default_json_name(name: &str) -> String {
    let words = name.split('_').enumerate();
    let capital = |(index, word): (usize, &str)| match word.chars().next() {
        Some(first) if index > 0 => first.to_ascii_uppercase().to_string() + &word[1..],
        _ => word.to_owned(),
    };
    words.map(capital).collect()
}

/// `,"name":`, ready to be written and, without the comma, to be compared.
fn key(name: &str) -> Verbatim {
    let mut key = vec![b','];
    crate::json::write_string(&mut key, name);
    key.push(b':');
    key.into()
}

fn small_numbers(fields: &[FieldPlan]) -> Box<[u16]> {
    let mut table = vec![0; SMALL as usize];
    for (index, field) in (1..).zip(fields) {
        if field.number < SMALL {
            table[field.number as usize] = index;
        }
    }
    table.into()
}

fn names(fields: &[FieldPlan]) -> Box<[(Box<str>, u16)]> {
    let mut names: Vec<(Box<str>, u16)> = Vec::new();
    for (index, field) in (0..).zip(fields) {
        names.push((field.name.clone(), index));
        names.push((field.json_name.clone(), index));
    }
    // Sorting keeps equal names in the order of the fields; a field's own JSON name is its own.
    names.sort();
    names.dedup_by(|second, first| second.0 == first.0);
    names.into()
}

fn enumeration(descriptor: &EnumDescriptor) -> EnumPlan {
    let spellings = rest_spellings(descriptor);
    let mut values: Vec<EnumValuePlan> = Vec::new();
    for (value, spelling) in descriptor.values().zip(&spellings) {
        values.push(EnumValuePlan {
            number: value.number(),
            canonical: quoted(value.name()),
            rest: quoted(spelling),
        });
    }
    values.sort_by_key(|value| value.number);
    values.dedup_by_key(|value| value.number);
    let numbers = || descriptor.values().map(|value| value.number());
    let declared = descriptor.values().map(|value| Box::from(value.name()));
    EnumPlan {
        is_null: descriptor.full_name() == "google.protobuf.NullValue",
        closed: descriptor.parent_file().syntax() == Syntax::Proto2,
        values: values.into(),
        canonical_names: sorted(declared.zip(numbers())),
        rest_names: sorted(spellings.into_iter().map(Box::from).zip(numbers())),
    }
}

fn sorted(names: impl Iterator<Item = (Box<str>, i32)>) -> Box<[(Box<str>, i32)]> {
    let mut names: Vec<_> = names.collect();
    names.sort();
    names.into()
}

/// Each value's name in lower case without the enum's name: `normal` for
/// `BIOMARKER_STATUS_NORMAL`. Only lower case where that would make two values alike.
fn rest_spellings(descriptor: &EnumDescriptor) -> Vec<String> {
    let prefix = format!("{}_", snake_case(descriptor.name()));
    let lower: Vec<String> = descriptor.values().map(|v| v.name().to_ascii_lowercase()).collect();
    let strip = |name: &String| match name.strip_prefix(&prefix) {
        // Digits alone would be taken for a number.
        Some(short) if short.bytes().any(|b| !b.is_ascii_digit()) => short.to_owned(),
        _ => name.clone(),
    };
    let short: Vec<String> = lower.iter().map(strip).collect();
    let numbers: Vec<i32> = descriptor.values().map(|value| value.number()).collect();
    let clash = |names: &[String]| {
        (0..names.len()).any(|i| (0..i).any(|j| names[i] == names[j] && numbers[i] != numbers[j]))
    };
    if !clash(&short) {
        short
    } else if !clash(&lower) {
        lower
    } else {
        descriptor.values().map(|value| value.name().to_owned()).collect()
    }
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    let mut before_lower = false;
    for (index, letter) in name.char_indices() {
        let next_is_lower = name[index + 1..].starts_with(|c: char| c.is_ascii_lowercase());
        if letter.is_ascii_uppercase() && index > 0 && (before_lower || next_is_lower) {
            snake.push('_');
        }
        before_lower = letter.is_ascii_lowercase() || letter.is_ascii_digit();
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

fn quoted(name: &str) -> Verbatim {
    let mut quoted = Vec::new();
    crate::json::write_string(&mut quoted, name);
    quoted.into()
}

fn well_known(full_name: &str) -> Option<WellKnown> {
    Some(match full_name.strip_prefix("google.protobuf.")? {
        "Any" => WellKnown::Any,
        "Duration" => WellKnown::Duration,
        "FieldMask" => WellKnown::FieldMask,
        "ListValue" => WellKnown::ListValue,
        "Struct" => WellKnown::Struct,
        "Timestamp" => WellKnown::Timestamp,
        "Value" => WellKnown::Value,
        "BoolValue" | "BytesValue" | "DoubleValue" | "FloatValue" | "Int32Value" | "Int64Value"
        | "StringValue" | "UInt32Value" | "UInt64Value" => WellKnown::Wrapper,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_name_of_the_contract_is_the_name_in_rest() {
        for (name, json_name, rest) in [
            ("page_size", "pageSize", "page_size"),
            ("id", "id", "id"),
            ("_a__b_1_", "AB1", "_a__b_1_"),
            ("page_size", "limit", "limit"),
            ("type", "@type", "@type"),
        ] {
            assert_eq!(rest_name(name, json_name), rest, "{name}");
        }
    }

    #[test]
    fn type_names_become_prefixes_as_the_style_guide_has_them() {
        for (name, snake) in [
            ("Gender", "gender"),
            ("BiomarkerStatus", "biomarker_status"),
            ("HTTPMethod", "http_method"),
            ("Sha256Kind", "sha256_kind"),
            ("A", "a"),
        ] {
            assert_eq!(snake_case(name), snake);
        }
    }
}
