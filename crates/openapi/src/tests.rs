//! Each mapping from a contract to a document, over contracts small enough to read.

mod documents;
mod forms;
mod operations;
mod schemas;

use prost_reflect::DescriptorPool;
use protox::file::{
    ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver,
};
use serde_json::Value;

use super::*;

const PROTO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto");

/// Access of a method that reads, for tests that are about something else.
const READ: &str = r#"
  option (loop.options.v1.access) = {scopes: "read:biomarkers" callers: USER};
  option (loop.options.v1.audit) = {read: "test.thing.read"};"#;

/// The same for a method that writes.
const WRITE: &str = r#"
  option (loop.options.v1.access) = {scopes: "write:biomarkers" callers: USER};
  option (loop.options.v1.audit) = {write: "test.thing.done"};
  option (loop.options.v1.emits) = {none: "nobody asks"};"#;

/// A service of these methods, and messages beside it.
fn contract(methods: &str, messages: &str) -> Registry {
    let text = format!(
        r#"syntax = "proto3";
package loop.test.v1;
import "buf/validate/validate.proto";
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "loop/options/v1/options.proto";
// Tests things.
// All of them.
service TestService {{
  option (loop.options.v1.service) = {{name: "test" display_name: "Test"}};
  {methods}
}}
{messages}"#
    );
    Registry::new(compile(&text)).unwrap()
}

/// A method `Do` with this HTTP rule, and messages among which are `DoRequest` and `DoResponse`.
fn one(rule: &str, options: &str, messages: &str) -> Registry {
    let method = format!(
        "rpc Do(DoRequest) returns (DoResponse) {{ option (google.api.http) = {{{rule}}}; {options} }}"
    );
    contract(&method, messages)
}

fn document(registry: &Registry) -> Value {
    try_document(registry).unwrap()
}

fn try_document(registry: &Registry) -> Result<Value, Error> {
    let document = service(registry, &registry.services()[0], &Examples::default())?;
    Ok(serde_json::to_value(document).unwrap())
}

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
    resolver.add(IncludeFileResolver::new(PROTO.into()));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    compiler.open_file("loop/test/v1/test.proto").unwrap();
    DescriptorPool::decode(&compiler.encode_file_descriptor_set()[..]).unwrap()
}

/// The contracts of this repository.
fn repository() -> Registry {
    let mut files = Vec::new();
    for folder in std::fs::read_dir(format!("{PROTO}/loop")).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path().join("v1")).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|it| it == "proto") {
                files.push(path);
            }
        }
    }
    let mut compiler = protox::Compiler::new([PROTO]).unwrap();
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(files).unwrap();
    Registry::load(&[&compiler.encode_file_descriptor_set()[..]]).unwrap()
}
