//! What a document points at is there: the target of every relative link, and every path of this
//! repository that stands in code type, with the function behind its `::`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::ensure;
use regex_lite::Regex;

/// Folders whose files documents speak of.
const ROOMS: &str = "crates|services|edge|proto|migrations|docs|deploy|sdks|tests";

/// Fails with every link, path and function that leads nowhere.
pub fn check(root: &Path) -> anyhow::Result<()> {
    let mut problems = Vec::new();
    for document in documents(root)? {
        let text = fs::read_to_string(&document)?;
        let name = document.strip_prefix(root).unwrap_or(&document).display().to_string();
        let folder = document.parent().unwrap_or(root);
        let links = links(&text).into_iter().filter(|it| !folder.join(it).exists());
        problems.extend(links.map(|it| format!("{name}: {it}")));
        let places = places(&text).into_iter().filter(|it| !it.is_in(root));
        problems.extend(places.map(|it| format!("{name}: {} {}", it.path, it.function)));
    }
    ensure!(problems.is_empty(), "documents point at nothing:\n  {}", problems.join("\n  "));
    Ok(())
}

/// A path of this repository, and a function in it or nothing.
#[derive(Debug, PartialEq)]
struct Place {
    path: String,
    function: String,
}

impl Place {
    fn is_in(&self, root: &Path) -> bool {
        let path = root.join(&self.path);
        if self.function.is_empty() {
            return path.exists();
        }
        let declared = format!("fn {}", self.function);
        fs::read_to_string(path).is_ok_and(|it| it.contains(&declared))
    }
}

/// The documents at the root, under docs/ and of each service.
fn documents(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut folders = vec![root.join("docs"), root.join("services")];
    let mut found = markdown(root)?;
    while let Some(folder) = folders.pop() {
        found.extend(markdown(&folder)?);
        let inner = fs::read_dir(&folder)?.filter_map(Result::ok).map(|it| it.path());
        folders.extend(inner.filter(|it| it.is_dir()));
    }
    Ok(found)
}

fn markdown(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let paths = fs::read_dir(folder)?.filter_map(Result::ok).map(|it| it.path());
    Ok(paths.filter(|it| it.extension().is_some_and(|it| it == "md")).collect())
}

fn links(text: &str) -> Vec<String> {
    let link = Regex::new(r"\]\(([^)#\s]+)(#[^)]*)?\)").expect("a literal");
    let targets = link.captures_iter(text).map(|it| it[1].to_owned());
    targets.filter(|it| !it.contains("://") && !it.starts_with("mailto:")).collect()
}

/// Paths in code type, up to a part that stands for many: `services/<name>/src` is `services`.
fn places(text: &str) -> Vec<Place> {
    let place = Regex::new(&format!("`((?:{ROOMS})(?:/[^`\\s:]*)?)(?:::([a-z0-9_]+))?[^`]*`"));
    let place = place.expect("a literal");
    let found = place.captures_iter(text).map(|it| Place {
        path: fixed_part(&it[1]),
        function: it.get(2).map(|it| it.as_str().to_owned()).unwrap_or_default(),
    });
    found.filter(|it| !it.path.is_empty()).collect()
}

fn fixed_part(path: &str) -> String {
    let stands_for_many = |it: &str| it.contains(['<', '*', '{', '…']) || it.contains("NNNN");
    let parts: Vec<_> = path.split('/').take_while(|it| !stands_for_many(it)).collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_points_at_what_is_there() {
        check(&crate::root()).unwrap();
    }

    #[test]
    fn links_and_paths_are_read_and_others_addresses_are_not() {
        let text = "See [a](docs/a.md#top), [b](https://example.org/b), `crates/kit/src/tx.rs`, \
                    `edge/src/call.rs::call`, `services/<name>/service.yaml`, \
                    `migrations/*/0001_ledger.sql` and `cargo x`.";
        assert_eq!(links(text), ["docs/a.md"]);
        let places: Vec<_> = places(text).into_iter().map(|it| (it.path, it.function)).collect();
        let expected = [
            ("crates/kit/src/tx.rs", ""),
            ("edge/src/call.rs", "call"),
            ("services", ""),
            ("migrations", ""),
        ];
        assert_eq!(places, expected.map(|(path, it)| (path.to_owned(), it.to_owned())));
    }

    #[test]
    fn a_file_or_a_function_that_is_not_there_is_told() {
        let is_in = |path: &str, function: &str| {
            let (path, function) = (path.to_owned(), function.to_owned());
            Place { path, function }.is_in(&crate::root())
        };
        assert!(is_in("edge/src/call.rs", "") && is_in("edge/src/call.rs", "call"));
        assert!(!is_in("edge/src/calls.rs", "") && !is_in("edge/src/call.rs", "calls"));
    }
}
