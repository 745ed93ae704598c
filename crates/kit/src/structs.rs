//! `google.protobuf.Struct` on the wire, JSON in the database.

use prost_types::{ListValue, Struct, Value, value::Kind};
use serde_json::Value as Json;

/// A JSON object as a Struct. What is no object is an empty one.
pub fn struct_of(json: &Json) -> Struct {
    let fields = json.as_object().into_iter().flatten();
    Struct { fields: fields.map(|(key, value)| (key.clone(), value_of(value))).collect() }
}

pub fn json_of(message: &Struct) -> Json {
    message.fields.iter().map(|(key, value)| (key.clone(), json_value(value))).collect()
}

fn value_of(json: &Json) -> Value {
    let kind = match json {
        Json::Null => Kind::NullValue(0),
        Json::Bool(it) => Kind::BoolValue(*it),
        Json::Number(it) => Kind::NumberValue(it.as_f64().unwrap_or_default()),
        Json::String(it) => Kind::StringValue(it.clone()),
        Json::Array(it) => Kind::ListValue(ListValue { values: it.iter().map(value_of).collect() }),
        Json::Object(_) => Kind::StructValue(struct_of(json)),
    };
    Value { kind: Some(kind) }
}

fn json_value(value: &Value) -> Json {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => Json::Null,
        Some(Kind::BoolValue(it)) => (*it).into(),
        Some(Kind::NumberValue(it)) => (*it).into(),
        Some(Kind::StringValue(it)) => it.clone().into(),
        Some(Kind::ListValue(it)) => it.values.iter().map(json_value).collect(),
        Some(Kind::StructValue(it)) => json_of(it),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_object_survives_the_way_through_a_struct() {
        let json = serde_json::json!({"a": [1.5, null, true], "b": {"c": "d"}});
        assert_eq!(json_of(&struct_of(&json)), json);
    }
}
