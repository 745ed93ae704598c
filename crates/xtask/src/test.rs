//! Runs the tests beside the engines they need: Postgres, Redis, NATS and an EventBridge/SQS
//! emulator, each temporary and on a free port.

use std::process::Command;

use anyhow::ensure;
use engine::Engines;

/// `arguments` go to `cargo test`; without any, every test of the workspace runs.
pub fn run(arguments: &[String]) -> anyhow::Result<()> {
    let engines = Engines::for_tests()?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.arg("test").envs(engines.environment());
    match arguments {
        [] => cargo.args(["--workspace", "--no-fail-fast"]),
        some => cargo.args(some),
    };
    let status = cargo.status()?;
    ensure!(status.success(), "some tests failed");
    Ok(())
}
