//! Field masks: `display_name` in a message is `displayName` in canonical JSON.

use crate::plan::Style;

/// One path as the message has it; none if it cannot be told which one is meant.
///
/// `*` alone stands for all fields (AIP-134).
pub(crate) fn to_declared(path: &str, style: Style) -> Option<String> {
    if path == "*" {
        return Some(path.to_owned());
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_';
    if path.is_empty() || !path.bytes().all(is_plain) {
        return None;
    }
    if path.contains('_') {
        return (style == Style::Rest).then(|| path.to_owned());
    }
    let mut declared = String::with_capacity(path.len() + 4);
    for letter in path.chars() {
        if letter.is_ascii_uppercase() {
            declared.push('_');
        }
        declared.push(letter.to_ascii_lowercase());
    }
    Some(declared)
}

/// One path as JSON has it; none if it would not read back as the same path.
pub(crate) fn to_json(path: &str, style: Style) -> Option<String> {
    let json = match style {
        Style::Rest => path.to_owned(),
        Style::Canonical => camel_case(path)?,
    };
    (to_declared(&json, style).as_deref() == Some(path)).then_some(json)
}

fn camel_case(path: &str) -> Option<String> {
    let mut json = String::with_capacity(path.len());
    let mut letters = path.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '_' => json.push(letters.next().filter(char::is_ascii_lowercase)?.to_ascii_uppercase()),
            'A'..='Z' => return None,
            _ => json.push(letter),
        }
    }
    Some(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_camel_case_in_canonical_json_and_as_declared_in_rest() {
        assert_eq!(to_json("a.display_name", Style::Canonical).as_deref(), Some("a.displayName"));
        assert_eq!(to_json("display_name", Style::Rest).as_deref(), Some("display_name"));
        assert_eq!(to_declared("a.displayName", Style::Rest).as_deref(), Some("a.display_name"));
        assert_eq!(to_declared("display_name", Style::Rest).as_deref(), Some("display_name"));
        assert_eq!(to_declared("*", Style::Canonical).as_deref(), Some("*"));
    }

    #[test]
    fn a_path_that_does_not_round_trip_is_refused() {
        for path in ["fooBar", "foo_3_bar", "foo__bar", "foo_"] {
            assert_eq!(to_json(path, Style::Canonical), None, "{path}");
        }
        for path in ["", "a,b", "a%", "a b", "é", "fooBar"] {
            for style in [Style::Canonical, Style::Rest] {
                assert_eq!(to_json(path, style), None, "{path}");
            }
        }
        assert_eq!(to_declared("foo_bar", Style::Canonical), None);
        assert_eq!(to_declared("foo bar", Style::Rest), None);
        assert_eq!(to_declared("", Style::Rest), None);
    }
}
