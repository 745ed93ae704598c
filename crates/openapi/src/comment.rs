//! Comments of a contract, as text for people who read the document.

use prost_reflect::FileDescriptor;

/// The comment before a descriptor, or else the one behind it on the same line.
///
/// Lines of a paragraph are joined: in Markdown, as in the comment, only an empty line ends one.
pub(crate) fn of(file: &FileDescriptor, path: &[i32]) -> String {
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let location = info.and_then(|it| it.location.iter().find(|it| it.path == path));
    let comment =
        location.and_then(|it| it.leading_comments.as_ref().or(it.trailing_comments.as_ref()));
    comment.map(|it| reflow(it)).unwrap_or_default()
}

/// The first sentence without its full stop, and what follows it.
pub(crate) fn summary(text: &str) -> (&str, &str) {
    let stop = text.match_indices(". ").map(|(at, _)| at).find(|at| ends_sentence(text, *at));
    let end = stop.or(text.find(".\n"));
    match end {
        Some(at) => (&text[..at], text[at + 1..].trim_start()),
        None => (text.strip_suffix('.').unwrap_or(text), ""),
    }
}

/// The failures that a comment names, such as `BIOMARKER_NOT_FOUND`, once each.
pub(crate) fn reasons(text: &str) -> Vec<&str> {
    let mut reasons = Vec::new();
    for word in text.split(|it: char| !it.is_ascii_alphanumeric() && it != '_') {
        let shape = |it: char| it.is_ascii_uppercase() || it.is_ascii_digit() || it == '_';
        if word.trim_matches('_').contains('_')
            && word.chars().all(shape)
            && !reasons.contains(&word)
        {
            reasons.push(word);
        }
    }
    reasons
}

fn ends_sentence(text: &str, stop: usize) -> bool {
    let next = text[stop + 2..].chars().next();
    next.is_some_and(|it| it.is_uppercase() || it == '`')
}

fn reflow(comment: &str) -> String {
    let mut text = String::new();
    for line in comment.lines().map(str::trim) {
        if line.is_empty() {
            text.push_str("\n\n");
        } else {
            let separate = !text.is_empty() && !text.ends_with('\n');
            text.push_str(match (separate, line.starts_with("- ")) {
                (true, true) => "\n",
                (true, false) => " ",
                (false, _) => "",
            });
            text.push_str(line);
        }
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_summary_is_the_first_sentence() {
        for (text, first, rest) in [
            ("Lists apps. Newest first.", "Lists apps", "Newest first."),
            ("Lists apps.", "Lists apps", ""),
            ("Lists apps", "Lists apps", ""),
            ("Lists e.g. apps. `x` is one.", "Lists e.g. apps", "`x` is one."),
            ("Lists apps.\n\nNewest first.", "Lists apps", "Newest first."),
            ("", "", ""),
        ] {
            assert_eq!(summary(text), (first, rest), "{text:?}");
        }
    }

    #[test]
    fn reasons_are_the_words_in_capitals_with_an_underscore() {
        let text = "Fails with APP_GONE, and with `APP_GONE` or X_2, by RFC 7662. Not SHA_x or _A.";
        assert_eq!(reasons(text), ["APP_GONE", "X_2"]);
    }

    #[test]
    fn lines_are_joined_and_paragraphs_and_lists_are_kept() {
        assert_eq!(reflow(" One\n two.\n\n Three:\n - a\n - b\n"), "One two.\n\nThree:\n- a\n- b");
    }

    proptest! {
        #[test]
        fn a_summary_and_the_rest_are_the_two_ends_of_any_text(text in "([A-Za-z`é]{0,3}[. \n]{0,2}){0,9}") {
            let (first, rest) = summary(&text);
            prop_assert!(text.starts_with(first) && text.ends_with(rest));
            let between = &text[first.len()..text.len() - rest.len()];
            prop_assert!(between.trim().chars().all(|it| it == '.') && between.matches('.').count() <= 1);
        }
    }
}
