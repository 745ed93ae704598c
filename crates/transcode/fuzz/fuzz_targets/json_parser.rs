//! Arbitrary text as JSON: it is refused, or it is JSON and becomes a message that can be
//! written again, alike ever after.
#![no_main]

use libfuzzer_sys::fuzz_target;
use transcode::Unknown;
use transcode_fuzz::{STYLES, assert_stable, every};

fuzz_target!(|text: &[u8]| {
    for style in STYLES {
        for unknown in [Unknown::Reject, Unknown::Ignore] {
            if let Ok(wire) = every().to_wire(text, style, unknown) {
                let strict = serde_json::from_slice::<&serde_json::value::RawValue>(text);
                assert!(strict.is_ok(), "accepted what is no JSON: {strict:?}");
                assert_stable(every(), &wire, style);
            }
        }
    }
});
