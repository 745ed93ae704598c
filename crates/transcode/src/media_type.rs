//! The media types of request bodies and of their parts (RFC 9110 section 8.3).

/// Whether the content is JSON in UTF-8: `application/json` or one of its kind (RFC 6839).
pub(crate) fn is_json(content_type: Option<&str>) -> bool {
    content_type.is_some_and(|value| {
        let (essence, is_utf8) = media_type(value);
        let json = essence == "application/json"
            || (essence.starts_with("application/") && essence.ends_with("+json"));
        json && is_utf8
    })
}

/// Whether the content is a form in UTF-8.
pub(crate) fn is_form(content_type: Option<&str>) -> bool {
    content_type.map(media_type) == Some(("application/x-www-form-urlencoded".to_owned(), true))
}

/// Whether the content of a part is text in UTF-8, which is what one without a type is
/// (RFC 7578 section 4.4).
pub(crate) fn is_text(content_type: Option<&str>) -> bool {
    content_type.is_none_or(|value| {
        let (essence, is_utf8) = media_type(value);
        essence.starts_with("text/") && is_utf8
    })
}

/// The type in lower case without parameters, and whether its charset is UTF-8 or left open.
fn media_type(value: &str) -> (String, bool) {
    let mut parts = value.split(';');
    let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_utf8 = parts.filter_map(|parameter| parameter.split_once('=')).all(|(name, value)| {
        !name.trim().eq_ignore_ascii_case("charset")
            || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    (essence, is_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_and_case_do_not_matter_but_the_charset_does() {
        for value in
            ["application/json", "Application/JSON ; charset=\"UTF-8\"", "application/a+json"]
        {
            assert!(is_json(Some(value)), "{value}");
        }
        for value in ["text/json", "application/json; charset=latin1", "application/jsonp", ""] {
            assert!(!is_json(Some(value)), "{value}");
        }
        assert!(is_text(None) && is_text(Some("text/csv; charset=utf-8")));
        assert!(!is_text(Some("text/plain; charset=utf-16")) && !is_text(Some("image/png")));
        assert!(!is_json(None) && !is_form(None));
    }
}
