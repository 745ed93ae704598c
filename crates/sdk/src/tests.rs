//! Clients of contracts small enough to read.

use protox::file::{
    ChainFileResolver, File as Proto, FileResolver, GoogleFileResolver, IncludeFileResolver,
};

use super::*;

const PROTO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto");

/// A service of these methods, and messages beside it.
fn contract(methods: &str, messages: &str) -> Registry {
    let text = format!(
        r#"syntax = "proto3";
package loop.test.v1;
import "buf/validate/validate.proto";
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
import "google/protobuf/empty.proto";
import "loop/options/v1/options.proto";
// Tests things.
service TestService {{
  option (loop.options.v1.service) = {{name: "test-things" display_name: "Test"}};
  {methods}
}}
{messages}"#
    );
    Registry::load(&[&compile(&text)]).unwrap()
}

/// A method that reads, with this HTTP rule, between these messages.
fn method(name: &str, request: &str, response: &str, rule: &str) -> String {
    format!(
        r#"rpc {name}({request}) returns ({response}) {{
    option (google.api.http) = {{{rule}}};
    option (loop.options.v1.access) = {{callers: PUBLIC}};
    option (loop.options.v1.audit) = {{none: "a test"}};
  }}
"#
    )
}

fn compile(text: &str) -> Vec<u8> {
    struct Text(String);
    impl FileResolver for Text {
        fn open_file(&self, name: &str) -> Result<Proto, protox::Error> {
            match name {
                "loop/test/v1/test.proto" => Proto::from_source(name, &self.0),
                _ => Err(protox::Error::file_not_found(name)),
            }
        }
    }
    let mut resolver = ChainFileResolver::new();
    resolver.add(Text(text.to_owned()));
    resolver.add(IncludeFileResolver::new(PROTO.into()));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    compiler.open_file("loop/test/v1/test.proto").unwrap();
    compiler.encode_file_descriptor_set()
}

/// The generated file of the service in each language.
fn files(registry: &Registry) -> (String, String) {
    let first = |files: Vec<File>| files.into_iter().next().unwrap();
    let typescript = first(typescript(registry).unwrap());
    let python = first(python(registry).unwrap());
    assert_eq!((typescript.0.as_str(), python.0.as_str()), ("test-things.ts", "test_things.py"));
    (typescript.1, python.1)
}

#[track_caller]
fn has(text: &str, part: &str) {
    assert!(text.contains(part), "{part:?} is not in\n{text}");
}

#[test]
fn a_method_says_where_each_field_goes_and_what_comes_back() {
    let methods = method(
        "Move",
        "MoveRequest",
        "MoveResponse",
        r#"post: "/v1/{name=a/*}/{b.id}:move" body: "what""#,
    );
    let messages = r#"
message MoveRequest { string name = 1; Inner b = 2; Inner what = 3; repeated string tags = 4; }
message Inner { string id = 1; int64 big = 2; }
message MoveResponse { int64 big = 1; optional bool done = 2; bool seen = 3; map<string, Inner> all = 4; }"#;
    let (typescript, python) = files(&contract(&methods, messages));
    has(&typescript, r#"path: "/v1/{+name}/{b.id}:move""#);
    has(&typescript, r#"body: { as: "json", field: "what" }"#);
    has(&typescript, "  \"b.id\": string;\n");
    has(&typescript, "  tags?: Array<string>;\n");
    has(&typescript, "  what?: InnerInput;\n");
    has(&typescript, "  big?: string | number;\n");
    has(
        &typescript,
        "  all: Record<string, Inner>;\n  big: string;\n  done?: boolean;\n  seen: boolean;\n",
    );
    has(&typescript, "): Promise<MoveResponse> {");
    has(&python, "        b_id: str,\n");
    has(&python, "            \"b.id\": b_id,\n");
    has(&python, "        tags: list[str] | None = None,\n");
    has(&python, "class MoveResponse(_MoveResponseRequired, total=False):\n    done: bool\n");
    has(&python, "    ) -> MoveResponse:\n");
}

#[test]
fn keys_tokens_and_forms_are_as_the_contract_has_them() {
    let methods = r#"rpc Make(MakeRequest) returns (google.protobuf.Empty) {
    option (google.api.http) = {post: "/v1/things" body: "*"};
    option (loop.options.v1.access) = {scopes: "write:biomarkers" callers: USER};
    option (loop.options.v1.audit) = {write: "test.thing.made"};
    option (loop.options.v1.emits) = {none: "nobody asks"};
    option (loop.options.v1.idempotency) = {key: REQUIRED};
  }
  rpc Ask(AskRequest) returns (google.protobuf.Empty) {
    option deprecated = true;
    option (google.api.http) = {post: "/v1/ask" body: "*" additional_bindings {get: "/v1/ask"}};
    option (loop.options.v1.access) = {callers: PUBLIC};
    option (loop.options.v1.audit) = {none: "a test"};
    option (loop.options.v1.http) = {form: true oauth_errors: true};
  }"#;
    let messages =
        "message MakeRequest {}\nmessage AskRequest { string from = 1 [deprecated = true]; }";
    let (typescript, python) = files(&contract(methods, messages));
    has(&typescript, "  path: \"/v1/things\",\n  body: { as: \"json\" },\n  keyed: true,\n};");
    has(&typescript, "  path: \"/v1/ask\",\n  body: { as: \"form\" },\n  public: true,\n};");
    has(&typescript, "export type MakeRequest = Record<string, never>;");
    has(&typescript, "  /** @deprecated */\n  from?: string;\n");
    has(&typescript, "  /** @deprecated */\n  ask(\n");
    has(&typescript, "): Promise<void> {");
    has(&python, "    body=Body(\"json\"),\n    keyed=True,\n)");
    has(&python, "    body=Body(\"form\"),\n    public=True,\n)");
    has(&python, "        from_: str | None = None,\n");
    has(&python, "            \"from\": from_,\n");
    has(&python, "        self._caller.call(_MAKE, request, options)\n");
}

#[test]
fn a_method_between_services_is_in_no_client() {
    let methods = r#"rpc Hidden(HiddenRequest) returns (HiddenRequest) {
    option (loop.options.v1.access) = {callers: PUBLIC};
    option (loop.options.v1.audit) = {none: "a test"};
  }"#;
    let registry = contract(methods, "message HiddenRequest {}");
    let names: Vec<String> = typescript(&registry).unwrap().into_iter().map(|it| it.0).collect();
    assert_eq!(names, ["services.ts"]);
}

#[test]
fn lists_have_a_method_that_goes_on_to_the_end() {
    let messages = |request: &str, response: &str| {
        format!(
            "message ListThingsRequest {{ {request} }}\nmessage ListThingsResponse {{ {response} }}\n\
             message Thing {{ string id = 1; }}"
        )
    };
    let methods =
        method("ListThings", "ListThingsRequest", "ListThingsResponse", r#"get: "/v1/things""#);
    let of =
        |request: &str, response: &str| files(&contract(&methods, &messages(request, response)));
    let (typescript, python) =
        of("string page_token = 1;", "repeated Thing things = 1; string next_page_token = 2;");
    has(&typescript, r#"pages: { by: "token", items: "things" }"#);
    has(&typescript, "  iterateThings(\n");
    has(&typescript, "): AsyncGenerator<Thing, void, undefined> {");
    has(&python, "pages=Pages(by=\"token\", items=\"things\")");
    has(&python, "    def iterate_things(\n");
    has(&python, "    ) -> AsyncIterator[Thing]:\n");
    let (typescript, _) =
        of("uint32 limit = 1; uint32 offset = 2;", "repeated Thing things = 1; int32 total = 2;");
    has(&typescript, r#"pages: { by: "offset", items: "things" }"#);
    for (request, response) in [
        ("", "repeated Thing things = 1; string next_page_token = 2;"),
        (
            "string page_token = 1;",
            "repeated Thing a = 1; repeated Thing b = 2; string next_page_token = 3;",
        ),
    ] {
        let (typescript, python) = of(request, response);
        assert!(!typescript.contains("iterate") && !python.contains("iterate"), "{typescript}");
    }
}

#[test]
fn bytes_are_sent_and_given_as_they_are() {
    let methods = method(
        "Swap",
        "google.api.HttpBody",
        "google.api.HttpBody",
        r#"post: "/v1/swap" body: "*""#,
    );
    let (typescript, python) = files(&contract(&methods, ""));
    has(&typescript, "  body: { as: \"bytes\", field: \"body\" },\n  answer: \"bytes\",\n");
    has(&typescript, "  body: Uint8Array;\n");
    has(&typescript, "): Promise<Uint8Array> {");
    has(&python, "body=Body(\"bytes\", \"body\"),\n    answer=\"bytes\",\n");
    has(&python, "        body: bytes,\n");
}

#[test]
fn names_that_python_keeps_for_itself_are_members_all_the_same() {
    let methods = method("Get", "GetRequest", "Span", r#"get: "/v1/span""#);
    let messages = "message GetRequest {}\nmessage Span { string from = 1; int32 in = 2; }";
    let (typescript, python) = files(&contract(&methods, messages));
    has(&typescript, "  from?: string;\n  in: number;\n");
    has(&python, "\"_SpanRequired\",\n    {\n        \"in\": \"int\",\n    },\n");
    has(
        &python,
        "\"_SpanOptional\",\n    {\n        \"from\": \"str\",\n    },\n    total=False,\n",
    );
    has(&python, "class Span(_SpanRequired, _SpanOptional):\n");
}

#[test]
fn no_comment_ends_the_comment_that_it_stands_in() {
    let methods = method("Get", "GetRequest", "GetResponse", r#"get: "/v1/x""#);
    let messages = "message GetRequest {}\n// Ends */ here, and \"\"\" here, \\ and is \"so\"\nmessage GetResponse { string id = 1; }";
    let (typescript, python) = files(&contract(&methods, messages));
    has(&typescript, "/** Ends *\\/ here, and \"\"\" here, \\ and is \"so\" */\n");
    has(&python, r#"    """Ends */ here, and \"\"\" here, \\ and is "so\"""""#);
}

#[test]
fn two_messages_of_one_name_are_refused() {
    let methods = method("Get", "GetRequest", "GetResponse", r#"get: "/v1/x""#);
    let messages = "message GetRequest {}\nmessage GetResponse { AB a = 1; A.B b = 2; }\n\
                    message AB { string id = 1; }\nmessage A { message B { string id = 1; } }";
    let error = typescript(&contract(&methods, messages)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "test-things: AB names two types of its client; rename one of the messages"
    );
}
