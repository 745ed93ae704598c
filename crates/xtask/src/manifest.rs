//! Each service's `service.yaml`, held against its schema, its contract and its migrations.
//!
//! What the code subscribes to is held against the same files by a test of crates/loop, which
//! knows the services as data.

mod schema;

use std::{fs, path::Path};

use anyhow::{Context as _, ensure};
use registry::{Registry, Service};
use serde_json::Value;

use schema::Schema;

/// Fails with everything that is wrong in any manifest.
pub fn check(root: &Path, registry: &Registry) -> anyhow::Result<()> {
    let schema = Schema::read(&root.join("docs/service.schema.json"))?;
    let mut problems = Vec::new();
    for service in crate::generate::here(root, registry) {
        let folder = root.join("services").join(&service.name);
        let manifest = read(&folder.join("service.yaml"))?;
        let mut found = schema.problems(&manifest);
        found.extend(disagreements(&manifest, registry, service));
        found.extend(missing_files(&manifest, &folder));
        found.extend(missing_migrations(root, service));
        let place = format!("services/{}/service.yaml", service.name);
        problems.extend(found.into_iter().map(|it| format!("{place}: {}", it.trim_start())));
    }
    ensure!(problems.is_empty(), "manifests that are not true:\n  {}", problems.join("\n  "));
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Value> {
    let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    serde_saphyr::from_str(&text).with_context(|| format!("{} is no YAML", path.display()))
}

/// What the contract says otherwise.
fn disagreements(manifest: &Value, registry: &Registry, service: &Service) -> Vec<String> {
    let published = registry.events().iter().filter(|it| it.producer == service.name);
    let mut published: Vec<_> = published.map(|it| it.name.as_str()).collect();
    published.sort_unstable();
    let known: Vec<_> = registry.events().iter().map(|it| it.name.as_str()).collect();
    let mut problems = Vec::new();
    let mut expect = |pointer: &str, contract: Value| {
        let stated = manifest.pointer(pointer).cloned().unwrap_or_default();
        if stated != contract {
            problems.push(format!("{pointer} is {stated}, the contract says {contract}"));
        }
    };
    expect("/name", service.name.clone().into());
    expect("/display_name", service.display_name.clone().into());
    expect("/owner", format!("@loop-platform/{}", service.name).into());
    expect("/contracts/events_published", published.into());
    expect("/data/schemas_owned", vec![service.schema.clone()].into());
    let consumed = manifest.pointer("/contracts/events_consumed").and_then(Value::as_array);
    let consumed = consumed.into_iter().flatten().filter_map(Value::as_str);
    let unknown = consumed.filter(|it| !known.contains(it));
    problems.extend(unknown.map(|it| format!("consumes {it}, which no contract declares")));
    problems
}

/// The files that a manifest names, and those that every service has.
fn missing_files(manifest: &Value, folder: &Path) -> Vec<String> {
    let openapi = manifest.pointer("/contracts/openapi").and_then(Value::as_str);
    let named = ["README.md", "RUNBOOK.md"].into_iter().chain(openapi);
    let missing = named.filter(|it| !folder.join(it).is_file());
    missing.map(|it| format!("there is no {it} beside it")).collect()
}

/// Migrations are applied in the order of their numbers, so a gap is a lost file.
fn missing_migrations(root: &Path, service: &Service) -> Option<String> {
    let folder = root.join("migrations").join(&service.name);
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut names: Vec<_> = entries.map(|it| it.file_name()).collect();
    names.sort();
    let numbered = (1..).zip(&names).all(|(number, name)| {
        name.to_str().is_some_and(|it| it.starts_with(&format!("{number:04}_")))
    });
    let complete = numbered && !names.is_empty();
    (!complete).then(|| format!("migrations/{} is not numbered from 0001", service.name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn registry() -> Registry {
        crate::generate::registry(&crate::root()).unwrap()
    }

    fn manifest(name: &str) -> Value {
        read(&crate::root().join(format!("services/{name}/service.yaml"))).unwrap()
    }

    fn said_of(manifest: &Value) -> Vec<String> {
        let registry = registry();
        let service = registry.services().iter().find(|it| it.name == "clinical").unwrap();
        disagreements(manifest, &registry, service)
    }

    #[test]
    fn every_manifest_is_true() {
        check(&crate::root(), &registry()).unwrap();
    }

    #[test]
    fn a_manifest_that_disagrees_with_its_contract_is_told_where() {
        for (pointer, wrong) in [
            ("/name", json!("clinic")),
            ("/display_name", json!("The clinic")),
            ("/contracts/events_published", json!([])),
            ("/contracts/events_consumed", json!(["clinical.nothing.happened.v1"])),
            ("/data/schemas_owned", json!(["patient_graph"])),
        ] {
            let mut manifest = manifest("clinical");
            assert_eq!(said_of(&manifest), Vec::<String>::new());
            *manifest.pointer_mut(pointer).unwrap() = wrong;
            assert_eq!(said_of(&manifest).len(), 1, "{pointer}");
        }
    }

    #[test]
    fn a_manifest_without_its_files_is_told_which() {
        let folder = tempfile::tempdir().unwrap();
        let missing = missing_files(&manifest("clinical"), folder.path());
        assert_eq!(missing.len(), 3, "{missing:?}");
    }
}
