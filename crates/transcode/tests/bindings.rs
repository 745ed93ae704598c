//! Every way to bind a method: path, query and body to a message, a message to a response.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use http::Method;
use support::{api, every, found};
use transcode::{Api, BuildError, RequestError, Route, Style, Unknown};

/// The request message as canonical JSON, or the error.
fn request(method: Method, target: &str, body: &str) -> String {
    let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q)));
    let found = found(method, path);
    match found.request(query, Some("application/json"), body.as_bytes(), Style::Rest) {
        Ok(wire) => json(&wire),
        Err(error) => error.to_string(),
    }
}

fn json(wire: &[u8]) -> String {
    String::from_utf8(every().to_json(wire, Style::Canonical).unwrap()).unwrap()
}

fn response(method: Method, path: &str, message: &str) -> String {
    let wire = every().to_wire(message.as_bytes(), Style::Canonical, Unknown::Reject).unwrap();
    let response = found(method, path).response(&wire, Style::Canonical).unwrap();
    String::from_utf8(response.body).unwrap()
}

#[test]
fn variables_fill_nested_fields_and_enums() {
    assert_eq!(
        request(Method::GET, "/nested/a%20b/first_one", ""),
        r#"{"choice":"CHOICE_FIRST_ONE","child":{"text":"a b"}}"#
    );
    assert_eq!(
        request(Method::GET, "/nested/x/third", ""),
        r#"choice: must be one of "below", "unspecified", "first_one", "2nd""#
    );
    assert_eq!(request(Method::GET, "/nested/%ff/1", ""), "child.text: must be UTF-8");
}

#[test]
fn parameters_of_every_kind_have_their_json_text_form() {
    for (query, expected) in [
        ("child.child.int=-5&child.flag=true", r#"{"child":{"flag":true,"child":{"int":-5}}}"#),
        ("ints=1&ints=2e0&texts=a&texts=", r#"{"ints":[1,2],"texts":["a",""]}"#),
        ("longs=9007199254740993", r#"{"longs":["9007199254740993"]}"#),
        ("unsignedLong=18446744073709551615", r#"{"unsignedLong":"18446744073709551615"}"#),
        (
            "float=3.4028235e%2B38&double=-Infinity",
            r#"{"double":"-Infinity","float":3.4028235e+38}"#,
        ),
        (
            "choices=first_one&choices=CHOICE_2ND&choices=77",
            r#"{"choices":["CHOICE_FIRST_ONE","CHOICE_2ND",77]}"#,
        ),
        ("data=-_8", r#"{"data":"+/8="}"#),
        ("timestamp=2026-01-31T09:30:00%2B02:00", r#"{"timestamp":"2026-01-31T07:30:00Z"}"#),
        (
            "timestamps=1970-01-01T00:00:00Z&duration=-1.5s",
            r#"{"duration":"-1.500s","timestamps":["1970-01-01T00:00:00Z"]}"#,
        ),
        ("mask=aB,c.dE", r#"{"mask":"aB,c.dE"}"#),
        ("mask=a_b", r#"{"mask":"aB"}"#),
        (
            "wrapped_long=5&wrappedText=&wrapped_flag=false",
            r#"{"wrappedLong":"5","wrappedText":"","wrappedFlag":false}"#,
        ),
        ("one_null=null", r#"{"oneNull":null}"#),
        ("optional_int=0&exact=1.50", r#"{"optionalInt":0,"exact":"1.50"}"#),
        ("one_child.text=a&one_child.int=1", r#"{"oneChild":{"int":1,"text":"a"}}"#),
        ("%40other+name=a&&", r#"{"@other name":"a"}"#),
        ("text", "{}"),
    ] {
        assert_eq!(request(Method::GET, &format!("/any?{query}"), ""), expected, "{query}");
    }
}

#[test]
fn a_parameter_that_breaks_a_rule_is_named() {
    for (query, message) in [
        ("nothing=1", "nothing: is not a known parameter"),
        ("child.nothing=1", "child.nothing: is not a known parameter"),
        ("text.a=1", "text.a: is not a known parameter"),
        ("children.text=1", "children.text: is not a known parameter"),
        ("structure.fields=1", "structure.fields: is not a known parameter"),
        ("child=1", "child: cannot be a parameter"),
        ("children=1", "children: cannot be a parameter"),
        ("textToText=1", "text_to_text: cannot be a parameter"),
        ("value=1", "value: cannot be a parameter"),
        ("any=1", "any: cannot be a parameter"),
        ("int=1&int=1", "int: is there twice"),
        ("child.int=1&child.int=1", "child.int: is there twice"),
        ("int=1.5", "int: must be a whole number from -2147483648 to 2147483647"),
        ("flag=1", "flag: must be true or false"),
        ("data=*", "data: must be base64"),
        ("duration=1", "duration: must be a duration such as \"1.5s\""),
        ("one_int=1&one_text=a", "one_text: excludes another field that is also there"),
        ("one_child.int=1&one_int=1", "one_int: excludes another field that is also there"),
    ] {
        assert_eq!(request(Method::GET, &format!("/any?{query}"), ""), message, "{query}");
    }
}

#[test]
fn the_path_has_the_last_word_and_the_body_must_agree() {
    let put = |body| request(Method::PUT, "/nested/a/x/b/y%2Fz:go", body);
    assert_eq!(put(r#"{"int":1}"#), r#"{"int":1,"child":{"text":"a/x/b/y%2Fz"}}"#);
    assert_eq!(
        put(r#"{"child":{"int":1,"text":"a/x/b/y%2Fz"}}"#),
        r#"{"child":{"int":1,"text":"a/x/b/y%2Fz"}}"#
    );
    assert_eq!(put(r#"{"child":{"text":""}}"#), r#"{"child":{"text":"a/x/b/y%2Fz"}}"#);
    assert_eq!(
        put(r#"{"child":{"text":"other"}}"#),
        "child.text: must be the same in the body as in the path"
    );
    assert_eq!(put(""), r#"{"child":{"text":"a/x/b/y%2Fz"}}"#);
}

#[test]
fn a_whole_body_leaves_nothing_to_the_query() {
    assert_eq!(
        request(Method::PUT, "/nested/a/x/b:go?int=1", "{}"),
        "int: is not a known parameter: all fields are in the body"
    );
    assert_eq!(
        request(Method::PUT, "/nested/a/x/b:go?$alt=json&int=1", "{}"),
        "int: is not a known parameter: all fields are in the body"
    );
    let plain = request(Method::PUT, "/nested/a/x/b:go", "{}");
    assert_eq!(request(Method::PUT, "/nested/a/x/b:go?%24alt=json", "{}"), plain);
}

#[test]
fn a_body_may_be_one_field_of_any_shape() {
    assert_eq!(
        request(Method::PUT, "/message/a?int=1", r#"{"int":2}"#),
        r#"{"int":1,"child":{"int":2,"text":"a"}}"#
    );
    assert_eq!(
        request(Method::PUT, "/message/a", r#"{"text":"b"}"#),
        "child.text: must be the same in the body as in the path"
    );
    assert_eq!(
        request(Method::PUT, "/message/a?child.int=1", "{}"),
        "child.int: is the body and cannot be a parameter"
    );
    assert_eq!(
        request(Method::PUT, "/list", r#"[{"int":1},{}]"#),
        r#"{"children":[{"int":1},{}]}"#
    );
    assert_eq!(
        request(Method::PUT, "/list", r#"[{"int":"x"}]"#).split(':').next(),
        Some("children[0].int")
    );
    assert_eq!(
        request(Method::PUT, "/map", r#"{"a":{"int":1}}"#),
        r#"{"textToChild":{"a":{"int":1}}}"#
    );
    assert_eq!(request(Method::PUT, "/scalar", r#" "a" "#), r#"{"text":"a"}"#);
    assert_eq!(request(Method::PUT, "/scalar", "null"), "{}");
    assert_eq!(request(Method::PUT, "/scalar", "1"), "text: must be a string");
}

#[test]
fn a_request_without_a_body_refuses_one() {
    assert_eq!(request(Method::GET, "/any", "{}"), "{}");
    assert_eq!(request(Method::GET, "/any", r#"{"int":1}"#), "the request has no body");
}

#[test]
fn a_response_body_may_be_one_field_of_any_shape() {
    let message = r#"{"texts":["a"],"children":[{"int":1},{}],"textToChild":{"a":{}},"long":"5"}"#;
    assert_eq!(response(Method::PUT, "/message/a", message), r#"["a"]"#);
    assert_eq!(response(Method::PUT, "/message/a", "{}"), "[]");
    assert_eq!(response(Method::PUT, "/list", message), r#"[{"int":1},{}]"#);
    assert_eq!(response(Method::PUT, "/map", message), r#"{"a":{}}"#);
    assert_eq!(response(Method::PUT, "/map", "{}"), "{}");
    assert_eq!(response(Method::PUT, "/scalar", message), r#""5""#);
    assert_eq!(response(Method::PUT, "/scalar", "{}"), r#""0""#);
}

#[test]
fn split_parts_of_a_response_body_are_joined() {
    let parts =
        |json: &str| every().to_wire(json.as_bytes(), Style::Rest, Unknown::Reject).unwrap();
    let wire = [
        parts(r#"{"children":[{"int":1}],"text":"a"}"#),
        parts(r#"{"children":[{"int":2}],"texts":["b"]}"#),
    ];
    let response = found(Method::PUT, "/list").response(&wire.concat(), Style::Canonical).unwrap();
    assert_eq!(response.body, br#"[{"int":1},{"int":2}]"#);
}

#[test]
fn http_body_travels_as_it_is() {
    let upload = found(Method::POST, "/files/a");
    let wire = upload.request(None, Some("image/png"), b"\x89PNG", Style::Rest).unwrap();
    let file = upload.method().input().to_json(&wire, Style::Canonical).unwrap();
    assert_eq!(
        String::from_utf8(file).unwrap(),
        r#"{"name":"a","content":{"contentType":"image/png","data":"iVBORw=="}}"#
    );
    let response = upload.response(b"\x0a\x08text/csv\x12\x03a,b", Style::Rest).unwrap();
    assert_eq!(response.content_type.as_deref(), Some("text/csv"));
    assert_eq!(response.body, b"a,b");
}

#[test]
fn an_empty_answer_is_204_without_a_body() {
    let response = found(Method::DELETE, "/files/a").response(b"", Style::Rest).unwrap();
    assert_eq!(
        (response.status.as_u16(), response.content_type, response.body),
        (204, None, vec![])
    );
}

#[test]
fn a_custom_kind_serves_any_method() {
    assert_eq!(found(Method::PATCH, "/any").template(), "/any");
    assert!(matches!(api().route(&Method::PATCH, "/list"), Route::OtherMethods(_)));
}

#[test]
fn a_type_error_in_a_parameter_is_a_field_error() {
    let error = found(Method::GET, "/any").request(Some("int=x"), None, b"", Style::Rest);
    let Err(RequestError::Field { path, .. }) = error else { panic!("{error:?}") };
    assert_eq!(path, "int");
}

const MULTIPART: &str = "option (loop.options.v1.http) = {multipart: true};";

/// The error of an API whose methods have these HTTP rules.
fn build_error(rules: &[&str]) -> BuildError {
    let methods: String = (0..)
        .zip(rules)
        .map(|(n, rule)| {
            let (rule, options) = rule.split_once(';').unwrap_or((rule, ""));
            let options = if options.is_empty() { "" } else { MULTIPART };
            format!(
                "rpc M{n}(M) returns (M) {{ option (google.api.http) = {{{rule}}}; {options} }}\n"
            )
        })
        .collect();
    let text = format!(
        "syntax = \"proto3\"; package p; import \"google/api/annotations.proto\";\n\
         import \"google/api/httpbody.proto\"; import \"loop/options/v1/options.proto\";\n\
         message M {{ string a = 1; repeated string b = 2; M c = 3; google.api.HttpBody d = 4; }}\n\
         service S {{ {methods} }}"
    );
    let folder = std::env::temp_dir().join(format!("transcode-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("p.proto"), text).unwrap();
    let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto");
    let mut compiler = protox::Compiler::new([folder.as_path(), protos.as_ref()]).unwrap();
    compiler.include_imports(true).open_file("p.proto").unwrap();
    let built = Api::build(&compiler.descriptor_pool());
    std::fs::remove_dir_all(&folder).unwrap();
    built.unwrap_err()
}

#[test]
fn rules_that_make_no_sense_are_build_errors_that_name_the_method() {
    for (rules, message) in [
        (
            &[r#"get: "/x/{a}""#, r#"get: "/x/{c.a=*}""#][..],
            r#"/p.S/M1 "/x/{c.a=*}" and /p.S/M0 "/x/{a}" serve the same requests"#,
        ),
        (
            &[r#"get: "/x" additional_bindings { get: "/x" }"#],
            r#"/p.S/M0 "/x" and /p.S/M0 "/x" serve the same requests"#,
        ),
        (
            &[r#"get: "/x/{a={b}}""#],
            r#"/p.S/M0: template "/x/{a={b}}": a variable holds no other variable at byte 6"#,
        ),
        (&[r#"get: "/x/{e}""#], "/p.S/M0: {e} is no field with a text form"),
        (&[r#"get: "/x/{b}""#], "/p.S/M0: {b} is no field with a text form"),
        (&[r#"get: "/x/{c}""#], "/p.S/M0: {c} is no field with a text form"),
        (&[r#"post: "/x" body: "e""#], r#"/p.S/M0: body "e" is no field of p.M"#),
        (
            &[r#"post: "/x/{d.content_type}" body: "d""#],
            "/p.S/M0: {d.content_type} is part of the raw body",
        ),
        (
            &[r#"post: "/x" body: "d";multipart"#],
            "/p.S/M0: a multipart body is a message of fields",
        ),
        (
            &[r#"post: "/x" body: "a";multipart"#],
            "/p.S/M0: a multipart body is a message of fields",
        ),
        (
            &[r#"post: "/x" response_body: "c.a""#],
            r#"/p.S/M0: response_body "c.a" is no field of p.M"#,
        ),
        (&[r#"body: "*""#], "/p.S/M0: an HTTP rule without a pattern"),
        (
            &[r#"custom { kind: "a b" path: "/x" }"#],
            "/p.S/M0: a custom kind that is no HTTP method",
        ),
        (
            &[r#"get: "/x" additional_bindings { get: "/y" additional_bindings { get: "/z" } }"#],
            "p.S.M0: additional_bindings hold no additional_bindings",
        ),
    ] {
        assert_eq!(build_error(rules).to_string(), message);
    }
}
