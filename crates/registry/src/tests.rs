//! A contract that leaves something out is named with its file, its line and the mend.

use prost_reflect::DescriptorPool;
use protox::file::{
    ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver,
};

use super::*;

/// Compiles one text against the repository's own options.
fn compile(text: &str) -> DescriptorPool {
    struct Text(String);
    impl FileResolver for Text {
        fn open_file(&self, name: &str) -> Result<File, protox::Error> {
            match name {
                "loop/test/v1/test.proto" => File::from_source(name, &self.0),
                _ => Err(protox::Error::file_not_found(name)),
            }
        }
    }
    let mut resolver = ChainFileResolver::new();
    resolver.add(Text(text.to_owned()));
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto");
    resolver.add(IncludeFileResolver::new(root.into()));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    compiler.open_file("loop/test/v1/test.proto").unwrap();
    DescriptorPool::decode(&compiler.encode_file_descriptor_set()[..]).unwrap()
}

/// A complete service, into which a test writes one method's options and one message's fields.
fn contract(options: &str, fields: &str) -> String {
    format!(
        r#"syntax = "proto3";
package loop.test.v1;
import "google/api/annotations.proto";
import "buf/validate/validate.proto";
import "loop/options/v1/options.proto";
service TestService {{
  option (loop.options.v1.service) = {{name: "test" schema: "test"}};
  rpc Do(DoRequest) returns (DoResponse) {{ {options} }}
}}
message DoRequest {{ {fields} }}
message DoResponse {{}}
message Done {{
  option (loop.options.v1.event) = {{name: "test.thing.done.v1" key: "id"}};
  string id = 1;
}}"#
    )
}

const COMPLETE: &str = r#"
  option (loop.options.v1.access) = {scopes: "write:test" callers: USER};
  option (loop.options.v1.audit) = {write: "test.thing.done"};
  option (loop.options.v1.emits) = {events: "test.thing.done.v1"};"#;

fn faults(options: &str, fields: &str) -> Vec<String> {
    match Registry::new(compile(&contract(options, fields))) {
        Ok(_) => Vec::new(),
        Err(Faults(faults)) => faults.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_complete_contract_has_no_faults_and_reads_back() {
    let registry = Registry::new(compile(&contract(COMPLETE, ""))).unwrap();
    let method = registry.method("/loop.test.v1.TestService/Do").unwrap();
    assert_eq!(method.scopes, ["write:test"]);
    assert_eq!(method.audit, Audit::Write("test.thing.done".into()));
    assert_eq!(method.rate, "WRITE");
    assert_eq!((method.http.largest_body, &method.metadata), (0, &Metadata::default()));
    assert_eq!(registry.events()[0].aggregate, "test.thing");
}

#[test]
fn a_method_states_its_limit_and_its_metadata() {
    let options = format!(
        r#"{COMPLETE}
        option (loop.options.v1.http) = {{largest_body: 65536}};
        option (loop.options.v1.metadata) = {{request: "x-lab-order" response: "x-signature-bin"}};"#
    );
    let registry = Registry::new(compile(&contract(&options, ""))).unwrap();
    let method = registry.method("/loop.test.v1.TestService/Do").unwrap();
    assert_eq!(method.http.largest_body, 65_536);
    assert_eq!(method.metadata.request, ["x-lab-order"]);
    assert_eq!(method.metadata.response, ["x-signature-bin"]);
}

#[test]
fn each_omission_is_a_fault_with_place_and_mend() {
    let without = |line: &str| COMPLETE.lines().filter(|it| !it.contains(line)).collect::<String>();
    for (options, fields, problem, mend) in [
        (without(".access)"), "", "has no access option", "callers: PUBLIC"),
        (without(".audit)"), "", "has no audit option", "{none: \"why\"}"),
        (without(".emits)"), "", "neither what it emits", "emits) = {events"),
        (COMPLETE.replace("done.v1", "gone.v1"), "", "which no message declares", "events.proto"),
        (COMPLETE.replace("scopes: \"write:test\"", ""), "", "names no scope", "scopes:"),
        (COMPLETE.into(), "string email = 1;", "looks protected", "phi"),
        (
            format!("{COMPLETE} option (loop.options.v1.metadata) = {{request: \"cookie\"}};"),
            "",
            "names the metadata `cookie`",
            "x-lab-order",
        ),
        (
            COMPLETE.into(),
            "string x = 1 [(buf.validate.field).string.email = true];",
            "uses the rule string.email",
            "teach it",
        ),
    ] {
        let found = faults(&options, fields);
        assert!(
            found.iter().any(|it| it.contains(problem) && it.contains(mend)),
            "{problem}: {found:?}"
        );
        assert!(found[0].starts_with("proto/loop/test/v1/test.proto:"), "{found:?}");
        assert!(!found[0].contains(".proto:0:"), "{found:?}");
    }
}

#[test]
fn an_event_may_not_carry_a_protected_value() {
    let text = contract(COMPLETE, "").replace(
        "string id = 1;",
        "string id = 1; string value = 2 [(loop.options.v1.phi) = CLINICAL];",
    );
    let Err(Faults(found)) = Registry::new(compile(&text)) else { panic!("accepted") };
    assert!(found[0].to_string().contains("carries the protected value `value`"));
}

#[test]
fn the_repository_is_complete() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto");
    let mut compiler = protox::Compiler::new([root]).unwrap();
    compiler.include_imports(true).include_source_info(true);
    for service in ["identity/v1/oauth", "platform/v1/brand", "clinical/v1/biomarker"] {
        compiler.open_file(format!("loop/{service}.proto")).unwrap();
    }
    compiler
        .open_files([
            "loop/identity/v1/events.proto",
            "loop/platform/v1/events.proto",
            "loop/clinical/v1/events.proto",
        ])
        .unwrap();
    let registry = Registry::load(&[&compiler.encode_file_descriptor_set()[..]]);
    assert_eq!(registry.err().map(|it| it.to_string()), None);
}
