//! Names and texts of contracts, in the ways that languages spell them.

/// `list_my_biomarkers` of `ListMyBiomarkers`, and `patient_graph` of `patient-graph`.
pub(crate) fn snake(name: &str) -> String {
    let mut snake = String::new();
    let mut before_lower = false;
    for (at, letter) in name.char_indices() {
        let next_is_lower =
            name[at + letter.len_utf8()..].starts_with(|it: char| it.is_lowercase());
        if letter.is_uppercase() && at > 0 && (before_lower || next_is_lower) {
            snake.push('_');
        }
        before_lower = letter.is_lowercase() || letter.is_ascii_digit();
        snake.extend(if letter == '-' { '_' } else { letter }.to_lowercase());
    }
    snake
}

/// `PatientGraph` of `patient-graph`.
pub(crate) fn pascal(name: &str) -> String {
    let words = name.split(['-', '_']);
    words.map(|it| it[..1.min(it.len())].to_uppercase() + &it[1.min(it.len())..]).collect()
}

/// `patientGraph` of `patient-graph`, `listMyBiomarkers` of `ListMyBiomarkers`.
pub(crate) fn camel(name: &str) -> String {
    let pascal = pascal(name);
    pascal[..1.min(pascal.len())].to_lowercase() + &pascal[1.min(pascal.len())..]
}

/// The name of the method that gives the items of every page: `IterateMyBiomarkers`.
pub(crate) fn iterator(method: &str) -> String {
    format!("Iterate{}", method.strip_prefix("List").unwrap_or(method))
}

/// A text in lines of at most `width` letters where its words allow it. Breaks are kept.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut current = String::new();
        for word in line.split_whitespace() {
            let fits = current.chars().count() + 1 + word.chars().count() <= width;
            match (current.is_empty(), fits) {
                (true, _) => {}
                (false, true) => current.push(' '),
                (false, false) => lines.push(std::mem::take(&mut current)),
            }
            current.push_str(word);
        }
        lines.push(current);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelt_as_each_language_spells_them() {
        assert_eq!(snake("ListMyBiomarkers"), "list_my_biomarkers");
        assert_eq!(snake("CreateOAuthClient"), "create_o_auth_client");
        assert_eq!(snake("patient-graph"), "patient_graph");
        assert_eq!(snake("GetV2Thing"), "get_v2_thing");
        assert_eq!(pascal("patient-graph"), "PatientGraph");
        assert_eq!(camel("patient-graph"), "patientGraph");
        assert_eq!(camel("ListMyBiomarkers"), "listMyBiomarkers");
        assert_eq!(iterator("ListMyBiomarkers"), "IterateMyBiomarkers");
        assert_eq!(iterator("SearchApps"), "IterateSearchApps");
    }

    #[test]
    fn lines_are_wrapped_at_words_and_breaks_are_kept() {
        assert_eq!(wrap("one two three\n\nfour", 8), ["one two", "three", "", "four"]);
        assert_eq!(wrap("unbreakable", 4), ["unbreakable"]);
        assert_eq!(wrap("", 4), [""; 0]);
    }
}
