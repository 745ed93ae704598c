//! Protobuf in; contract crates, OpenAPI documents, clients, the tables of each service's README
//! and its ledger migration out.

mod masks;
mod package;
mod readme;
mod rules;
mod tables;

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, bail};
use prost::Message as _;
use registry::{Registry, Service};

/// Files to write, by path below the root.
type Output = BTreeMap<String, Vec<u8>>;

pub fn run(root: &Path, check: bool) -> anyhow::Result<()> {
    let sources = Sources::compile(&root.join("proto"))?;
    let registry = sources.registry()?;
    let mut output = Output::new();
    for package in package::all(&registry) {
        package.write(&registry, &sources, &mut output)?;
    }
    let ledger = fs::read_to_string(root.join("migrations/ledger.sql"))?;
    for service in registry.services().iter().filter(|it| !it.schema.is_empty()) {
        let text = ledger.replace("{schema}", &service.schema);
        let path = format!("migrations/{}/0001_ledger.sql", service.name);
        output.insert(path, text.into_bytes());
    }
    documents(root, &registry, &mut output)?;
    clients(&registry, &mut output)?;
    readmes(root, &registry, &mut output)?;
    if !check {
        return write(root, &output);
    }
    compare(root, &output)?;
    crate::manifest::check(root, &registry)?;
    crate::reasons::check(root)?;
    crate::links::check(root)
}

/// The services that have a folder: one without a crate would be no member of the workspace.
pub fn here<'a>(root: &Path, registry: &'a Registry) -> impl Iterator<Item = &'a Service> {
    registry.services().iter().filter(move |it| root.join("services").join(&it.name).is_dir())
}

/// The OpenAPI document of each service and of the edge.
fn documents(root: &Path, registry: &Registry, output: &mut Output) -> anyhow::Result<()> {
    let read = |path: &str| fs::read(root.join("proto").join(path)).ok();
    let examples = openapi::Examples::collect(registry, read)?;
    for service in here(root, registry) {
        let text = openapi::to_yaml(&openapi::service(registry, service, &examples)?);
        output.insert(format!("services/{}/openapi.yaml", service.name), text.into_bytes());
    }
    let text = openapi::to_json(&openapi::edge(registry, &examples)?);
    output.insert("edge/openapi.json".to_owned(), text.into_bytes());
    Ok(())
}

/// The generated part of each client library.
fn clients(registry: &Registry, output: &mut Output) -> anyhow::Result<()> {
    for (folder, files) in [
        ("sdks/typescript/src/generated", sdk::typescript(registry)?),
        ("sdks/python/loop_platform/generated", sdk::python(registry)?),
    ] {
        let files = files.into_iter();
        output.extend(files.map(|(name, text)| (format!("{folder}/{name}"), text.into_bytes())));
    }
    Ok(())
}

/// The README of each service, its tables written anew.
fn readmes(root: &Path, registry: &Registry, output: &mut Output) -> anyhow::Result<()> {
    for service in here(root, registry) {
        let path = format!("services/{}/README.md", service.name);
        let text = fs::read_to_string(root.join(&path)).with_context(|| format!("read {path}"))?;
        let text = readme::write(registry, service, &text).with_context(|| path.clone())?;
        output.insert(path, text.into_bytes());
    }
    Ok(())
}

/// The protos, compiled with and without comments: contracts carry their own comments only.
pub struct Sources {
    described: Vec<u8>,
    plain: Vec<u8>,
}

impl Sources {
    fn compile(proto: &Path) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        find_protos(&proto.join("loop"), proto, &mut files)?;
        let compile = |described: bool| -> anyhow::Result<Vec<u8>> {
            let mut compiler = protox::Compiler::new([proto])?;
            compiler.include_imports(true).include_source_info(described);
            compiler.open_files(&files)?;
            Ok(compiler.encode_file_descriptor_set())
        };
        Ok(Self { described: compile(true)?, plain: compile(false)? })
    }

    fn registry(&self) -> anyhow::Result<Registry> {
        Ok(Registry::load(&[&self.described])?)
    }

    /// The files of a package and those that define types of its fields, typed, for the generator
    /// of code. What they import for their options alone would be written as well, and thrown away.
    fn typed(&self, package: &str) -> anyhow::Result<prost_types::FileDescriptorSet> {
        let mut set = prost_types::FileDescriptorSet::decode(&self.described[..])?;
        let needed = [package, "google.protobuf", "loop.type.v1"];
        set.file.retain(|it| needed.contains(&it.package()));
        Ok(set)
    }
}

fn find_protos(folder: &Path, root: &Path, found: &mut Vec<String>) -> anyhow::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(|it| it.path());
    for entry in entries {
        let path = entry.path();
        if path.is_dir() {
            find_protos(&path, root, found)?;
        } else if path.extension().is_some_and(|it| it == "proto") {
            let name = path.strip_prefix(root)?.to_str().context("a path that is not UTF-8")?;
            found.push(name.to_owned());
        }
    }
    Ok(())
}

fn write(root: &Path, output: &Output) -> anyhow::Result<()> {
    for (path, content) in output {
        let path = root.join(path);
        if fs::read(&path).is_ok_and(|it| it == *content) {
            continue; // Untouched files keep their time, so cargo rebuilds only what changed.
        }
        fs::create_dir_all(path.parent().context("a file has a folder")?)?;
        fs::write(&path, content)?;
    }
    Ok(())
}

fn compare(root: &Path, output: &Output) -> anyhow::Result<()> {
    let stale = |(path, content): &(&String, &Vec<u8>)| {
        !fs::read(root.join(path)).is_ok_and(|it| it == **content)
    };
    let stale: Vec<_> = output.iter().filter(stale).map(|(path, _)| path.as_str()).collect();
    if stale.is_empty() {
        return Ok(());
    }
    bail!("stale, run `cargo xtask gen` and commit:\n  {}", stale.join("\n  "))
}

/// The contracts of this tree.
#[cfg(test)]
pub fn registry(root: &Path) -> anyhow::Result<Registry> {
    Sources::compile(&root.join("proto"))?.registry()
}
