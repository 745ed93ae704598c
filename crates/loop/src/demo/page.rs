//! What a person does with a page: read its form, fill it in, send it.

/// The hidden fields of the first form of a page, as a browser would send them.
pub fn hidden_fields(html: &str) -> Vec<(String, String)> {
    html.split("<input")
        .skip(1)
        .filter_map(|rest| {
            let tag = rest.split('>').next()?;
            let hidden = attribute(tag, "type").as_deref() == Some("hidden");
            hidden.then(|| {
                Some((attribute(tag, "name")?, attribute(tag, "value").unwrap_or_default()))
            })?
        })
        .collect()
}

/// The address a page's form posts to.
pub fn form_action(html: &str) -> Option<String> {
    let tag = html.split("<form").nth(1)?.split('>').next()?;
    attribute(tag, "action")
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split(&format!("{name}=\"")).nth(1)?.split('"').next()?;
    let unescaped = value
        .replace("&#38;", "&")
        .replace("&amp;", "&")
        .replace("&#x2F;", "/")
        .replace("&quot;", "\"")
        .replace("&#34;", "\"");
    Some(unescaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_a_browser_reads_it() {
        let html = r#"<form method="post" action="/sign-in?a=1&amp;b=2">
            <input type="hidden" name="csrf" value="x&quot;y"><input type="text" name="email"></form>"#;
        assert_eq!(form_action(html).as_deref(), Some("/sign-in?a=1&b=2"));
        assert_eq!(hidden_fields(html), [("csrf".to_owned(), "x\"y".to_owned())]);
    }
}
