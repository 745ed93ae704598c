//! Runs the suite over this program and reads what it says.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

/// The newest edition whose cases are put to the codec.
const EDITION: &str = "2023";

/// How many cases the pinned suite counts as passed: 2,762 that touch JSON, 2,030 from wire to
/// wire through JSON, and 760 whose wire is malformed. Fewer means that something was skipped
/// which was answered before.
const PASSED: u32 = 5552;

/// Runs every case, required and recommended. No failure is expected.
pub fn run() -> anyhow::Result<()> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/conformance");
    let mut runner = Command::new(tools.join("runner"))
        .args(["--enforce_recommended", "--maximum_edition", EDITION, "--output_dir"])
        .arg(&tools)
        .arg(std::env::current_exe()?)
        .arg("answer")
        .arg(tools.join("messages.json"))
        .stderr(Stdio::piped())
        .spawn()
        .context("start the suite; `make conformance-json` installs it")?;
    let mut passed = 0;
    for line in BufReader::new(runner.stderr.take().context("a piped stderr")?).lines() {
        let line = line?;
        passed += successes(&line).unwrap_or_default();
        if !is_noise(&line) {
            println!("{line}");
        }
    }
    let status = runner.wait()?;
    ensure!(status.success(), "the suite found failures: {status}");
    ensure!(passed >= PASSED, "{passed} cases passed where {PASSED} did before");
    Ok(())
}

/// The first number of `CONFORMANCE SUITE PASSED: 3 successes, 2 skipped, ...`.
fn successes(line: &str) -> Option<u32> {
    let counts = line.strip_prefix("CONFORMANCE SUITE PASSED: ")?;
    counts.split_once(" successes")?.0.parse().ok()
}

/// What the suite's logging library says of itself.
fn is_noise(line: &str) -> bool {
    line.is_empty() || line.starts_with("WARNING: All log messages") || line.starts_with("I0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passed_cases_are_counted_and_failures_are_not() {
        let counts = "2 successes, 1 skipped, 0 expected failures, 0 unexpected failures.";
        assert_eq!(successes(&format!("CONFORMANCE SUITE PASSED: {counts}")), Some(2));
        assert_eq!(successes(&format!("CONFORMANCE SUITE FAILED: {counts}")), None);
        assert_eq!(successes("CONFORMANCE TEST BEGIN"), None);
    }
}
