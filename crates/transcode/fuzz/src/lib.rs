//! What the fuzz targets share: the test contracts, compiled, and what must be true of JSON.

use std::sync::OnceLock;

use prost_reflect::DescriptorPool;
use transcode::{Api, Message, Style, Unknown};

pub const STYLES: [Style; 2] = [Style::Canonical, Style::Rest];

/// The contracts that the crate's own tests use, and `protos/routes.proto`.
pub fn api() -> &'static Api {
    static API: OnceLock<Api> = OnceLock::new();
    API.get_or_init(|| Api::build(&pool()).expect("the test contracts are an API"))
}

fn pool() -> DescriptorPool {
    let here = env!("CARGO_MANIFEST_DIR");
    let includes = ["protos", "../tests/protos", "../../../proto"];
    let mut compiler = protox::Compiler::new(includes.map(|folder| format!("{here}/{folder}")))
        .expect("the folders exist");
    compiler.include_imports(true);
    let files = ["every_kind.proto", "routes.proto", "google/rpc/error_details.proto"];
    compiler.open_files(files).expect("the test contracts compile");
    compiler.descriptor_pool()
}

/// Every message of the contracts, in a fixed order; `test.Every` is the first.
pub fn messages() -> &'static [Message<'static>] {
    static MESSAGES: OnceLock<Vec<Message<'static>>> = OnceLock::new();
    MESSAGES.get_or_init(|| {
        let pool = pool();
        let mut names: Vec<String> =
            pool.all_messages().map(|message| message.full_name().to_owned()).collect();
        names.sort_by_key(|name| (name != "test.Every", name.clone()));
        names.iter().filter_map(|name| api().message(name)).collect()
    })
}

/// The message that has a field of every kind.
pub fn every() -> Message<'static> {
    api().message("test.Every").expect("it is in the contracts")
}

/// Wire bytes that the codec made itself: they become JSON, which becomes the same JSON again.
pub fn assert_stable(message: Message<'_>, wire: &[u8], style: Style) {
    let json = message.to_json(wire, style).expect("what was read can be written");
    assert_comes_back(message, &json, style);
}

/// JSON that the codec wrote: it is JSON, is read again, and is then written alike.
pub fn assert_comes_back(message: Message<'_>, json: &[u8], style: Style) {
    let text = String::from_utf8_lossy(json);
    serde_json::from_slice::<serde_json::Value>(json)
        .unwrap_or_else(|error| panic!("{error} in {text}"));
    let wire = message
        .to_wire(json, style, Unknown::Reject)
        .unwrap_or_else(|error| panic!("{error} in {text}"));
    let again = message.to_json(&wire, style).expect("what was read can be written");
    assert_eq!(text, String::from_utf8_lossy(&again));
}
