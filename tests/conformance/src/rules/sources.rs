//! Services know each other by their contracts only: no crate and no statement names another's.

use std::{
    fs,
    path::{Path, PathBuf},
};

use kit::Service;
use regex_lite::Regex;

use crate::{Breach, House, rules::Findings};

pub const NAME: &str = "sources";

/// One file of one service.
pub struct Observation<'a> {
    pub service: &'a Service,
    pub services: &'a [&'static Service],
    pub path: &'a Path,
    pub text: &'a str,
}

pub fn check(observation: &Observation<'_>) -> Result<(), Breach> {
    let Observation { service, services, path, text } = observation;
    let others = services.iter().filter(|it| it.name != service.name);
    let extension = path.extension().and_then(|it| it.to_str()).unwrap_or_default();
    let (expected, found): (_, Vec<_>) = match extension {
        "toml" => (
            "no dependency on a service",
            others.filter(|it| depends_on(text, it.name)).map(|it| it.name).collect(),
        ),
        "sql" => (
            "no statement names another schema",
            others.filter(|it| names_in_sql(text, it.schema)).map(|it| it.schema).collect(),
        ),
        _ => (
            "no statement names another schema",
            others.filter(|it| names_in_code(text, it.schema)).map(|it| it.schema).collect(),
        ),
    };
    Breach::unless(found.is_empty(), expected, found)
}

fn depends_on(manifest: &str, name: &str) -> bool {
    // Tests may stand on other services; what is shipped may not.
    let lines = manifest.lines().skip_while(|it| *it != "[dependencies]").skip(1);
    let mut lines = lines.take_while(|it| !it.starts_with('['));
    lines.any(|line| line.split(['.', '=', ' ']).next() == Some(name))
}

fn names_in_sql(sql: &str, schema: &str) -> bool {
    let names = Regex::new(&format!(r"\b{schema}\.[a-z_%]")).expect("a schema's name is a word");
    let statements = sql.lines().map(|it| it.split("--").next().unwrap_or_default());
    statements.into_iter().any(|it| names.is_match(it))
}

/// Statements in code stand in literals, after a word of SQL.
fn names_in_code(code: &str, schema: &str) -> bool {
    let words = "FROM|JOIN|INTO|UPDATE|TABLE|CALL|SELECT|USING";
    let names = Regex::new(&format!(r"\b(?:{words})\s+{schema}\.[a-z_]"));
    names.expect("a schema's name is a word").is_match(code)
}

pub async fn walk(house: &House) -> Findings {
    sweep(&PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")), house.services)
}

/// Every file of every service below the repository's root.
pub fn sweep(root: &Path, services: &[&'static Service]) -> Findings {
    let mut findings = Findings::of(NAME);
    for service in services {
        let folder = root.join("services").join(service.name);
        let mut paths = vec![folder.join("Cargo.toml")];
        gather(&folder.join("src"), &mut paths);
        gather(&root.join("migrations").join(service.name), &mut paths);
        for path in &paths {
            let text = fs::read_to_string(path).unwrap_or_default();
            let observation = Observation { service, services, path, text: &text };
            findings.part(path.display().to_string(), check(&observation));
        }
    }
    findings
}

fn gather(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            gather(&path, paths);
        } else if path.extension().is_some_and(|it| it == "rs" || it == "sql") {
            paths.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_may_stand_on_another_service() {
        let manifest =
            "[dependencies]\nkit.workspace = true\n\n[dev-dependencies]\nevents = \"1\"\n";
        assert!(!depends_on(manifest, "events"));
        assert!(depends_on(manifest, "kit"));
        assert!(!depends_on("[dependencies]\nevents-contract.workspace = true\n", "events"));
    }

    #[test]
    fn statements_name_schemas_and_prose_does_not() {
        assert!(names_in_sql("INSERT INTO events.deliveries", "events"));
        assert!(!names_in_sql("-- as in events.deliveries", "events"));
        assert!(names_in_code("\"SELECT a\\n FROM events.deliveries\"", "events"));
        assert!(!names_in_code("events.iter().next()", "events"));
    }
}
