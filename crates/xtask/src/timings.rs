//! Measures the edits that a developer waits for. The figures stand in docs/timings.md.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::ensure;

/// What is added, and taken back.
const RUST: &str = "pub fn measured() {}";
const PROTO: &str = "message Measured {\n  string id = 1;\n}";

pub fn run(root: &Path) -> anyhow::Result<()> {
    cargo(root, &["build", "--package", "loop-platform"])?;
    let unchanged = measure(|| cargo(root, &["build", "--package", "loop-platform"]))?;
    let handler = edited(root, "services/clinical/src/rpc.rs", RUST, || {
        cargo(root, &["build", "--package", "loop-platform"])
    })?;
    cargo(root, &["check", "--package", "loop-platform"])?;
    let proto = edited(root, "proto/loop/clinical/v1/biomarker.proto", PROTO, || {
        crate::generate::run(root, false)?;
        cargo(root, &["check", "--package", "loop-platform"])
    })?;
    crate::generate::run(root, false)?;
    let kit = edited(root, "crates/kit/src/tx.rs", RUST, || {
        cargo(root, &["build", "--package", "loop-platform"])
    })?;
    println!("build, nothing changed                    {unchanged:6.1} s");
    println!("handler edit to a new binary              {handler:6.1} s");
    println!("proto edit, generated and checked         {proto:6.1} s");
    println!("kit edit to a new binary                  {kit:6.1} s");
    Ok(())
}

/// Times `build` after an addition to one file, and puts the file back.
fn edited(
    root: &Path,
    file: &str,
    addition: &str,
    build: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<f64> {
    let path = root.join(file);
    let before = fs::read_to_string(&path)?;
    fs::write(&path, format!("{before}\n{addition}\n"))?;
    let measured = measure(build);
    fs::write(&path, before)?;
    measured
}

fn measure(build: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let began = Instant::now();
    build()?;
    Ok(began.elapsed().as_secs_f64())
}

fn cargo(root: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    let status =
        Command::new("cargo").args(arguments).current_dir(root).stderr(Stdio::null()).status()?;
    ensure!(status.success(), "cargo {} failed", arguments.join(" "));
    Ok(())
}
