//! Every check that needs no database: format, lints, contracts, licences, generated files.

use std::{path::Path, process::Command};

use anyhow::{Context as _, ensure};

/// The version of cargo-deny that is installed when there is none.
const CARGO_DENY: &str = "0.20.2";

pub fn run(root: &Path) -> anyhow::Result<()> {
    let buf = root.join(".tools/venv/bin/buf");
    let buf = buf.to_str().context("a path that is not UTF-8")?;
    step(root, "cargo", &["fmt", "--all", "--check"])?;
    crate::generate::run(root, true)?;
    step(root, buf, &["lint"])?;
    step(root, buf, &["breaking", "--against", "proto/released.binpb"])?;
    step(root, "cargo", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    let deny = cargo_deny(root)?;
    step(root, &deny, &["check", "licenses", "bans", "sources"])
}

/// cargo-deny, built once into .tools.
fn cargo_deny(root: &Path) -> anyhow::Result<String> {
    let tools = root.join(".tools/cargo");
    let deny = tools.join("bin/cargo-deny");
    let folder = tools.to_str().context("a path that is not UTF-8")?;
    if !deny.exists() {
        println!("building cargo-deny {CARGO_DENY}, once");
        step(
            root,
            "cargo",
            &["install", "cargo-deny", "--version", CARGO_DENY, "--locked", "--root", folder],
        )?;
    }
    Ok(deny.to_str().context("a path that is not UTF-8")?.to_owned())
}

fn step(root: &Path, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let status = Command::new(program).args(arguments).current_dir(root).status();
    let status =
        status.with_context(|| format!("run {program}; `make lint` installs what it needs"))?;
    let name = Path::new(program).file_name().unwrap_or_default().to_string_lossy();
    ensure!(status.success(), "{name} {} found something", arguments.join(" "));
    Ok(())
}
