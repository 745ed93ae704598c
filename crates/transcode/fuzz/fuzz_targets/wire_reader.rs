//! Arbitrary bytes as the message that the first byte chooses: they are refused, or become JSON
//! that is read again. The safe view takes any.
#![no_main]

use libfuzzer_sys::fuzz_target;
use transcode_fuzz::{STYLES, assert_comes_back, messages};

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, wire)) = bytes.split_first() else { return };
    let message = messages()[usize::from(choice) % messages().len()];
    for style in STYLES {
        if let Ok(json) = message.to_json(wire, style) {
            assert_comes_back(message, &json, style);
        }
    }
    let _ = message.safe_view(wire);
});
