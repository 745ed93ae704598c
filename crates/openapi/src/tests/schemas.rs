//! Messages, fields, rules and enums.

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::json;
use transcode::{Api, Style};

use super::*;

/// The schemas of a method that takes and gives the same fields.
fn both(fields: &str, beside: &str) -> (Value, Value) {
    let messages =
        format!("message DoRequest {{\n{fields}\n}} message DoResponse {{\n{fields}\n}} {beside}");
    let document = document(&one(r#"post: "/v1/do" body: "*""#, WRITE, &messages));
    let schema = |name: &str| document["components"]["schemas"][name].clone();
    (schema("test.v1.DoRequest"), schema("test.v1.DoResponse"))
}

/// One field `x` as a request and as an answer have it.
fn field(text: &str) -> (Value, Value) {
    let (request, response) = both(text, "");
    (request["properties"]["x"].clone(), response["properties"]["x"].clone())
}

#[test]
fn each_kind_has_its_json_form() {
    for (kind, request, response) in [
        ("string", json!({"type": "string"}), None),
        ("bool", json!({"type": "boolean"}), None),
        ("int32", json!({"type": "integer", "format": "int32"}), None),
        ("uint32", json!({"type": "integer", "format": "uint32", "minimum": 0}), None),
        ("double", json!({"type": "number", "format": "double"}), None),
        ("bytes", json!({"type": "string", "contentEncoding": "base64"}), None),
        (
            "int64",
            json!({"type": ["string", "integer"], "format": "int64", "pattern": "^-?[0-9]+$"}),
            Some(json!({"type": "string", "format": "int64", "pattern": "^-?[0-9]+$"})),
        ),
        ("google.protobuf.Timestamp", json!({"type": "string", "format": "date-time"}), None),
        ("google.protobuf.Struct", json!({"type": "object", "additionalProperties": true}), None),
        ("google.protobuf.Value", json!({}), None),
        ("google.protobuf.StringValue", json!({"type": "string"}), None),
        ("google.protobuf.FieldMask", json!({"type": "string", "format": "field-mask"}), None),
        ("google.protobuf.NullValue", json!({"type": "null"}), None),
        ("repeated string", json!({"type": "array", "items": {"type": "string"}}), None),
        (
            "map<string, bool>",
            json!({"type": "object", "additionalProperties": {"type": "boolean"}}),
            None,
        ),
    ] {
        let (in_request, in_response) = field(&format!("{kind} x = 1;"));
        assert_eq!(in_request, request, "{kind}");
        assert_eq!(in_response, response.unwrap_or(request), "{kind}");
    }
}

#[test]
fn a_decimal_is_a_number_in_answers_and_its_text_too_in_requests() {
    let (request, response) = field("string x = 1 [(loop.options.v1.decimal) = true];");
    assert_eq!(request, json!({"type": ["number", "string"], "format": "decimal"}));
    assert_eq!(response, json!({"type": "number", "format": "decimal"}));
}

#[test]
fn each_rule_becomes_its_keyword() {
    for (field_text, expected) in [
        (
            "string x = 1 [(buf.validate.field).string = {min_len: 2 max_len: 9}];",
            json!({"type": "string", "minLength": 2, "maxLength": 9}),
        ),
        (
            "string x = 1 [(buf.validate.field).string.pattern = \"^a$\"];",
            json!({"type": "string", "pattern": "^a$"}),
        ),
        (
            "string x = 1 [(buf.validate.field).string.in = \"a\", (buf.validate.field).string.in = \"b\"];",
            json!({"type": "string", "enum": ["a", "b"]}),
        ),
        (
            "bytes x = 1 [(buf.validate.field).bytes.len = 32];",
            json!({"type": "string", "contentEncoding": "base64", "minLength": 43, "maxLength": 44}),
        ),
        (
            "int32 x = 1 [(buf.validate.field).int32 = {gte: -3 lte: 7}];",
            json!({"type": "integer", "format": "int32", "minimum": -3, "maximum": 7}),
        ),
        (
            "repeated string x = 1 [(buf.validate.field).repeated = {min_items: 1 max_items: 5 items: {string: {max_len: 3}}}];",
            json!({"type": "array", "items": {"type": "string", "maxLength": 3}, "minItems": 1, "maxItems": 5}),
        ),
        (
            "map<string, string> x = 1 [(buf.validate.field).map.max_pairs = 4];",
            json!({"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 4}),
        ),
    ] {
        assert_eq!(field(field_text).0, expected, "{field_text}");
    }
}

#[test]
fn a_request_requires_what_may_not_be_empty() {
    for (text, required) in [
        ("string x = 1;", false),
        ("string x = 1 [(buf.validate.field).string.max_len = 3];", false),
        ("string x = 1 [(buf.validate.field).string.min_len = 1];", true),
        ("optional string x = 1 [(buf.validate.field).string.min_len = 1];", false),
        ("string x = 1 [(buf.validate.field).string.pattern = \"^a+$\"];", true),
        ("string x = 1 [(buf.validate.field).string.pattern = \"^a*$\"];", false),
        ("string x = 1 [(buf.validate.field).string.in = \"a\"];", true),
        ("int32 x = 1 [(buf.validate.field).int32.gte = 1];", true),
        ("int32 x = 1 [(buf.validate.field).int32.gte = 0];", false),
        ("repeated string x = 1 [(buf.validate.field).repeated.min_items = 1];", true),
        ("repeated string x = 1;", false),
        ("google.protobuf.Timestamp x = 1 [(buf.validate.field).required = true];", true),
        ("google.protobuf.Timestamp x = 1;", false),
    ] {
        let (request, _) = both(text, "");
        let expected = if required { json!(["x"]) } else { Value::Null };
        assert_eq!(request["required"], expected, "{text}");
        assert_eq!(request["additionalProperties"], false);
    }
}

#[test]
fn what_is_said_of_a_field_stands_beside_a_reference() {
    let (request, _) = both(
        "// Where it is.
         Kind x = 1 [(loop.options.v1.phi) = CLINICAL, deprecated = true];
         // Never shown.
         string y = 2 [(loop.options.v1.phi) = SECRET];
         string z = 3; // Behind it.",
        "enum Kind { KIND_UNSPECIFIED = 0; }",
    );
    let expected = json!({"$ref": "#/components/schemas/test.v1.Kind",
        "description": "Where it is.", "x-phi": "clinical", "deprecated": true});
    assert_eq!(request["properties"]["x"], expected);
    let secret = json!({"type": "string", "format": "password", "x-phi": "secret",
        "description": "Never shown."});
    assert_eq!(request["properties"]["y"], secret);
    assert_eq!(request["properties"]["z"]["description"], "Behind it.");
}

#[test]
fn members_of_a_oneof_exclude_each_other_and_are_not_required() {
    let (request, response) = both(
        "oneof one { string a = 1 [(buf.validate.field).string.min_len = 1]; int32 b = 2; }",
        "",
    );
    for schema in [request, response] {
        assert_eq!(schema["not"], json!({"anyOf": [{"required": ["a", "b"]}]}));
        assert_eq!(schema["description"], "At most one of `a`, `b`.");
        assert_eq!(schema["required"], Value::Null);
    }
}

#[test]
fn a_message_that_contains_itself_is_one_component_in_each_direction() {
    let messages = "message DoRequest { Node node = 1; } message DoResponse { Node node = 1; }
        message Node { repeated Node children = 1; }";
    let document = document(&one(r#"post: "/v1/do" body: "*""#, WRITE, messages));
    let schemas = &document["components"]["schemas"];
    let child = |name: &str| schemas[name]["properties"]["children"]["items"]["$ref"].clone();
    assert_eq!(child("test.v1.Node"), "#/components/schemas/test.v1.Node");
    assert_eq!(child("test.v1.NodeInput"), "#/components/schemas/test.v1.NodeInput");
    assert_eq!(schemas["test.v1.Node"]["required"], json!(["children"]));
    assert_eq!(schemas["test.v1.NodeInput"]["required"], Value::Null);
}

#[test]
fn an_enum_has_its_short_names_and_their_texts() {
    let messages = "message DoRequest {} message DoResponse { HTTPState state = 1; }
        // How it stands.
        enum HTTPState {
          HTTP_STATE_UNSPECIFIED = 0;
          // Up.
          HTTP_STATE_OPEN = 1;
          HTTP_STATE_SHUT = 2;
        }";
    let document = document(&one(r#"get: "/v1/do""#, READ, messages));
    let expected = json!({"type": "string", "enum": ["open", "shut"],
        "description": "How it stands.\n\n- `open`: Up.\n- `shut`"});
    assert_eq!(document["components"]["schemas"]["test.v1.HTTPState"], expected);
}

/// Enums whose names are hard to shorten, and one with aliases.
const AWKWARD: &str = "
    message DoRequest { Clash a = 1; Digit b = 2; Zero c = 3; OAuth2Kind d = 4; Alias e = 5; }
    message DoResponse { int64 a = 1; repeated string b = 2; optional bool c = 3; string d = 4;
      map<string, string> e = 5; DoRequest f = 6; oneof g { bool h = 7; int32 i = 8; } bytes j = 9;
      Zero k = 10; float l = 11; }
    enum Clash { CLASH_UNSPECIFIED = 0; CLASH_A = 1; A = 2; }
    enum Digit { DIGIT_UNSPECIFIED = 0; DIGIT_1 = 1; DIGIT_TWO = 2; }
    enum Zero { NONE = 0; ZERO_SOME = 1; }
    enum OAuth2Kind { O_AUTH2_KIND_UNSPECIFIED = 0; O_AUTH2_KIND_CODE = 1; OAUTH2_KIND_X = 2; }
    enum Alias { option allow_alias = true; ALIAS_UNSPECIFIED = 0; ALIAS_A = 1; ALIAS_B = 1; }";

/// The field set to a small number, on the wire.
fn wire(field: &FieldDescriptor, number: i32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for mut value in [field.number() << 3, u32::try_from(number).unwrap()] {
        while value >= 128 {
            bytes.push((value % 128 + 128) as u8);
            value /= 128;
        }
        bytes.push(value as u8);
    }
    bytes
}

fn enum_fields(message: &MessageDescriptor) -> Vec<(FieldDescriptor, EnumDescriptor)> {
    let singular = message.fields().filter(|it| !it.is_list());
    let pair = |it: FieldDescriptor| match it.kind() {
        Kind::Enum(descriptor) => Some((it, descriptor)),
        _ => None,
    };
    singular.filter_map(pair).collect()
}

#[test]
fn enums_are_spelled_as_the_edge_spells_them() {
    for registry in [one(r#"get: "/v1/do""#, READ, AWKWARD), repository()] {
        let api = Api::build(registry.pool()).unwrap();
        let mut seen = 0;
        let ours =
            registry.pool().all_messages().filter(|it| it.package_name().starts_with("loop"));
        for message in ours.filter(|it| !it.package_name().contains("options")) {
            for (field, descriptor) in enum_fields(&message) {
                let spellings = crate::enumeration::spellings(&descriptor);
                let all: Vec<_> =
                    descriptor.values().map(|it| it.number()).zip(spellings).collect();
                for (number, _) in all.iter().filter(|it| it.0 != 0) {
                    let bytes = wire(&field, *number);
                    let message = api.message(message.full_name()).unwrap();
                    let json = message.to_json(&bytes, Style::Rest).unwrap();
                    let json: Value = serde_json::from_slice(&json).unwrap();
                    let written = (*number, json[field.name()].as_str().unwrap().to_owned());
                    assert!(all.contains(&written), "{} {written:?}", descriptor.full_name());
                    seen += 1;
                }
            }
        }
        assert!(seen > 5);
    }
}

#[test]
fn answers_require_just_what_the_edge_always_writes() {
    for registry in [one(r#"get: "/v1/do""#, READ, AWKWARD), repository()] {
        let api = Api::build(registry.pool()).unwrap();
        let document = edge(&registry, &Examples::default()).unwrap();
        let document = serde_json::to_value(document).unwrap();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let mut seen = 0;
        for (name, schema) in schemas.iter().filter(|it| it.1["additionalProperties"] != false) {
            let Some(message) = api.message(&format!("loop.{name}")) else { continue };
            let json = message.to_json(&[], Style::Rest).unwrap();
            let json: serde_json::Map<String, Value> = serde_json::from_slice(&json).unwrap();
            let written: Vec<&String> = json.keys().collect();
            let mut required: Vec<&str> = Vec::new();
            required.extend(
                schema["required"].as_array().into_iter().flatten().flat_map(Value::as_str),
            );
            required.sort_unstable();
            if !name.ends_with("Request") {
                assert_eq!(written, required, "{name}");
                seen += 1;
            }
        }
        assert!(seen > 0);
    }
}
