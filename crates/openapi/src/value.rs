//! Fields as REST JSON has them, with the rules that their values keep.

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use registry::{FieldRules, Phi};
use serde_json::{Value, json};

use crate::{
    comment,
    schema::{Direction, Schemas, set},
};

impl Schemas<'_> {
    /// The schema of a field: its value, its rules, and what the contract says of it.
    pub fn field(&mut self, field: &FieldDescriptor, direction: Direction) -> Value {
        let rules = self.rules(field);
        let mut schema = if field.is_map() {
            self.map(field, &rules, direction)
        } else if field.is_list() {
            let item = rules.items.clone().unwrap_or_default();
            let items = self.single(field, &item, direction);
            let mut schema = json!({"type": "array", "items": items});
            limit(&mut schema, "minItems", rules.min_items);
            limit(&mut schema, "maxItems", rules.max_items);
            schema
        } else {
            self.single(field, &rules, direction)
        };
        self.annotate(&mut schema, field);
        schema
    }

    fn annotate(&self, schema: &mut Value, field: &FieldDescriptor) {
        set(schema, "description", &comment::of(&field.parent_file(), field.path()));
        if let Some(class) = registry::phi(self.registry.pool(), field) {
            schema["x-phi"] = phi_name(class).into();
            if class == Phi::Secret && schema["type"] == "string" {
                schema["format"] = "password".into();
            }
        }
        let options = field.field_descriptor_proto().options.as_ref();
        if options.is_some_and(|it| it.deprecated()) {
            schema["deprecated"] = true.into();
        }
    }

    fn map(&mut self, field: &FieldDescriptor, rules: &FieldRules, direction: Direction) -> Value {
        let Kind::Message(entry) = field.kind() else { return json!({"type": "object"}) };
        let value = entry.map_entry_value_field();
        let values = self.single(&value, &FieldRules::default(), direction);
        let mut schema = json!({"type": "object", "additionalProperties": values});
        limit(&mut schema, "maxProperties", rules.max_pairs);
        schema
    }

    /// One value of the field, without what is said of the field as a whole.
    fn single(&mut self, field: &FieldDescriptor, rules: &FieldRules, to: Direction) -> Value {
        let mut schema = match field.kind() {
            Kind::Message(message) => return self.nested(&message, to),
            Kind::Enum(descriptor) => return self.choice(&descriptor),
            Kind::String if registry::decimal(self.registry.pool(), field) => decimal(to),
            kind => scalar(&kind, to),
        };
        constrain(&mut schema, rules);
        schema
    }

    fn choice(&mut self, descriptor: &EnumDescriptor) -> Value {
        match descriptor.full_name() {
            "google.protobuf.NullValue" => json!({"type": "null"}),
            _ => self.enumeration(descriptor),
        }
    }

    fn nested(&mut self, message: &MessageDescriptor, direction: Direction) -> Value {
        match well_known(message, direction) {
            Some(schema) => schema,
            None => self.message(message, direction),
        }
    }
}

/// Messages that JSON knows by another form than an object of their fields.
/// <https://protobuf.dev/programming-guides/json/>
pub(crate) fn well_known(message: &MessageDescriptor, direction: Direction) -> Option<Value> {
    let name = message.full_name().strip_prefix("google.protobuf.")?;
    Some(match name {
        "Timestamp" => json!({"type": "string", "format": "date-time"}),
        "Duration" => {
            json!({"type": "string", "format": "duration-seconds",
                   "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$"})
        }
        "FieldMask" => json!({"type": "string", "format": "field-mask"}),
        "Struct" => json!({"type": "object", "additionalProperties": true}),
        "Value" => json!({}),
        "ListValue" => json!({"type": "array", "items": {}}),
        "Any" => json!({"type": "object", "required": ["@type"], "additionalProperties": true,
                        "properties": {"@type": {"type": "string"}}}),
        "Empty" => json!({"type": "object", "additionalProperties": false}),
        name if name.ends_with("Value") => {
            scalar(&message.get_field_by_name("value")?.kind(), direction)
        }
        _ => return None,
    })
}

/// Whether a value of this kind can stand in a path or a query.
pub(crate) fn has_text_form(kind: &Kind) -> bool {
    let Kind::Message(message) = kind else { return true };
    match message.full_name().strip_prefix("google.protobuf.") {
        Some("Timestamp" | "Duration" | "FieldMask") => true,
        Some(name) => name.ends_with("Value") && !matches!(name, "Value" | "ListValue"),
        None => false,
    }
}

fn scalar(kind: &Kind, direction: Direction) -> Value {
    match kind {
        Kind::Double => json!({"type": "number", "format": "double"}),
        Kind::Float => json!({"type": "number", "format": "float"}),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            json!({"type": "integer", "format": "int32"})
        }
        Kind::Uint32 | Kind::Fixed32 => {
            json!({"type": "integer", "format": "uint32", "minimum": 0})
        }
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => long("int64", "^-?[0-9]+$", direction),
        Kind::Uint64 | Kind::Fixed64 => long("uint64", "^[0-9]+$", direction),
        Kind::Bool => json!({"type": "boolean"}),
        Kind::Bytes => json!({"type": "string", "contentEncoding": "base64"}),
        _ => json!({"type": "string"}),
    }
}

/// 64 bits are more than a JSON number holds everywhere: answers have text, requests either.
fn long(format: &str, pattern: &str, direction: Direction) -> Value {
    let kind = match direction {
        Direction::Request => json!(["string", "integer"]),
        Direction::Response => json!("string"),
    };
    json!({"type": kind, "format": format, "pattern": pattern})
}

/// An exact decimal: a number in JSON, and in a request also its text.
fn decimal(direction: Direction) -> Value {
    let kind = match direction {
        Direction::Request => json!(["number", "string"]),
        Direction::Response => json!("number"),
    };
    json!({"type": kind, "format": "decimal"})
}

/// `buf.validate` in the words of JSON Schema.
fn constrain(schema: &mut Value, rules: &FieldRules) {
    limit(schema, "minLength", rules.min_len);
    limit(schema, "maxLength", rules.max_len);
    if let Some(bytes) = rules.bytes_len {
        // Base64 with and without its padding.
        schema["minLength"] = (bytes * 4).div_ceil(3).into();
        schema["maxLength"] = (bytes.div_ceil(3) * 4).into();
    }
    if let Some(pattern) = &rules.pattern {
        schema["pattern"] = pattern.as_str().into();
    }
    if !rules.allowed.is_empty() {
        schema["enum"] = rules.allowed.clone().into();
    }
    if schema["type"] != "string" {
        bound(schema, "minimum", rules.gte.as_deref());
        bound(schema, "maximum", rules.lte.as_deref());
    }
}

fn limit(schema: &mut Value, keyword: &str, value: Option<u64>) {
    if let Some(value) = value {
        schema[keyword] = value.into();
    }
}

fn bound(schema: &mut Value, keyword: &str, text: Option<&str>) {
    if let Some(number) = text.and_then(|it| serde_json::from_str(it).ok()) {
        schema[keyword] = number;
    }
}

fn phi_name(class: Phi) -> &'static str {
    match class {
        Phi::Identifier => "identifier",
        Phi::Contact => "contact",
        Phi::Demographic => "demographic",
        Phi::Clinical => "clinical",
        Phi::FreeText => "free_text",
        Phi::Secret => "secret",
    }
}
