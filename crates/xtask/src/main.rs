//! What builds and checks the tree itself.

mod generate;

use std::path::{Path, PathBuf};

const HELP: &str = "\
Builds and checks the tree itself.

Usage: cargo xtask <command>

Commands:
  gen           Write everything that is derived from proto/
  gen --check   Fail if anything derived is stale

Examples:
  cargo xtask gen
";

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["gen"] => generate::run(&root(), false),
        ["gen", "--check"] => generate::run(&root(), true),
        [] | ["help" | "-h" | "--help"] => {
            print!("{HELP}");
            Ok(())
        }
        _ => anyhow::bail!("no such command: {}\n\n{HELP}", args.join(" ")),
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
