//! An arbitrary path against a slow matcher that tries every template: both find a route or
//! neither does, and what is found becomes a request or is refused.
#![no_main]

use std::sync::OnceLock;

use http::Method;
use libfuzzer_sys::fuzz_target;
use percent_encoding::percent_decode_str;
use transcode::{Route, Segment, Style, Template};
use transcode_fuzz::api;

/// All templates of the contracts that a GET is served by.
const TEMPLATES: &[&str] = &[
    "/",
    "/a",
    "/a:go",
    "/a/{x}",
    "/a/{x}:go",
    "/a/*/{x}",
    "/a/b/{x}/c",
    "/a/{x=b/*}:go",
    "/a/{x=**}/b",
    "/a/{x=**}/c/b",
    "/a/{x=**}:stop",
    "/b/{x=*/c/*}/{y=**}",
    "/b/{x}/c:go",
    "/b/{y=**}",
    "/%7Bc%2Fd/{x}",
    "/{x}/{y}/{z}:go",
    "/nested/{child.text}/{choice}",
    "/any",
];

fuzz_target!(|path: &str| {
    if path.contains('?') {
        return;
    }
    let route = api().route(&Method::GET, path);
    let expected: Vec<&str> =
        templates().iter().filter(|(_, t)| serves(t, path)).map(|(text, _)| *text).collect();
    match route {
        Route::Found(found) => {
            assert!(expected.contains(&found.template()), "{} not {expected:?}", found.template());
            if let Ok(wire) = found.request(None, None, b"", Style::Rest) {
                let written = found.method().input().to_json(&wire, Style::Rest);
                written.expect("what was read can be written");
            }
        }
        Route::NotFound | Route::OtherMethods(_) => assert!(expected.is_empty(), "{expected:?}"),
    }
    let _ = (api().route(&Method::HEAD, path), api().route(&Method::PUT, path));
});

fn templates() -> &'static [(&'static str, Template)] {
    static PARSED: OnceLock<Vec<(&str, Template)>> = OnceLock::new();
    PARSED.get_or_init(|| {
        let parse = |text: &'static str| match text {
            "/" => (text, Template::root()),
            _ => (text, Template::parse(text).expect("a template of the contracts")),
        };
        TEMPLATES.iter().copied().map(parse).collect()
    })
}

fn serves(template: &Template, path: &str) -> bool {
    let Some(path) = path.strip_prefix('/') else { return false };
    let path = match &template.verb {
        None => path,
        Some(verb) => match path.rsplit_once(':') {
            Some((rest, last)) if !last.contains('/') && decoded(last) == *verb => rest,
            _ => return false,
        },
    };
    let parts: Vec<&str> = if path.is_empty() { Vec::new() } else { path.split('/').collect() };
    matches(&template.segments, &parts)
}

fn matches(segments: &[Segment], parts: &[&str]) -> bool {
    match (segments.split_first(), parts.split_first()) {
        (None, None) => true,
        (Some((Segment::Multi, rest)), _) => {
            (0..=parts.len()).any(|covered| matches(rest, &parts[covered..]))
        }
        (Some((Segment::Literal(text), rest)), Some((part, others))) => {
            decoded(part) == *text && matches(rest, others)
        }
        (Some((Segment::Single, rest)), Some((part, others))) => {
            !part.is_empty() && matches(rest, others)
        }
        _ => false,
    }
}

fn decoded(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}
