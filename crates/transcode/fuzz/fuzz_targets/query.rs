//! An arbitrary query: it is refused, or becomes a message that can be written as JSON.
#![no_main]

use http::Method;
use libfuzzer_sys::fuzz_target;
use transcode::Route;
use transcode_fuzz::{STYLES, api, assert_stable, every};

fuzz_target!(|query: &str| {
    let Route::Found(found) = api().route(&Method::GET, "/any") else { panic!("it has a route") };
    for style in STYLES {
        if let Ok(wire) = found.request(Some(query), None, b"", style) {
            assert_stable(every(), &wire, style);
        }
    }
});
