//! Messages and enums as components, each once, under names that depend on nothing else.

use std::collections::BTreeMap;

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor};
use registry::{FieldRules, Registry};
use serde_json::{Map, Value, json};

use crate::{comment, enumeration};

/// Which way a message travels: what is required of it and how numbers look differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Request,
    Response,
}

/// The components that a document refers to.
pub(crate) struct Schemas<'a> {
    pub registry: &'a Registry,
    components: BTreeMap<String, Value>,
}

/// What differs from the ordinary in a request body.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BodyShape<'a> {
    /// Fields that the path sets.
    pub bound: &'a [&'a str],
    /// Unknown fields are ignored, as RFC 6749 section 3.2 asks of forms.
    pub open: bool,
    /// The field that is read off the others where nobody sends it.
    pub inferred: Option<&'a str>,
}

/// What is said of a mask that nobody need send.
pub(crate) const INFERRED: &str = "Where it is absent, it names the members of the body.";

impl<'a> Schemas<'a> {
    pub fn new(registry: &'a Registry) -> Self {
        Self { registry, components: BTreeMap::new() }
    }

    pub fn finish(self) -> BTreeMap<String, Value> {
        self.components
    }

    /// A reference to a component that is made by hand.
    pub fn fixed(&mut self, name: &str, schema: impl FnOnce() -> Value) -> Value {
        self.components.entry(name.to_owned()).or_insert_with(schema);
        reference(name)
    }

    pub fn enumeration(&mut self, descriptor: &EnumDescriptor) -> Value {
        let name = short(descriptor.full_name()).to_owned();
        self.fixed(&name, || enumeration::schema(descriptor))
    }

    pub fn message(&mut self, message: &MessageDescriptor, direction: Direction) -> Value {
        let name = component_name(message.full_name(), direction);
        self.component(&name, message, direction, BodyShape::default())
    }

    /// The body of a request whose fields stand partly in the path.
    pub fn body(&mut self, name: &str, message: &MessageDescriptor, shape: BodyShape<'_>) -> Value {
        self.component(name, message, Direction::Request, shape)
    }

    /// Whether the component has members that must be there.
    pub fn has_required(&self, reference: &Value) -> bool {
        let name = reference["$ref"].as_str().and_then(|it| it.rsplit('/').next());
        let component = name.and_then(|it| self.components.get(it));
        component.is_some_and(|it| it.get("required").is_some())
    }

    fn component(
        &mut self,
        name: &str,
        message: &MessageDescriptor,
        direction: Direction,
        shape: BodyShape<'_>,
    ) -> Value {
        if !self.components.contains_key(name) {
            // Holds the place while a message that contains itself is read.
            self.components.insert(name.to_owned(), Value::Null);
            let schema = self.object(message, direction, shape);
            self.components.insert(name.to_owned(), schema);
        }
        reference(name)
    }

    fn object(
        &mut self,
        message: &MessageDescriptor,
        direction: Direction,
        shape: BodyShape<'_>,
    ) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for field in message.fields().filter(|it| !shape.bound.contains(&it.name())) {
            let mut property = self.field(&field, direction);
            if shape.inferred == Some(field.name()) {
                let text = property["description"].as_str().unwrap_or_default();
                property["description"] = format!("{text} {INFERRED}").trim_start().into();
            } else if self.is_required(&field, direction) {
                required.push(field.name().to_owned());
            }
            properties.insert(field.name().to_owned(), property);
        }
        let mut schema = json!({"type": "object", "properties": properties});
        let mut text = vec![comment::of(&message.parent_file(), message.path())];
        for oneof in message.oneofs().filter(|it| !it.is_synthetic()) {
            text.push(exclusive(&mut schema, &oneof));
        }
        set(&mut schema, "description", text.join(" ").trim());
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        if direction == Direction::Request && !shape.open {
            schema["additionalProperties"] = false.into();
        }
        schema
    }

    pub fn is_required(&self, field: &FieldDescriptor, direction: Direction) -> bool {
        let listed = field.is_list() || field.is_map();
        match direction {
            Direction::Response => listed || (!field.supports_presence() && counts(&field.kind())),
            Direction::Request => {
                let rules = self.rules(field);
                let in_oneof = field.containing_oneof().is_some_and(|it| !it.is_synthetic());
                let optional = listed || field.supports_presence();
                let filled = rules.required || rules.min_items.is_some_and(|it| it > 0);
                !in_oneof && (filled || (!optional && refuses_zero(&field.kind(), &rules)))
            }
        }
    }

    pub fn rules(&self, field: &FieldDescriptor) -> FieldRules {
        registry::rules(self.registry.pool(), field)
            .expect("a registry holds no rule that it cannot read")
    }
}

/// Sets a member where there is something to say.
pub(crate) fn set(schema: &mut Value, name: &str, text: &str) {
    if !text.is_empty() {
        schema[name] = text.into();
    }
}

/// The name of a message's component. Requests and answers differ in what they require, so a
/// name says which one it is, whether or not the other is in use.
pub(crate) fn component_name(full_name: &str, direction: Direction) -> String {
    let name = short(full_name);
    match (direction, name.ends_with("Request")) {
        (Direction::Request, false) => format!("{name}Input"),
        (Direction::Response, true) => format!("{name}Output"),
        _ => name.to_owned(),
    }
}

/// `clinical.v1.Biomarker` of `loop.clinical.v1.Biomarker`.
pub(crate) fn short(full_name: &str) -> &str {
    full_name.strip_prefix("loop.").unwrap_or(full_name)
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// Numbers and bools: answers always have them.
fn counts(kind: &Kind) -> bool {
    !matches!(kind, Kind::String | Kind::Bytes | Kind::Enum(_) | Kind::Message(_))
}

/// Whether a field that cannot be told from its zero must be sent, because zero breaks a rule.
fn refuses_zero(kind: &Kind, rules: &FieldRules) -> bool {
    let bound = |it: &Option<String>| it.as_ref().and_then(|it| it.parse::<i128>().ok());
    match kind {
        Kind::String => {
            let pattern = rules.pattern.as_ref().and_then(|it| regex_lite::Regex::new(it).ok());
            rules.min_len.is_some_and(|it| it > 0)
                || pattern.is_some_and(|it| !it.is_match(""))
                || (!rules.allowed.is_empty() && !rules.allowed.iter().any(String::is_empty))
        }
        Kind::Bytes => rules.bytes_len.is_some_and(|it| it > 0),
        Kind::Enum(_) | Kind::Message(_) | Kind::Bool => false,
        _ => {
            bound(&rules.gte).is_some_and(|it| it > 0) || bound(&rules.lte).is_some_and(|it| it < 0)
        }
    }
}

/// Forbids every two members of a oneof to be there together, and says so.
fn exclusive(schema: &mut Value, oneof: &OneofDescriptor) -> String {
    let names: Vec<String> = oneof.fields().map(|it| it.name().to_owned()).collect();
    let mut pairs: Vec<Value> = Vec::new();
    for (at, first) in names.iter().enumerate() {
        pairs.extend(names[at + 1..].iter().map(|second| json!({"required": [first, second]})));
    }
    if pairs.is_empty() {
        return String::new();
    }
    if schema["not"]["anyOf"].is_null() {
        schema["not"] = json!({"anyOf": []});
    }
    if let Some(all) = schema["not"]["anyOf"].as_array_mut() {
        all.extend(pairs);
    }
    format!("At most one of `{}`.", names.join("`, `"))
}
