//! Methods, their HTTP rules and options.

use serde_json::json;

use super::*;

const EMPTY: &str = "message DoRequest {} message DoResponse {}";

fn names(operation: &Value) -> Vec<&str> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    parameters.map(|it| it["name"].as_str().or(it["$ref"].as_str()).unwrap()).collect()
}

fn statuses(operation: &Value) -> Vec<&str> {
    operation["responses"].as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_comment_becomes_summary_description_and_reasons() {
    let method = format!(
        "// Does a thing. Safe to retry.
         // Fails with THING_NOT_FOUND.
         rpc Do(DoRequest) returns (DoResponse) {{
           option (google.api.http) = {{get: \"/v1/do\"}}; option deprecated = true; {READ} }}"
    );
    let document = document(&contract(&method, EMPTY));
    let operation = &document["paths"]["/v1/do"]["get"];
    assert_eq!(operation["summary"], "Does a thing");
    assert_eq!(operation["description"], "Safe to retry. Fails with THING_NOT_FOUND.");
    assert_eq!(operation["x-reasons"], json!(["THING_NOT_FOUND"]));
    assert_eq!(operation["operationId"], "TestService_Do");
    assert_eq!(operation["tags"], json!(["Test"]));
    assert_eq!(operation["deprecated"], true);
    assert_eq!(operation["responses"]["404"]["$ref"], "#/components/responses/NotFound");
    let tag = json!([{"name": "Test", "description": "Tests things. All of them."}]);
    assert_eq!(document["tags"], tag);
}

#[test]
fn fields_outside_of_path_and_body_are_query_parameters() {
    let messages = "message DoRequest {
          string id = 1; Inner inner = 2; repeated string tags = 3; repeated Inner list = 4;
          map<string, string> labels = 5; google.protobuf.Struct any = 6;
          google.protobuf.Timestamp since = 7; DoRequest again = 8;
          string must = 9 [(buf.validate.field).string.min_len = 1]; Other other = 10; }
        message Inner { string a = 1; Deep deep = 2; } message Deep { int32 b = 1; }
        message Other { string c = 1; }
        message DoResponse {}";
    let rule = r#"post: "/v1/do/{id}" body: "other""#;
    let document = document(&one(rule, WRITE, messages));
    let operation = &document["paths"]["/v1/do/{id}"]["post"];
    assert_eq!(names(operation), ["id", "inner.a", "inner.deep.b", "tags", "since", "must"]);
    let parameter = |at: usize| &operation["parameters"][at];
    assert_eq!((&parameter(0)["in"], &parameter(0)["required"]), (&json!("path"), &json!(true)));
    assert_eq!((&parameter(1)["in"], &parameter(1)["style"]), (&json!("query"), &json!("form")));
    assert_eq!(parameter(3)["explode"], true);
    assert_eq!(parameter(5)["required"], true);
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(body["$ref"], "#/components/schemas/test.v1.OtherInput");
}

#[test]
fn a_whole_body_leaves_out_what_the_path_sets() {
    let messages = "message DoResponse {} message DoRequest {
        string id = 1 [(buf.validate.field).string.min_len = 1];
        string name = 2 [(buf.validate.field).string.min_len = 1]; }";
    let rule = r#"post: "/v1/do/{id}" body: "*" additional_bindings {put: "/v1/do" body: "*"}"#;
    let document = document(&one(rule, WRITE, messages));
    let schema = |path: &str, verb: &str| {
        let body = &document["paths"][path][verb]["requestBody"];
        assert_eq!(body["required"], true);
        let name = body["content"]["application/json"]["schema"]["$ref"].as_str().unwrap();
        document.pointer(&name[1..]).unwrap()["required"].clone()
    };
    assert_eq!(schema("/v1/do/{id}", "post"), json!(["name"]));
    assert_eq!(schema("/v1/do", "put"), json!(["id", "name"]));
    assert_eq!(document["paths"]["/v1/do"]["put"]["operationId"], "TestService_Do_2");
}

#[test]
fn paths_that_differ_in_labels_only_are_one_path() {
    let methods = format!(
        "rpc Get(A) returns (A) {{ option (google.api.http) = {{get: \"/v1/x/{{id}}\"}}; {READ} }}
         rpc Put(B) returns (A) {{ option (google.api.http) = {{put: \"/v1/x/{{key}}\"}}; {WRITE} }}"
    );
    let registry = contract(&methods, "message A { string id = 1; } message B { string key = 1; }");
    let document = document(&registry);
    let item = &document["paths"]["/v1/x/{id}"];
    assert_eq!(document["paths"].as_object().unwrap().len(), 1);
    assert_eq!(item["put"]["parameters"][0]["name"], "id");
    assert_eq!(item["put"]["parameters"][0]["x-field"], "key");
    assert_eq!(item["get"]["parameters"][0]["x-field"], Value::Null);
}

#[test]
fn a_path_variable_of_several_segments_has_a_pattern() {
    let messages = "message DoRequest { string name = 1; } message DoResponse {}";
    let document = document(&one(r#"get: "/v1/{name=a/*}:stop""#, READ, messages));
    let parameter = &document["paths"]["/v1/{name}:stop"]["get"]["parameters"][0];
    assert_eq!(parameter["schema"]["pattern"], "^a/[^/]+$");
    assert_eq!(parameter["x-multi-segment"], true);
}

#[test]
fn the_success_has_its_status_and_its_schema() {
    let empty = "rpc Do(DoRequest) returns (google.protobuf.Empty)";
    let answer = "rpc Do(DoRequest) returns (DoResponse)";
    let file = "rpc Do(DoRequest) returns (google.api.HttpBody)";
    let created = "option (loop.options.v1.http) = {success_status: 201};";
    let part = r#"response_body: "part""#;
    for (signature, rule, option, status, kind, name) in [
        (answer, "", "", "200", "application/json", "/$ref#/components/schemas/test.v1.DoResponse"),
        (
            answer,
            "",
            created,
            "201",
            "application/json",
            "/$ref#/components/schemas/test.v1.DoResponse",
        ),
        (answer, part, "", "200", "application/json", "/$ref#/components/schemas/test.v1.Part"),
        (file, "", "", "200", "*/*", "/formatbinary"),
        (empty, "", "", "204", "", ""),
        (empty, "", "option (loop.options.v1.http) = {success_status: 200};", "200", "", ""),
    ] {
        let method = format!(
            "{signature} {{ option (google.api.http) = {{get: \"/v1/do\" {rule}}}; {option} {READ} }}"
        );
        let messages = "message DoRequest {} message DoResponse { Part part = 1; } message Part {}";
        let document = document(&contract(&method, messages));
        let response = &document["paths"]["/v1/do"]["get"]["responses"][status];
        assert!(response.is_object(), "{signature} {rule}");
        let (member, value) = name.split_at(name.find(['#', 'b']).unwrap_or(0));
        match kind {
            "" => assert_eq!(response["content"], Value::Null),
            kind => {
                let schema = &response["content"][kind]["schema"];
                assert_eq!(schema.pointer(member).unwrap(), value, "{signature} {rule}");
            }
        }
        assert_eq!(
            response["headers"]["X-Request-Id"]["$ref"],
            "#/components/headers/X-Request-Id"
        );
    }
}

#[test]
fn failures_are_those_that_the_method_can_meet() {
    let always = ["400", "429", "500", "503", "504"];
    let public = "option (loop.options.v1.access) = {callers: PUBLIC};
                  option (loop.options.v1.audit) = {none: \"public\"};";
    for (rule, options, more) in [
        (r#"get: "/v1/do""#, public, &["200", "304"][..]),
        (r#"get: "/v1/do""#, READ, &["200", "401", "403"]),
        (r#"get: "/v1/do/{id}""#, READ, &["200", "401", "403", "404"]),
        (r#"delete: "/v1/do""#, WRITE, &["200", "401", "403", "409", "412"]),
        (
            r#"post: "/v1/do" body: "*""#,
            WRITE,
            &["200", "401", "403", "409", "412", "413", "415", "422"],
        ),
    ] {
        let messages = "message DoRequest { string id = 1; } message DoResponse {}";
        let document = document(&one(rule, options, messages));
        let item = document["paths"].as_object().unwrap().values().next().unwrap();
        let operation = item.as_object().unwrap().values().next().unwrap();
        let mut expected: Vec<&str> = always.iter().chain(more).copied().collect();
        let mut found = statuses(operation);
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected, "{rule}");
    }
}

#[test]
fn errors_have_the_platforms_body_and_that_of_rfc_9457() {
    let document = document(&one(r#"get: "/v1/do""#, READ, EMPTY));
    let response = &document["components"]["responses"]["RateLimited"];
    let kinds: Vec<_> = response["content"].as_object().unwrap().keys().collect();
    assert_eq!(kinds, ["application/json", "application/problem+json"]);
    let mut headers: Vec<_> = response["headers"].as_object().unwrap().keys().collect();
    headers.sort();
    let quota = ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"];
    assert_eq!(headers, [&quota[..], &["Retry-After", "X-Request-Id"]].concat());
    let challenge = &document["components"]["responses"]["Unauthenticated"]["headers"];
    assert!(challenge["WWW-Authenticate"].is_object());
}

#[test]
fn an_oauth_method_takes_forms_and_fails_by_rfc_6749() {
    let options = r#"
      option (loop.options.v1.access) = {callers: PUBLIC};
      option (loop.options.v1.audit) = {write: "test.token.issued"};
      option (loop.options.v1.emits) = {none: "nobody asks"};
      option (loop.options.v1.http) = {form: true oauth_errors: true};"#;
    let document = document(&one(r#"post: "/v1/do" body: "*""#, options, EMPTY));
    let operation = &document["paths"]["/v1/do"]["post"];
    let kinds: Vec<_> = operation["requestBody"]["content"].as_object().unwrap().keys().collect();
    assert!(kinds.contains(&&"application/x-www-form-urlencoded".to_owned()));
    assert!(kinds.contains(&&"application/json".to_owned()));
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["test.v1.DoForm"]["additionalProperties"], Value::Null);
    assert_eq!(schemas["test.v1.DoRequest"]["additionalProperties"], false);
    assert_eq!(
        operation["responses"]["401"]["$ref"],
        "#/components/responses/OAuthUnauthenticated"
    );
    assert_eq!(operation["responses"]["409"], Value::Null);
    let content = &document["components"]["responses"]["OAuthInvalid"]["content"];
    let error = json!({"schema": {"$ref": "#/components/schemas/OAuthError"}});
    assert_eq!(*content, json!({"application/json": error}));
}

#[test]
fn a_stated_limit_and_metadata_are_told() {
    let options = format!(
        r#"{WRITE}
        option (loop.options.v1.http) = {{largest_body: 65536}};
        option (loop.options.v1.metadata) = {{request: "x-lab-order" response: "x-signature-bin"}};"#
    );
    let document = document(&one(r#"post: "/v1/do" body: "*""#, &options, EMPTY));
    let operation = &document["paths"]["/v1/do"]["post"];
    assert_eq!(operation["requestBody"]["description"], "At most 65536 bytes.");
    assert_eq!(operation["x-largest-body"], 65_536);
    let parameter = operation["parameters"].as_array().unwrap().last().unwrap();
    assert_eq!((&parameter["name"], &parameter["in"]), (&json!("x-lab-order"), &json!("header")));
    let header = &operation["responses"]["200"]["headers"]["x-signature-bin"];
    assert_eq!(header["schema"], json!({"type": "string", "contentEncoding": "base64"}));
}

#[test]
fn each_scope_that_suffices_is_an_alternative() {
    let access = |access: &str| {
        let options = READ.replace(r#"scopes: "read:biomarkers" callers: USER"#, access);
        let document = try_document(&one(r#"get: "/v1/do""#, &options, EMPTY));
        document.map(|it| it["paths"]["/v1/do"]["get"]["security"].clone())
    };
    let one = |scope: &str| json!({"oauth2": [scope]});
    for (text, expected) in [
        ("callers: PUBLIC", json!([])),
        (r#"scopes: "read:biomarkers" callers: USER"#, json!([one("read:biomarkers")])),
        (
            r#"scopes: "read:biomarkers" callers: [USER, SERVICE]"#,
            json!([one("read:biomarkers"), one("admin:clinical")]),
        ),
        (
            r#"scopes: "read:biomarkers" scopes: "read:account" callers: USER"#,
            json!([one("read:biomarkers"), one("read:account")]),
        ),
        (r#"scopes: "read:account" callers: [USER, PUBLIC]"#, json!([one("read:account"), {}])),
    ] {
        assert_eq!(access(text).unwrap(), expected, "{text}");
    }
    let error = access(r#"scopes: "read:nothing" callers: USER"#).unwrap_err().to_string();
    assert!(error.contains("TestService/Do") && error.contains("read:nothing"), "{error}");
}

#[test]
fn headers_that_a_call_may_carry_are_parameters() {
    let keyed = |key: &str, callers: &str| {
        let options = format!("{WRITE} option (loop.options.v1.idempotency) = {{key: {key}}};");
        let options = options.replace("callers: USER", callers);
        document(&one(r#"post: "/v1/do" body: "*""#, &options, EMPTY))
    };
    for (key, required) in [("ACCEPTED", Value::Null), ("REQUIRED", json!(true))] {
        let document = keyed(key, "callers: USER");
        let operation = &document["paths"]["/v1/do"]["post"];
        assert_eq!(names(operation), ["Idempotency-Key"]);
        assert_eq!(operation["parameters"][0]["required"], required);
        assert!(operation["responses"]["200"]["headers"]["Idempotent-Replayed"].is_object());
        assert_eq!(document["components"]["parameters"], Value::Null);
    }
    let document = keyed("ACCEPTED", "callers: SERVICE");
    let operation = &document["paths"]["/v1/do"]["post"];
    assert_eq!(names(operation), ["Idempotency-Key", "#/components/parameters/BrandId"]);
    assert_eq!(document["components"]["parameters"]["BrandId"]["name"], "X-Brand-Id");
}

#[test]
fn options_that_openapi_has_no_words_for_are_extensions() {
    let document = document(&one(r#"post: "/v1/do""#, WRITE, EMPTY));
    let operation = &document["paths"]["/v1/do"]["post"];
    assert_eq!(operation["x-grpc-method"], "/loop.test.v1.TestService/Do");
    assert_eq!(operation["x-callers"], json!(["user"]));
    assert_eq!(operation["x-audit"], json!({"write": "test.thing.done"}));
    assert_eq!(operation["x-rate"], "write");
    assert_eq!(operation["x-emits"], Value::Null);
    let events = WRITE.replace("none: \"nobody asks\"", "events: \"test.thing.done.v1\"");
    let message = "message Done { string id = 1;
        option (loop.options.v1.event) = {name: \"test.thing.done.v1\" key: \"id\"}; }";
    let registry = one(r#"post: "/v1/do""#, &events, &format!("{EMPTY} {message}"));
    let document = super::document(&registry);
    assert_eq!(document["paths"]["/v1/do"]["post"]["x-emits"], json!(["test.thing.done.v1"]));
}

#[test]
fn a_rule_that_cannot_be_said_is_an_error_that_names_the_method() {
    for (rule, problem) in [
        (r#"get: "/v1/{id}""#, "\"id\", which is no field of loop.test.v1.DoRequest"),
        (r#"post: "/v1/do" body: "x""#, "\"x\", which is no field"),
        (r#"get: "/v1/do" response_body: "x""#, "no field of loop.test.v1.DoResponse"),
        (r#"custom {kind: "LINK" path: "/v1/do"}"#, "no HTTP method \"link\""),
        (r#"get: "v1""#, "template \"v1\""),
    ] {
        let error = try_document(&one(rule, READ, EMPTY)).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
        assert!(error.starts_with("/loop.test.v1.TestService/Do: "), "{error}");
    }
    let rule = r#"get: "/v1/do" additional_bindings {get: "/v1/do"}"#;
    let error = try_document(&one(rule, READ, EMPTY)).unwrap_err().to_string();
    assert_eq!(error, "get /v1/do stands for two operations");
}
