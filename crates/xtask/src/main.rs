//! What builds and checks the tree itself.

mod generate;
mod links;
mod lint;
mod manifest;
mod reasons;
mod test;
mod timings;

use std::path::{Path, PathBuf};

const HELP: &str = "\
Builds and checks the tree itself.

Usage: cargo xtask <command>

Commands:
  gen           Write everything that is derived from proto/
  gen --check   Fail if anything derived is stale, or a manifest, a link or an error page is wrong
  test [...]    Run the tests beside temporary engines; what follows goes to `cargo test`
  lint          Check format, lints, contracts, licences and what is generated
  timings       Measure the edits that a developer waits for

Examples:
  cargo xtask gen
  cargo xtask test -p clinical
";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["gen"] => generate::run(&root(), false),
        ["gen", "--check"] => generate::run(&root(), true),
        ["test", ..] => test::run(&arguments[1..]),
        ["lint"] => lint::run(&root()),
        ["timings"] => timings::run(&root()),
        [] | ["help" | "-h" | "--help"] => {
            print!("{HELP}");
            Ok(())
        }
        _ => anyhow::bail!("no such command: {}\n\n{HELP}", arguments.join(" ")),
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
