//! What a JSON value may be, read from the schemas of a document.

use serde_json::Value;

/// The values that a member takes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    Text,
    /// A number without a fraction.
    Integer,
    Number,
    Bool,
    Null,
    /// Bytes that are no JSON.
    Bytes,
    /// Any JSON value.
    Any,
    /// One of these texts.
    Choice(Vec<String>),
    List(Box<Shape>),
    /// An object whose members all have this shape.
    Map(Box<Shape>),
    /// A type of the service, by its name.
    Named(String),
    /// Any of these.
    Either(Vec<Shape>),
}

/// A member of an object or of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    /// As JSON has it.
    pub name: String,
    pub shape: Shape,
    pub required: bool,
    pub text: String,
    pub deprecated: bool,
}

/// A type that others refer to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Type {
    pub name: String,
    pub text: String,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    Object(Vec<Field>),
    Choice(Vec<String>),
}

impl Shape {
    pub fn read(schema: &Value) -> Self {
        if let Some(name) = schema["$ref"].as_str() {
            return Self::Named(type_name(name));
        }
        if let Some(values) = schema["enum"].as_array() {
            return Self::Choice(texts(values));
        }
        match &schema["type"] {
            Value::Array(kinds) => {
                Self::Either(kinds.iter().filter_map(|it| Self::of(it.as_str()?, schema)).collect())
            }
            Value::String(kind) => Self::of(kind, schema).unwrap_or(Self::Any),
            _ => Self::Any,
        }
    }

    fn of(kind: &str, schema: &Value) -> Option<Self> {
        Some(match kind {
            "string" if schema["format"] == "binary" => Self::Bytes,
            "string" => Self::Text,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Bool,
            "null" => Self::Null,
            "array" => Self::List(Box::new(Self::read(&schema["items"]))),
            "object" => Self::Map(Box::new(Self::read(&schema["additionalProperties"]))),
            _ => return None,
        })
    }

    /// The names of the types that it refers to.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::Named(name) => vec![name],
            Self::List(inner) | Self::Map(inner) => inner.names(),
            Self::Either(shapes) => shapes.iter().flat_map(Self::names).collect(),
            _ => Vec::new(),
        }
    }
}

impl Field {
    /// The member of this name, whose schema says what it is.
    pub fn read(name: &str, schema: &Value, required: bool) -> Self {
        Self {
            name: name.to_owned(),
            shape: Shape::read(schema),
            required,
            text: text(schema),
            deprecated: schema["deprecated"] == true,
        }
    }

    /// Every member of an object's schema, in its order.
    pub fn all(schema: &Value) -> Vec<Self> {
        let required = schema["required"].as_array().map_or(Vec::new(), |it| texts(it));
        let properties = schema["properties"].as_object().into_iter().flatten();
        properties.map(|(name, it)| Self::read(name, it, required.contains(name))).collect()
    }
}

impl Type {
    /// The component of this name.
    pub fn read(name: &str, schema: &Value) -> Self {
        let kind = match schema["enum"].as_array() {
            Some(values) => Kind::Choice(texts(values)),
            None => Kind::Object(Field::all(schema)),
        };
        Self { name: type_name(name), text: text(schema), kind }
    }

    /// The names of the types that it refers to.
    pub fn names(&self) -> Vec<&str> {
        match &self.kind {
            Kind::Object(fields) => fields.iter().flat_map(|it| it.shape.names()).collect(),
            Kind::Choice(_) => Vec::new(),
        }
    }
}

/// `BiomarkerResultInput` of `clinical.v1.BiomarkerResultInput`; the names of an outer and an
/// inner message are one.
fn type_name(component: &str) -> String {
    let component = component.rsplit('/').next().unwrap_or_default();
    let parts = component.split('.');
    parts.filter(|it| it.starts_with(|letter: char| letter.is_ascii_uppercase())).collect()
}

fn text(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().to_owned()
}

fn texts(values: &[Value]) -> Vec<String> {
    values.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_becomes_a_shape() {
        let list = |it| Shape::List(Box::new(it));
        let map = |it| Shape::Map(Box::new(it));
        for (schema, shape) in [
            (json!({"type": "string", "format": "date-time"}), Shape::Text),
            (json!({"type": "string", "format": "binary"}), Shape::Bytes),
            (json!({"type": "integer"}), Shape::Integer),
            (
                json!({"type": ["number", "string"]}),
                Shape::Either(vec![Shape::Number, Shape::Text]),
            ),
            (json!({"type": "array", "items": {"type": "boolean"}}), list(Shape::Bool)),
            (
                json!({"type": "object", "additionalProperties": {"type": "string"}}),
                map(Shape::Text),
            ),
            (json!({"type": "object", "additionalProperties": true}), map(Shape::Any)),
            (
                json!({"type": "string", "enum": ["a", "b"]}),
                Shape::Choice(vec!["a".into(), "b".into()]),
            ),
            (
                json!({"$ref": "#/components/schemas/a.v1.Outer.Inner"}),
                Shape::Named("OuterInner".into()),
            ),
            (json!({"type": "null"}), Shape::Null),
            (json!({}), Shape::Any),
        ] {
            assert_eq!(Shape::read(&schema), shape, "{schema}");
        }
    }
}
