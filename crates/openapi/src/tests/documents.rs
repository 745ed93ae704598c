//! Whole documents: those of the repository, their text, and examples in them.

use serde_json::json;
use transcode::{Api, Route};

use super::*;

fn edge_of(registry: &Registry) -> OpenApi {
    edge(registry, &Examples::default()).unwrap()
}

#[test]
fn equal_contracts_give_equal_bytes() {
    let (first, second) = (edge_of(&repository()), edge_of(&repository()));
    assert_eq!(to_json(&first), to_json(&second));
    assert_eq!(to_yaml(&first), to_yaml(&second));
}

#[test]
fn both_texts_say_the_same() {
    let document = edge_of(&repository());
    let value = serde_json::to_value(&document).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&to_json(&document)).unwrap(), value);
    assert_eq!(serde_saphyr::from_str::<Value>(&to_yaml(&document)).unwrap(), value);
}

#[test]
fn the_edge_routes_each_path_to_the_method_it_stands_for() {
    let registry = repository();
    let api = Api::build(registry.pool()).unwrap();
    let document = serde_json::to_value(edge_of(&registry)).unwrap();
    let mut methods = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let filled: Vec<&str> =
            path.split('/').map(|it| if it.starts_with('{') { "value" } else { it }).collect();
        for (verb, operation) in item.as_object().unwrap() {
            let verb = verb.to_ascii_uppercase().parse().unwrap();
            let Route::Found(found) = api.route(&verb, &filled.join("/")) else {
                panic!("{verb} {path} is not routed");
            };
            assert_eq!(operation["x-grpc-method"], found.method().grpc_path());
            methods.push(found.method().grpc_path().to_owned());
        }
    }
    for method in registry.methods().iter().filter(|it| it.has_route) {
        assert!(methods.contains(&method.path), "{} has no operation", method.path);
    }
}

#[test]
fn each_reference_leads_somewhere_and_each_component_is_used() {
    let registry = repository();
    for document in
        registry.services().iter().map(|it| service(&registry, it, &Examples::default()))
    {
        let document = serde_json::to_value(document.unwrap()).unwrap();
        let mut references = Vec::new();
        gather(&document, &mut references);
        for reference in &references {
            assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
        }
        for section in ["schemas", "responses", "headers", "parameters"] {
            let components = document["components"][section].as_object();
            for name in components.into_iter().flat_map(|it| it.keys()) {
                let reference = format!("#/components/{section}/{name}");
                assert!(references.contains(&reference), "{reference} is not used");
            }
        }
    }
}

fn gather(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            references.extend(members.get("$ref").and_then(|it| it.as_str().map(str::to_owned)));
            members.values().for_each(|it| gather(it, references));
        }
        Value::Array(items) => items.iter().for_each(|it| gather(it, references)),
        _ => {}
    }
}

#[test]
fn a_service_without_routes_has_a_document_without_paths() {
    let method = format!("rpc Do(DoRequest) returns (DoResponse) {{ {READ} }}");
    let document = document(&contract(&method, "message DoRequest {} message DoResponse {}"));
    assert_eq!(document["paths"], json!({}));
    assert_eq!(document["tags"], Value::Null);
    assert_eq!(document["info"]["title"], "Loop Test");
}

fn shown(file: &str) -> Result<Value, Error> {
    let messages = "message DoRequest { string id = 1; int32 page = 2; Thing thing = 3; }
        message DoResponse { Thing thing = 1; }
        message Thing { string name = 1; repeated string tags = 2; }";
    let rule = r#"post: "/v1/do/{id}" body: "thing" response_body: "thing""#;
    let registry = one(rule, WRITE, messages);
    let read =
        |path: &str| (path == "loop/test/v1/examples/Do.json").then(|| file.as_bytes().to_vec());
    let examples = Examples::collect(&registry, read)?;
    let document = service(&registry, &registry.services()[0], &examples).unwrap();
    Ok(serde_json::to_value(document).unwrap()["paths"]["/v1/do/{id}"]["post"].clone())
}

#[test]
fn an_example_is_shown_in_parts() {
    let file = r#"{"request": {"id": "t_1", "page": 2, "thing": {"name": "a"}},
                   "response": {"thing": {"name": "b"}}}"#;
    let operation = shown(file).unwrap();
    assert_eq!(operation["parameters"][0]["example"], "t_1");
    assert_eq!(operation["parameters"][1]["example"], 2);
    let media = |value: &Value| value["content"]["application/json"]["example"].clone();
    assert_eq!(media(&operation["requestBody"]), json!({"name": "a"}));
    assert_eq!(media(&operation["responses"]["200"]), json!({"name": "b", "tags": []}));
}

#[test]
fn an_example_that_does_not_fit_is_an_error_that_names_its_file() {
    for (file, problem) in [
        ("{", "EOF"),
        ("[]", "is no object"),
        (r#"{"answer": {}}"#, "\"answer\""),
        (r#"{"request": {"nom": 1}}"#, "request: nom"),
        (r#"{"response": {"thing": 1}}"#, "response: thing"),
    ] {
        let error = shown(file).unwrap_err().to_string();
        assert!(error.starts_with("proto/loop/test/v1/examples/Do.json: "), "{error}");
        assert!(error.contains(problem), "{error}");
    }
}
