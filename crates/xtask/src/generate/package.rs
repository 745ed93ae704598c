//! One contract crate: its manifest, its descriptors and its code.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use registry::Registry;

use super::{Output, Sources, masks, rules, tables};

/// A proto package and the crate made of it.
pub struct Package {
    /// `loop.patient_graph.v1`.
    pub name: String,
    /// `patient-graph`.
    folder: String,
}

pub fn all(registry: &Registry) -> Vec<Package> {
    let names: BTreeSet<String> = registry
        .pool()
        .files()
        .map(|it| it.package_name().to_owned())
        .filter(|it| it.starts_with("loop.") && !it.starts_with("loop.options."))
        .collect();
    names
        .into_iter()
        .map(|name| {
            let folder = name.split('.').nth(1).unwrap_or_default().replace('_', "-");
            Package { name, folder }
        })
        .collect()
}

impl Package {
    pub fn write(
        &self,
        registry: &Registry,
        sources: &Sources,
        output: &mut Output,
    ) -> anyhow::Result<()> {
        let folder = format!("crates/contracts/{}", self.folder);
        let mut code = self.types(registry, sources)?;
        code += &tables::methods(registry, &self.name);
        code += &tables::events(registry, &self.name);
        code += &tables::package(&self.name);
        code += &rules::all(registry, &self.name)?;
        code += &masks::all(registry, &self.name);
        output.insert(format!("{folder}/src/v1.rs"), code.into_bytes());
        output
            .insert(format!("{folder}/src/lib.rs"), LIB.replace("{name}", &self.name).into_bytes());
        output.insert(format!("{folder}/Cargo.toml"), self.manifest(registry).into_bytes());
        output.insert(
            format!("{folder}/src/descriptors.binpb"),
            self.descriptors(registry, sources)?,
        );
        Ok(())
    }

    /// Messages, clients and server traits, as tonic writes them.
    fn types(&self, registry: &Registry, sources: &Sources) -> anyhow::Result<String> {
        let folder = tempfile::tempdir()?;
        let mut builder =
            tonic_prost_build::configure().out_dir(folder.path()).emit_rerun_if_changed(false);
        if self.folder != "type" {
            builder = builder.extern_path(".loop.type.v1", "::type_contract::v1");
        }
        builder
            .skip_debug(masks::paths(registry, &self.name))
            .compile_fds(sources.typed(&self.name)?)?;
        // prost writes the parts of a package that are Rust keywords as raw identifiers.
        let file = self.name.replace("loop.", "r#loop.").replace(".type.", ".r#type.");
        Ok(std::fs::read_to_string(folder.path().join(format!("{file}.rs")))?)
    }

    fn manifest(&self, registry: &Registry) -> String {
        let ours = |it: &prost_reflect::FileDescriptor| it.package_name() == self.name;
        let imports = |prefix: &str| {
            registry
                .pool()
                .files()
                .filter(ours)
                .any(|it| it.dependencies().any(|it| it.package_name().starts_with(prefix)))
        };
        let mut dependencies = vec!["contract.workspace = true", "prost.workspace = true"];
        if imports("google.protobuf") {
            dependencies.push("prost-types.workspace = true");
        }
        if registry.services().iter().any(|it| it.descriptor.package_name() == self.name) {
            dependencies.extend(["tonic.workspace = true", "tonic-prost.workspace = true"]);
        }
        if self.folder != "type" && imports("loop.type") {
            dependencies.push("type-contract.workspace = true");
        }
        MANIFEST.replace("{folder}", &self.folder) + &dependencies.join("\n") + "\n"
    }

    /// This package's files with their comments and all they import without.
    fn descriptors(&self, registry: &Registry, sources: &Sources) -> anyhow::Result<Vec<u8>> {
        let mut needed = BTreeSet::new();
        for file in registry.pool().files().filter(|it| it.package_name() == self.name) {
            collect(&file, &mut needed);
        }
        let described = by_name(&sources.described)?;
        let mut set = RawSet::default();
        for (name, package, file) in by_name(&sources.plain)?.into_values() {
            if needed.contains(&name) {
                let own = package == self.name;
                set.file.push(if own { described[&name].2.clone() } else { file });
            }
        }
        Ok(set.encode_to_vec())
    }
}

fn collect(file: &prost_reflect::FileDescriptor, names: &mut BTreeSet<String>) {
    if names.insert(file.name().to_owned()) {
        file.dependencies().for_each(|it| collect(&it, names));
    }
}

/// Files as bytes, so that options, which are extensions, survive.
#[derive(Clone, PartialEq, Message)]
struct RawSet {
    #[prost(bytes = "vec", repeated, tag = "1")]
    file: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct RawFile {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    package: String,
}

type Named = BTreeMap<String, (String, String, Vec<u8>)>;

fn by_name(set: &[u8]) -> anyhow::Result<Named> {
    let mut files = Named::new();
    for bytes in RawSet::decode(set)?.file {
        let RawFile { name, package } = RawFile::decode(&bytes[..])?;
        files.insert(name.clone(), (name, package, bytes));
    }
    Ok(files)
}

const LIB: &str = "\
//! The contract of `{name}`. Generated by `cargo xtask gen`; never edited.
#![allow(clippy::all)]

#[rustfmt::skip]
pub mod v1;
";

const MANIFEST: &str = r#"# Generated by `cargo xtask gen`; never edited.
[package]
name = "{folder}-contract"
version.workspace = true
edition.workspace = true
rust-version.workspace = true
license.workspace = true
publish.workspace = true

[lib]
test = false
doctest = false

[dependencies]
"#;
