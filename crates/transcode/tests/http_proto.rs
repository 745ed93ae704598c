//! The comment of `google/api/http.proto`, sentence by sentence.
//!
//! [`RULES`] quotes each sentence that rules something and proves it by requests. A quote that
//! is not in the vendored file fails, so that the table follows the file when it is renewed.
//! The comment's sections on service configuration in YAML, and the fields `selector` and
//! `Http.fully_decode_reserved_expansion`, which serve it, rule nothing here: rules are read
//! from annotations only. Two things are taken beyond what the comment allows: literals after
//! `**`, as in the reference implementation, and well-known types with a text form, such as
//! `Timestamp`, in path and query.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use http::Method;
use protox::file::{
    ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver,
};
use transcode::{Api, BuildError, Match, Route, Segment, Style, Template, Unknown};

/// Quotes stand behind `>`; what follows proves them. A rule is one or more patterns of
/// `google.api.http`; behind `=>` stands why it is refused. A request under a rule becomes the
/// message behind `=>` in canonical JSON, or is refused with the text or status there. A
/// request with `<-` is answered with that message, and the body is behind `=>`.
const RULES: &str = r#"
> The path template may refer to one or more fields in the gRPC request message, as long as each field is a non-repeated field with a primitive (non-message) type.
get: "/v1/{name}/{revision}/{kind}/{sub.subfield}"
  GET /v1/a/2/KIND_ONE/b => {"revision":"2","sub":{"subfield":"b"},"name":"a","kind":"KIND_ONE"}
  GET /v1/a/two/KIND_ONE/b => revision: must be a whole number from -9223372036854775808 to 9223372036854775807
get: "/v1/{tags}" => {tags} is no field with a text form
get: "/v1/{sub}" => {sub} is no field with a text form
get: "/v1/{nothing}" => {nothing} is no field with a text form

> The path template controls how fields of the request message are mapped to the URL path.
> The syntax `Variable` matches part of the URL path as specified by its template.
get: "/v1/{name=messages/*}"
  GET /v1/messages/123456 => {"name":"messages/123456"}
  GET /v1/others/123456 => 404
  GET /v1/messages/123456/more => 404
  GET /v1/messages => 404

> Any fields in the request message which are not bound by the path template automatically become HTTP query parameters if there is no HTTP request body.
> All other fields are passed via the URL query parameters, and the parameter name is the field path in the request message.
get: "/v1/messages/{message_id}"
  GET /v1/messages/123456?revision=2&sub.subfield=foo => {"messageId":"123456","revision":"2","sub":{"subfield":"foo"}}
  GET /v1/messages/123456 => {"messageId":"123456"}
  GET /v1/messages/123456?nothing=1 => nothing: is not a known parameter
  GET /v1/messages/123456?sub.nothing=1 => sub.nothing: is not a known parameter

> Note that fields which are mapped to URL query parameters must have a primitive type or a repeated primitive type or a non-repeated message type.
> Repeated message fields must not be mapped to URL query parameters, because no client library can support such complicated mapping.
get: "/v1/messages"
  GET /v1/messages?kind=KIND_ONE&flag=true => {"kind":"KIND_ONE","flag":true}
  GET /v1/messages?subs.subfield=a => subs.subfield: is not a known parameter
  GET /v1/messages?subs=a => subs: cannot be a parameter
  GET /v1/messages?labels=a => labels: cannot be a parameter
  GET /v1/messages?sub=a => sub: cannot be a parameter

> In the case of a repeated type, the parameter can be repeated in the URL as `...?param=A&param=B`.
> A repeated field can be represented as multiple query parameters under the same name.
get: "/v1/messages"
  GET /v1/messages?tags=A&tags=B => {"tags":["A","B"]}
  GET /v1/messages?tags=A&revision=1&tags=B => {"revision":"1","tags":["A","B"]}
  GET /v1/messages?revision=1&revision=2 => revision: is there twice

> In the case of a message type, each field of the message is mapped to a separate parameter, such as `...?foo.a=A&foo.b=B&foo.c=C`.
get: "/v1/messages"
  GET /v1/messages?foo.a=A&foo.b=B&foo.c=C => {"foo":{"a":"A","b":"B","c":"C"}}
  GET /v1/messages?foo.foo.a=A&foo.b=B => {"foo":{"b":"B","foo":{"a":"A"}}}

> For HTTP methods that allow a request body, the `body` field specifies the mapping.
> The name of the request field whose value is mapped to the HTTP request body, or `*` for mapping all request fields not captured by the path pattern to the HTTP body, or omitted for not having any HTTP request body.
patch: "/v1/messages/{message_id}" body: "message"
  PATCH /v1/messages/123456 { "text": "Hi!" } => {"messageId":"123456","message":{"text":"Hi!"}}
  PATCH /v1/messages/123456 { "message": { "text": "Hi!" } } => message.message: is not a known field
  PATCH /v1/messages/123456 => {"messageId":"123456"}

> where the representation of the JSON in the request body is determined by protos JSON encoding
> the proto to JSON conversion must follow the [proto3 specification](https://developers.google.com/protocol-buffers/docs/proto3#json).
post: "/v1/messages" body: "*"
  POST /v1/messages {"messageId":"a","revision":"9007199254740993","kind":1} => {"messageId":"a","revision":"9007199254740993","kind":"KIND_ONE"}
  POST /v1/messages {"message_id":"a","message":null} => {"messageId":"a"}
  POST /v1/messages {"messageId":1} => message_id: must be a string

> The special name `*` can be used in the body mapping to define that every field not bound by the path template should be mapped to the request body.
patch: "/v1/messages/{message_id}" body: "*"
  PATCH /v1/messages/123456 { "text": "Hi!" } => {"messageId":"123456","text":"Hi!"}
  PATCH /v1/messages/123456 { "messageId": "7" } => message_id: must be the same in the body as in the path

> Note that when using `*` in the body mapping, it is not possible to have HTTP parameters, as all fields not bound by the path end in the body.
> If [HttpRule.body][google.api.HttpRule.body] is "*", there is no URL query parameter, all fields are passed via URL path and HTTP request body.
patch: "/v1/messages/{message_id}" body: "*"
  PATCH /v1/messages/123456?text=Hi { } => text: is not a known parameter: all fields are in the body
  PATCH /v1/messages/123456? { } => {"messageId":"123456"}

> The common usage of `*` is in custom methods which don't use the URL at all for transferring data.
post: "/v1/messages:search" body: "*"
  POST /v1/messages:search {"text":"a"} => {"text":"a"}
  POST /v1/messages {"text":"a"} => 404

> It is possible to define multiple HTTP methods for one RPC by using the `additional_bindings` option.
get: "/v1/messages/{message_id}" additional_bindings { get: "/v1/users/{user_id}/messages/{message_id}" } additional_bindings { put: "/v1/messages/{message_id}" body: "message" } additional_bindings { post: "/v1/messages:read" body: "*" response_body: "items" }
  GET /v1/messages/123456 => {"messageId":"123456"}
  GET /v1/users/me/messages/123456 => {"messageId":"123456","userId":"me"}
  GET /v1/users/me/messages/123456?revision=2 => {"messageId":"123456","revision":"2","userId":"me"}
  PUT /v1/messages/123456?revision=2 {"text":"a"} => {"messageId":"123456","revision":"2","message":{"text":"a"}}
  POST /v1/messages:read {"userId":"me"} => {"userId":"me"}
  POST /v1/messages:read {} <- {"items":["a"]} => ["a"]
  GET /v1/messages/1 <- {"items":["a"]} => {"items":["a"]}
  DELETE /v1/messages/1 => 405 GET, HEAD, OPTIONS, PUT

> Nested bindings must not contain an `additional_bindings` field themselves (that is, the nesting may only be one level deep).
get: "/a" additional_bindings { get: "/b" additional_bindings { get: "/c" } } => additional_bindings hold no additional_bindings
get: "/a" additional_bindings { get: "/b" body: "nothing" } => body "nothing" is no field of test.Request

> Leaf request fields (recursive expansion nested messages in the request message) are classified into three categories:
> Fields referred by the path template. They are passed via the URL path.
> Fields referred by the [HttpRule.body][google.api.HttpRule.body]. They are passed via the HTTP request body.
patch: "/v1/{message_id}/{foo.a}" body: "message"
  PATCH /v1/1/A?foo.b=B&foo.foo.c=C&revision=2 {"text":"t"} => {"messageId":"1","revision":"2","message":{"text":"t"},"foo":{"a":"A","b":"B","foo":{"c":"C"}}}
  PATCH /v1/1/A?message_id=2 {} => message_id: is part of the path and cannot be a parameter
  PATCH /v1/1/A?foo.a=B {} => foo.a: is part of the path and cannot be a parameter
  PATCH /v1/1/A?message.text=t {} => message.text: is the body and cannot be a parameter

> If [HttpRule.body][google.api.HttpRule.body] is omitted, there is no HTTP request body, all fields are passed via URL path and URL query parameters.
post: "/v1/{message_id}"
  POST /v1/1?text=a => {"messageId":"1","text":"a"}
  POST /v1/1 {"text":"a"} => the request has no body

> The syntax `*` matches a single URL path segment.
get: "/v1/*/b"
  GET /v1/a/b => {}
  GET /v1/%2F/b => {}
  GET /v1//b => 404
  GET /v1/b => 404
  GET /v1/a/a/b => 404

> The syntax `**` matches zero or more URL path segments, which must be the last part of the URL path except the `Verb`.
get: "/v1/{name=**}:go"
  GET /v1:go => {}
  GET /v1/a:go => {"name":"a"}
  GET /v1/a/b/c:go => {"name":"a/b/c"}
  GET /v1/a/b/c => 404
get: "/v1/**"
  GET /v1 => {}
  GET /v1/a/b/c => {}
  GET /v2/a => 404
get: "/v1/**/*" => template "/v1/**/*": no wildcard follows '**' at byte 8
get: "/v1/**/{name}" => template "/v1/**/{name}": no wildcard follows '**' at byte 13
get: "/v1/{name=**}/**" => template "/v1/{name=**}/**": no wildcard follows '**' at byte 16

> A variable template must not contain other variables.
get: "/v1/{name=a/{text}}" => template "/v1/{name=a/{text}}": a variable holds no other variable at byte 12

> If a variable matches a single path segment, its template may be omitted, e.g. `{var}` is equivalent to `{var=*}`.
get: "/v1/{name}"
  GET /v1/a => {"name":"a"}
get: "/v1/{name=*}"
  GET /v1/a => {"name":"a"}
  GET /v1/ => 404
  GET /v1/a/b => 404
get: "/v1/{name}" additional_bindings { get: "/v1/{name=*}" } => "/v1/{name=*}" and /test.S/M0 "/v1/{name}" serve the same requests

> The syntax `LITERAL` matches literal text in the URL path. If the `LITERAL` contains any reserved character, such characters should be percent-encoded before the matching.
get: "/v1/a%2Fb/c+d%3F"
  GET /v1/a%2Fb/c+d%3F => {}
  GET /v1/%61%2fb/c%2Bd%3f => {}
  GET /v1/a/b/c+d%3F => 404
  GET /v1/A%2Fb/c+d%3F => 404

> If a variable contains exactly one path segment, such as `"{var}"` or `"{var=*}"`, when such a variable is expanded into a URL path on the client side, all characters except `[-_.~0-9a-zA-Z]` are percent-encoded. The server side does the reverse decoding.
get: "/v1/{name}"
  GET /v1/a%2Fb%2fc%20%3F%23%25%2B => {"name":"a/b/c ?#%+"}
  GET /v1/a+b => {"name":"a+b"}
  GET /v1/%252F => {"name":"%2F"}
  GET /v1/%C3%A9 => {"name":"é"}
  GET /v1/%FF => name: must be UTF-8

> If a variable contains multiple path segments, such as `"{var=foo/*}"` or `"{var=**}"`, when such a variable is expanded into a URL path on the client side, all characters except `[-_.~/0-9a-zA-Z]` are percent-encoded. The server side does the reverse decoding, except "%2F" and "%2f" are left unchanged.
> While the single segment variable follows the semantics of [RFC 6570](https://tools.ietf.org/html/rfc6570) Section 3.2.2 Simple String Expansion, the multi segment variable **does not** follow RFC 6570 Section 3.2.3 Reserved Expansion.
> does not expand special characters like `?` and `#`, which would lead to invalid URLs.
get: "/v1/{name=foo/*}"
  GET /v1/foo/a%2Fb%2fc%20%3F%23%25%2B => {"name":"foo/a%2Fb%2fc ?#%+"}
  GET /v1/f%6Fo/a => {"name":"foo/a"}
get: "/v1/{name=**}"
  GET /v1/a%2Fb/c%20d => {"name":"a%2Fb/c d"}
  GET /v1/a%2Fb => {"name":"a%2Fb"}
  GET /v1/%252F/a => {"name":"%2F/a"}

> The path variables **must not** refer to any repeated or mapped field, because client libraries are not capable of handling such variable expansion.
get: "/v1/{tags=**}" => {tags} is no field with a text form
get: "/v1/{labels}" => {labels} is no field with a text form
get: "/v1/{subs.subfield}" => {subs.subfield} is no field with a text form

> The path variables **must not** capture the leading "/" character.
get: "/{name=**}"
  GET /a/b => {"name":"a/b"}
  GET / => {}

> If an API needs to use a JSON array for request or response body, it can map the request or response body to a repeated field.
put: "/v1/tags" body: "tags" response_body: "items"
  PUT /v1/tags ["a","b"] => {"tags":["a","b"]}
  PUT /v1/tags {"tags":[]} => tags: must be a list
  PUT /v1/tags [] <- {"items":["a","b"]} => ["a","b"]
  PUT /v1/tags [] <- {} => []
put: "/v1/subs" body: "subs"
  PUT /v1/subs [{"subfield":"a"},{}] => {"subs":[{"subfield":"a"},{}]}

> This pattern can be used with any of the {get|put|post|delete|patch} methods.
get: "/a" additional_bindings { put: "/b" } additional_bindings { post: "/c" } additional_bindings { delete: "/d" } additional_bindings { patch: "/e" }
  GET /a => {}
  PUT /b => {}
  POST /c => {}
  DELETE /d => {}
  PATCH /e => {}
  PATCH /d => 405 DELETE, OPTIONS
body: "*" => an HTTP rule without a pattern

> A custom method can be defined using the 'custom' field.
> The custom pattern is used for specifying an HTTP method that is not included in the `pattern` field, such as HEAD, or "*" to leave the HTTP method unspecified for this rule.
> The name of this custom HTTP verb.
> The path matched by this custom verb.
custom { kind: "HEAD" path: "/v1/{name}" }
  HEAD /v1/a => {"name":"a"}
  GET /v1/a => 405 HEAD, OPTIONS
custom { kind: "REPORT" path: "/v1/{name}:go" } body: "*"
  REPORT /v1/a:go {"text":"b"} => {"text":"b","name":"a"}
custom { kind: "*" path: "/v1/{name}" } additional_bindings { put: "/v1/{text}" }
  GET /v1/a => {"name":"a"}
  PROPFIND /v1/a => {"name":"a"}
  PUT /v1/a => {"text":"a"}
custom { kind: "a b" path: "/v1" } => a custom kind that is no HTTP method

> NOTE: the referred field must be present at the top-level of the request message type.
post: "/v1" body: "nothing" => body "nothing" is no field of test.Request
post: "/v1" body: "foo.foo" => body "foo.foo" is no field of test.Request

> The name of the response field whose value is mapped to the HTTP response body.
> When omitted, the entire response message will be used as the HTTP response body.
get: "/v1/message" response_body: "message" additional_bindings { get: "/v1/whole" } additional_bindings { get: "/v1/text" response_body: "text" }
  GET /v1/message <- {"message":{"text":"a"},"text":"b"} => {"text":"a"}
  GET /v1/whole <- {"message":{"text":"a"},"text":"b"} => {"text":"b","message":{"text":"a"}}
  GET /v1/text <- {"message":{"text":"a"},"text":"b"} => "b"

> NOTE: The referred field must be present at the top-level of the response message type.
get: "/v1" response_body: "nothing" => response_body "nothing" is no field of test.Response
get: "/v1" response_body: "message.text" => response_body "message.text" is no field of test.Response
"#;

const MESSAGES: &str = r#"
    syntax = "proto3";
    package test;
    import "google/api/annotations.proto";
    enum Kind { KIND_UNSPECIFIED = 0; KIND_ONE = 1; }
    message Foo { string a = 1; string b = 2; string c = 3; Foo foo = 4; }
    message Message { string text = 1; }
    message Request {
      message SubMessage { string subfield = 1; }
      string message_id = 1;
      int64 revision = 2;
      SubMessage sub = 3;
      string user_id = 4;
      Message message = 5;
      string text = 6;
      string name = 7;
      Kind kind = 8;
      bool flag = 9;
      Foo foo = 10;
      repeated string tags = 11;
      repeated SubMessage subs = 12;
      map<string, string> labels = 13;
    }
    message Response { string text = 1; repeated string items = 2; Message message = 3; }
"#;

/// An API of one service whose methods have these rules.
fn api(rules: &[&str]) -> Result<Api, BuildError> {
    let method = |(index, rule): (usize, &&str)| {
        format!(
            "rpc M{index}(Request) returns (Response) {{ option (google.api.http) = {{{rule}}}; }}"
        )
    };
    let methods: String = rules.iter().enumerate().map(method).collect();
    let text = format!("{MESSAGES} service S {{ {methods} }}");
    let mut resolver = ChainFileResolver::new();
    resolver.add(Given(text));
    resolver
        .add(IncludeFileResolver::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto").into()));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).open_file("test.proto").unwrap();
    Api::build(&compiler.descriptor_pool())
}

/// The file `test.proto`, which is on no disk.
struct Given(String);

impl FileResolver for Given {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match name {
            "test.proto" => File::from_source(name, &self.0),
            _ => Err(protox::Error::file_not_found(name)),
        }
    }
}

/// What becomes of a request such as `PUT /v1/a?b=c {"d":1}`.
fn ask(api: &Api, request: &str) -> String {
    let (request, answer) = match request.split_once(" <- ") {
        Some((request, answer)) => (request, Some(answer)),
        None => (request, None),
    };
    let mut parts = request.splitn(3, ' ');
    let method: Method = parts.next().unwrap().parse().unwrap();
    let target = parts.next().unwrap();
    let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q)));
    match (api.route(&method, path), answer) {
        (Route::Found(found), Some(answer)) => response(&found, answer),
        (Route::Found(found), None) => message(&found, query, parts.next().unwrap_or_default()),
        (Route::OtherMethods(methods), _) => {
            let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
            format!("405 {}", names.join(", "))
        }
        (Route::NotFound, _) => "404".to_owned(),
    }
}

fn message(found: &Match<'_>, query: Option<&str>, body: &str) -> String {
    let content_type = (!body.is_empty()).then_some("application/json");
    match found.request(query, content_type, body.as_bytes(), Style::Canonical) {
        Ok(wire) => text(found.method().input().to_json(&wire, Style::Canonical).unwrap()),
        Err(error) => error.to_string(),
    }
}

fn response(found: &Match<'_>, answer: &str) -> String {
    let output = found.method().output();
    let wire = output.to_wire(answer.as_bytes(), Style::Canonical, Unknown::Reject).unwrap();
    text(found.response(&wire, Style::Canonical).unwrap().body)
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn every_rule_of_the_comment_holds() {
    let mut current = None;
    let mut wrong = Vec::new();
    let mut compare = |line: &str, expected: &str, actual: &str| {
        if expected != actual {
            wrong.push(format!("{line}\n  but {actual}"));
        }
    };
    for line in RULES.lines().filter(|line| !line.is_empty() && !line.starts_with('>')) {
        let (left, expected) = line.split_once(" => ").map_or((line, None), |(l, e)| (l, Some(e)));
        match (left.strip_prefix("  "), expected) {
            (Some(request), expected) => {
                let api = current.as_ref().expect("a rule stands before its requests");
                compare(line, expected.expect("a request has an outcome"), &ask(api, request));
            }
            (None, Some(reason)) => {
                let error = api(&[left]).unwrap_err().to_string();
                let after_name =
                    error.trim_start_matches("/test.S/M0").trim_start_matches("test.S.M0");
                compare(line, reason, after_name.trim_start_matches([':', ' ']));
            }
            (None, None) => current = Some(api(&[left]).unwrap()),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_quote_is_in_the_file() {
    let quotes: Vec<&str> = RULES.lines().filter_map(|line| line.strip_prefix("> ")).collect();
    assert!(quotes.len() > 30);
    for quote in quotes {
        assert!(comment().contains(quote), "{quote}");
    }
}

/// The text of the vendored file without slashes, line ends and double spaces.
fn comment() -> String {
    let file = include_str!("../../../proto/google/api/http.proto");
    let words =
        file.lines().flat_map(|line| line.trim().trim_start_matches('/').split_whitespace());
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn two_methods_for_the_same_requests_are_an_error_that_names_both() {
    for (first, second, error) in [
        (
            r#"get: "/v1/{name}""#,
            r#"get: "/v1/{text}""#,
            r#"/test.S/M1 "/v1/{text}" and /test.S/M0 "/v1/{name}" serve the same requests"#,
        ),
        (
            r#"post: "/v1/{name=a/*}:go""#,
            r#"get: "/v2" additional_bindings { post: "/v1/a/*:go" }"#,
            r#"/test.S/M1 "/v1/a/*:go" and /test.S/M0 "/v1/{name=a/*}:go" serve the same requests"#,
        ),
        (
            r#"custom { kind: "*" path: "/v1/%61" }"#,
            r#"custom { kind: "*" path: "/v1/a" }"#,
            r#"/test.S/M1 "/v1/a" and /test.S/M0 "/v1/%61" serve the same requests"#,
        ),
    ] {
        assert_eq!(api(&[first, second]).unwrap_err().to_string(), error);
    }
    assert!(api(&[r#"get: "/v1/{name}""#, r#"put: "/v1/{text}""#]).is_ok());
    assert!(api(&[r#"get: "/v1/{name}""#, r#"get: "/v1/{text}:go""#]).is_ok());
}

/// What a client of the comment does, undone: every character but the unreserved is encoded.
#[test]
fn every_character_that_a_client_encodes_comes_back() {
    let api = api(&[r#"get: "/one/{name}""#, r#"get: "/more/{name=**}""#]).unwrap();
    let unreserved = |letter: &char| letter.is_ascii_alphanumeric() || "-_.~".contains(*letter);
    for letter in ('\u{0}'..'\u{250}').chain(['\u{2028}', '\u{fffd}', '😀']) {
        let encoded: String = match unreserved(&letter) {
            true => letter.to_string(),
            false => letter.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect(),
        };
        let value = |value: &str| serde_json::json!({ "name": value });
        let asked =
            |path: String| serde_json::from_str::<serde_json::Value>(&ask(&api, &path)).unwrap();
        assert_eq!(asked(format!("GET /one/{encoded}")), value(&letter.to_string()));
        let kept = if letter == '/' { "%2F".to_owned() } else { letter.to_string() };
        assert_eq!(asked(format!("GET /more/a/{encoded}")), value(&format!("a/{kept}")));
    }
}

/// Segments joined by slashes, then each variable with the segments that it covers, then the
/// verb.
fn parsed(text: &str) -> Option<String> {
    let template = Template::parse(text).ok()?;
    let shown = |segment: &Segment| match segment {
        Segment::Literal(text) => text.clone(),
        Segment::Single => "*".to_owned(),
        Segment::Multi => "**".to_owned(),
    };
    let join = |segments: &[Segment]| segments.iter().map(shown).collect::<Vec<_>>().join("/");
    let mut all = join(&template.segments);
    for variable in &template.variables {
        let covered = join(&template.segments[variable.start..variable.end]);
        all.push_str(&format!(" {}={covered}", variable.field_path));
    }
    all.extend(template.verb.map(|verb| format!(" :{verb}")));
    Some(all)
}

/// Each production of the grammar: what it allows, and what it does not.
#[test]
fn the_grammar_is_that_of_the_comment() {
    for (production, valid, invalid) in [
        (
            r#"Template = "/" Segments [ Verb ] ;"#,
            "/a => a | /a:go => a :go | /a/b/c:go => a/b/c :go | /**:go => ** :go",
            "a | a/b | :go | /:go | : | {x} | a/{x}/b:go | {x=/a}",
        ),
        (
            r#"Segments = Segment { "/" Segment } ;"#,
            "/a/*/{x}/** => a/*/*/** x=* | /shelves/{shelf}/books/{book} => shelves/*/books/* shelf=* book=*",
            "// | /a/ | /a//b | /a/:go | //a | /{x=a/} | /{x=/a} | /{x=a//b}",
        ),
        (
            r#"Segment = "*" | "**" | LITERAL | Variable ;"#,
            "/* => * | /** => ** | /*/** => */** | /*/a/** => */a/** | /a-b_c.d~e => a-b_c.d~e | /a%20b => a b",
            "/a* | /*a | /*** | /a** | /a{x} | /{x}a | /a{x}b | /{x}{y} | /a/b{x}/c | /%2 | /%zz | /%ff | /a b | /a?b | /a#b | /a=b | /a}",
        ),
        (
            r#"Variable = "{" FieldPath [ "=" Segments ] "}" ;"#,
            "/{x} => * x=* | /{x=*} => * x=* | /{x=**} => ** x=** | /{x=a} => a x=a | /a/{x=b/*/c} => a/b/*/c x=b/*/c | /{x=a/**}/b => a/**/b x=a/** | /{x=a/**/b}:go => a/**/b x=a/**/b :go",
            "/{} | /{ | /{x | /{x= | /{x=} | /x} | /{x=a:go} | /{x={y}} | /{x=a/{y=b}} | /{x}/{x} | /{x=a",
        ),
        (
            r#"FieldPath = IDENT { "." IDENT } ;"#,
            "/{a.b.c} => * a.b.c=* | /{_a1.b_2} => * _a1.b_2=* | /{a.b=c/*} => c/* a.b=c/*",
            "/{.a} | /{a.} | /{a..b} | /{1a} | /{a.1} | /{a-b} | /{a b} | /{é} | /{a.",
        ),
        (
            r#"Verb = ":" LITERAL ;"#,
            "/a:go => a :go | /{x}:go-1 => * x=* :go-1 | /a:%67o => a :go",
            "/a: | /*: | /**: | /{x}: | /a:b:c | /a:* | /a:{x} | /a:b/c",
        ),
    ] {
        assert!(comment().contains(production), "{production}");
        for row in valid.split(" | ") {
            let (template, expected) = row.split_once(" => ").unwrap();
            assert_eq!(parsed(template).as_deref(), Some(expected), "{template}");
        }
        for template in invalid.split(" | ") {
            assert_eq!(parsed(template), None, "{template}");
        }
    }
}
