//! What differs from one JSON document each way: streams, files, parts, entity tags, masks.

use serde_json::json;

use super::*;

fn names(operation: &Value) -> Vec<&str> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    parameters.map(|it| it["name"].as_str().or(it["$ref"].as_str()).unwrap()).collect()
}

fn kinds(content: &Value) -> Vec<&str> {
    content.as_object().into_iter().flatten().map(|(kind, _)| kind.as_str()).collect()
}

/// The operation of one method with this signature, HTTP rule and options.
fn operation(signature: &str, rule: &str, options: &str, messages: &str) -> (Value, Value) {
    let method = format!(
        "// Does. A thing.
         rpc Do{signature} {{ option (google.api.http) = {{{rule}}}; {options} }}"
    );
    let document = document(&contract(&method, messages));
    let item = document["paths"].as_object().unwrap().values().next().unwrap();
    (item.as_object().unwrap().values().next().unwrap().clone(), document)
}

const THINGS: &str = "message DoRequest { string id = 1; string text = 2; }
    message Thing { string id = 1; string etag = 2; }";

#[test]
fn a_stream_of_answers_has_three_forms() {
    let signature = "(DoRequest) returns (stream Thing)";
    let (operation, document) = operation(signature, r#"get: "/v1/do/{id}""#, READ, THINGS);
    let content = &operation["responses"]["200"]["content"];
    assert_eq!(kinds(content), ["application/json", "application/x-ndjson", "text/event-stream"]);
    let thing = json!({"$ref": "#/components/schemas/test.v1.Thing"});
    let item = json!({"anyOf": [thing, {"$ref": "#/components/schemas/Error"}]});
    let array = &content["application/json"]["schema"];
    assert_eq!((&array["type"], &array["items"]), (&json!("array"), &item));
    for kind in ["application/x-ndjson", "text/event-stream"] {
        let schema = &content[kind]["schema"];
        assert_eq!((&schema["type"], &schema["x-items"]), (&json!("string"), &item), "{kind}");
    }
    let text = operation["description"].as_str().unwrap();
    assert!(text.starts_with("A thing.\n\nThe answer is a stream"), "{text}");
    assert!(text.contains("WebSocket"), "{text}");
    assert!(names(&operation).iter().all(|it| !it.contains("Match")));
    assert_eq!(document["components"]["schemas"]["test.v1.Thing"]["type"], "object");
}

#[test]
fn a_stream_of_requests_is_lines_or_an_array() {
    let signature = "(stream DoRequest) returns (Thing)";
    let rule = r#"post: "/v1/do/{id}" body: "*""#;
    let (operation, _) = operation(signature, rule, READ, THINGS);
    let body = &operation["requestBody"];
    assert_eq!(kinds(&body["content"]), ["application/json", "application/x-ndjson"]);
    let item = json!({"$ref": "#/components/schemas/test.v1.DoBody"});
    assert_eq!(body["content"]["application/json"]["schema"]["items"], item);
    assert_eq!(body["required"], Value::Null);
    assert_eq!(kinds(&operation["responses"]["200"]["content"]), ["application/json"]);
}

#[test]
fn a_stream_of_bytes_is_one_file() {
    let messages = "message DoRequest { string id = 1; google.api.HttpBody file = 2; }";
    let signature = "(stream DoRequest) returns (stream google.api.HttpBody)";
    let rule = r#"put: "/v1/do/{id}" body: "file""#;
    let (operation, _) = operation(signature, rule, READ, messages);
    assert_eq!(kinds(&operation["requestBody"]["content"]), ["*/*"]);
    assert_eq!(kinds(&operation["responses"]["200"]["content"]), ["*/*"]);
    let text = operation["description"].as_str().unwrap();
    assert!(!text.contains("lines of JSON") && !text.contains("WebSocket"), "{text}");
}

#[test]
fn a_body_in_parts_has_a_part_for_each_field() {
    let messages = "message DoRequest {
          string id = 1; string text = 2 [(buf.validate.field).string.min_len = 1];
          // The scan.
          google.api.HttpBody file = 3; repeated bytes raw = 4; Thing thing = 5;
          map<string, string> labels = 6; repeated string tags = 7; }
        message Thing { string name = 1; }";
    let options = format!("option (loop.options.v1.http) = {{multipart: true}}; {READ}");
    let rule = r#"post: "/v1/do/{id}" body: "*""#;
    let (operation, _) = operation("(DoRequest) returns (Thing)", rule, &options, messages);
    let content = &operation["requestBody"]["content"];
    assert_eq!(kinds(content), ["application/json", "multipart/form-data"]);
    let schema = &content["multipart/form-data"]["schema"];
    let members: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(members, ["file", "raw", "tags", "text", "thing"]);
    assert_eq!(schema["required"], json!(["text"]));
    let file = json!({"type": "string", "contentMediaType": "application/octet-stream"});
    assert_eq!(schema["properties"]["file"]["contentMediaType"], file["contentMediaType"]);
    assert_eq!(schema["properties"]["file"]["description"], "The scan.");
    assert_eq!(schema["properties"]["raw"]["items"], file);
    let thing = "#/components/schemas/test.v1.ThingInput";
    assert_eq!(schema["properties"]["thing"]["$ref"], thing);
}

#[test]
fn a_read_is_known_by_its_entity_tag() {
    let get = r#"get: "/v1/do/{id}""#;
    let open = READ.replace("{read: \"test.thing.read\"}", "{none: \"It is public.\"}");
    let known = "#/components/parameters/IfNoneMatch";
    for (output, options, is_known) in [
        ("Thing", READ, true),
        ("DoRequest", READ, false),
        ("DoRequest", &*open, true),
        ("google.protobuf.Empty", &*open, false),
    ] {
        let signature = format!("(DoRequest) returns ({output})");
        let (operation, document) = operation(&signature, get, options, THINGS);
        assert_eq!(names(&operation).contains(&known), is_known, "{output} {options}");
        let responses = &operation["responses"];
        assert_eq!(responses["304"].is_object(), is_known, "{output}");
        let success = responses.as_object().unwrap().values().next().unwrap();
        assert_eq!(success["headers"]["ETag"].is_object(), is_known, "{output}");
        if is_known {
            let answer = &document["components"]["responses"]["NotModified"];
            assert!(answer["headers"]["ETag"].is_object() && answer["content"].is_null());
        }
    }
}

#[test]
fn a_change_may_depend_on_an_entity_tag() {
    let messages = "message DoRequest { string id = 1; Thing thing = 2; Other other = 3; }
        message Thing { string id = 1; string etag = 2; } message Other { repeated string etag = 1; }";
    let if_match = "#/components/parameters/IfMatch";
    for (rule, takes, tells) in [
        (r#"patch: "/v1/do/{id}" body: "thing""#, true, true),
        (r#"put: "/v1/do/{id}" body: "thing""#, true, false),
        (r#"put: "/v1/do/{id}" body: "other""#, false, false),
        (r#"post: "/v1/do/{id}" body: "*""#, false, true),
    ] {
        let (operation, _) = operation("(DoRequest) returns (Thing)", rule, WRITE, messages);
        assert_eq!(names(&operation).contains(&if_match), takes, "{rule}");
        let headers = &operation["responses"]["200"]["headers"];
        assert_eq!(headers["ETag"].is_object(), tells, "{rule}");
        assert!(
            operation["responses"]["412"].is_object() && operation["responses"]["304"].is_null()
        );
    }
}

#[test]
fn a_mask_that_is_inferred_need_not_be_sent() {
    let messages = "message DoRequest { string id = 1; Thing thing = 2;
          // What changes.
          google.protobuf.FieldMask update_mask = 3 [(buf.validate.field).required = true]; }
        message Thing { string name = 1; }";
    let signature = "(DoRequest) returns (Thing)";
    let text = "What changes. Where it is absent, it names the members of the body.";
    let rule = r#"patch: "/v1/do/{id}" body: "thing""#;
    let (patch, _) = operation(signature, rule, WRITE, messages);
    let mask = &patch["parameters"][1];
    assert_eq!((&mask["name"], &mask["required"]), (&json!("update_mask"), &Value::Null));
    assert_eq!(mask["description"], text);
    let rule = r#"patch: "/v1/do/{id}" body: "*""#;
    let (_, document) = operation(signature, rule, WRITE, messages);
    let body = &document["components"]["schemas"]["test.v1.DoBody"];
    assert_eq!(body["properties"]["update_mask"]["description"], text);
    assert_eq!(body["required"], Value::Null);
    let rule = r#"post: "/v1/do/{id}" body: "*""#;
    let (_, document) = operation(signature, rule, WRITE, messages);
    let body = &document["components"]["schemas"]["test.v1.DoBody"];
    assert_eq!(body["required"], json!(["update_mask"]));
}

#[test]
fn what_a_query_sets_piece_by_piece_is_said_in_words() {
    let messages = "message DoRequest { repeated Thing things = 1; map<string, int32> counts = 2;
          Inner inner = 3; map<string, Thing> others = 4; }
        message Thing { string name = 1; } message Inner { repeated Thing list = 1; }";
    let signature = "(DoRequest) returns (Thing)";
    let (operation, _) = operation(signature, r#"get: "/v1/do""#, READ, messages);
    assert_eq!(operation["parameters"], Value::Null);
    assert_eq!(
        operation["description"],
        "A thing.\n\nIn the query, send the list `things` as `things[0].name` and so on, the map \
         `counts` as `counts[key]`, the list `inner.list` as `inner.list[0].name` and so on."
    );
}
