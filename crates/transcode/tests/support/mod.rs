//! The test protos, compiled.

use std::sync::OnceLock;

use http::Method;
use prost_reflect::{DescriptorPool, MessageDescriptor};
use transcode::{Api, Match, Message, Route};

pub fn pool() -> &'static DescriptorPool {
    static POOL: OnceLock<DescriptorPool> = OnceLock::new();
    POOL.get_or_init(|| {
        let folder = env!("CARGO_MANIFEST_DIR");
        let includes = [format!("{folder}/tests/protos"), format!("{folder}/../../proto")];
        let mut compiler = protox::Compiler::new(includes).unwrap();
        compiler.include_imports(true);
        compiler
            .open_files(["every_kind.proto", "library.proto", "google/rpc/error_details.proto"])
            .unwrap();
        compiler.descriptor_pool()
    })
}

pub fn api() -> &'static Api {
    static API: OnceLock<Api> = OnceLock::new();
    API.get_or_init(|| Api::build(pool()).unwrap())
}

/// The message that has a field of every kind.
#[allow(dead_code, reason = "not every test file needs it")]
pub fn every() -> Message<'static> {
    api().message("test.Every").unwrap()
}

#[allow(dead_code, reason = "not every test file needs it")]
pub fn descriptor() -> MessageDescriptor {
    pool().get_message_by_name("test.Every").unwrap()
}

#[allow(dead_code, reason = "not every test file needs it")]
pub fn found(method: Method, path: &str) -> Match<'static> {
    match api().route(&method, path) {
        Route::Found(found) => found,
        other => panic!("{method} {path}: {other:?}"),
    }
}
