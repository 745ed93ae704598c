//! The reasons that code can answer with, and the page that explains each: neither without the
//! other.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use regex_lite::Regex;

/// Where a status of the platform is made. Every service is as well.
const CRATES: [&str; 3] = ["crates/kit/src", "crates/transcode/src", "edge/src"];

/// Words in capitals that are no reasons: of SQL, of HTTP and of OAuth.
const OTHER_WORDS: [&str; 7] = ["BEGIN", "DENY", "HEAD", "NAME", "OPTIONS", "POST", "S256"];

/// Fails with each reason that has no page and each page that nothing answers with.
pub fn check(root: &Path) -> anyhow::Result<()> {
    let (in_code, pages) = (in_code(root)?, pages(root)?);
    let unexplained = in_code.difference(&pages);
    let unexplained = unexplained.map(|it| format!("docs/errors/{it}.md is missing"));
    let unused = pages.difference(&in_code);
    let unused = unused.map(|it| format!("docs/errors/{it}.md explains what no code answers"));
    let problems: Vec<_> = unexplained.chain(unused).collect();
    ensure!(problems.is_empty(), "reasons and their pages differ:\n  {}", problems.join("\n  "));
    Ok(())
}

fn in_code(root: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut folders: Vec<_> = CRATES.iter().map(|it| root.join(it)).collect();
    for service in entries(&root.join("services"))? {
        folders.push(service.join("src"));
    }
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for path in entries(&folder)? {
            if path.is_dir() && !path.ends_with("tests") {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") && !path.ends_with("tests.rs") {
                found.extend(literals(&fs::read_to_string(&path)?));
            }
        }
    }
    Ok(found)
}

fn pages(root: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut pages = BTreeSet::new();
    for path in entries(&root.join("docs/errors"))?.iter().filter(|it| !it.ends_with("README.md")) {
        let name = path.file_stem().and_then(|it| it.to_str()).unwrap_or_default();
        let title = fs::read_to_string(path)?.lines().next().unwrap_or_default().to_owned();
        ensure!(title == format!("# {name}"), "{} is titled {title:?}", path.display());
        pages.insert(name.to_owned());
    }
    Ok(pages)
}

/// String literals of the shape of a reason, outside comments and tests.
fn literals(code: &str) -> BTreeSet<String> {
    let reason = Regex::new(r#""([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)""#).expect("a literal");
    let lines = outside_tests(code).filter(|it| !it.trim_start().starts_with("//"));
    lines
        .flat_map(|line| reason.captures_iter(line).map(|it| it[1].to_owned()).collect::<Vec<_>>())
        .filter(|it| it.len() > 3 && !OTHER_WORDS.contains(&it.as_str()))
        .collect()
}

/// A test module with a body is the last thing in its file.
fn outside_tests(code: &str) -> impl Iterator<Item = &str> {
    let end = code.find("#[cfg(test)]\nmod tests {").unwrap_or(code.len());
    code[..end].lines()
}

fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    Ok(entries.map(|it| Ok(it?.path())).collect::<std::io::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_page_and_every_page_a_reason() {
        check(&crate::root()).unwrap();
    }

    #[test]
    fn reasons_are_read_from_code_and_not_from_comments_or_tests() {
        let code = "//! \"IN_A_COMMENT\"\nfn f() { g(\"FOUND\"); h(\"ALSO_FOUND\", \"no\") }\n\
                    #[cfg(test)]\nmod tests {\n    const X: &str = \"IN_A_TEST\";\n}\n";
        let found: Vec<_> = literals(code).into_iter().collect();
        assert_eq!(found, ["ALSO_FOUND", "FOUND"]);
    }

    #[test]
    fn a_reason_in_the_kit_is_found() {
        let found = in_code(&crate::root()).unwrap();
        for reason in ["INSUFFICIENT_SCOPE", "BIOMARKER_UNKNOWN", "OVERLOADED", "NO_ROUTE"] {
            assert!(found.contains(reason), "{reason}");
        }
    }
}
