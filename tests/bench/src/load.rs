//! The load: `wrk`, with a script that is made for each workload and runs for no request.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, ensure};

use crate::{sample::Dialect, workload::Workload};

/// What wrk counted in one round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    pub requests: u64,
    /// Answers other than 2xx and 3xx.
    pub refused: u64,
    /// Requests that came to no answer.
    pub failed: u64,
    pub seconds: f64,
    /// Milliseconds.
    pub p50: f64,
    pub p99: f64,
}

/// A workload as wrk sends it to one peer.
#[derive(Debug)]
pub struct Script {
    path: PathBuf,
    target: String,
    /// Whether success is a refusal.
    refuses: bool,
}

impl Script {
    /// Writes the script of a workload into `folder`.
    pub fn write(
        folder: &Path,
        workload: &Workload,
        dialect: Dialect,
        token: &str,
    ) -> anyhow::Result<Self> {
        let name = format!("{dialect:?}-{}", workload.name.replace(' ', "-"));
        let (path, body) =
            (folder.join(format!("{name}.lua")), folder.join(format!("{name}.json")));
        fs::write(&body, workload.body.of(dialect))?;
        fs::write(&path, lua(workload.method.as_str(), token, &body))?;
        let refuses = !workload.status.is_success();
        Ok(Self { path, target: workload.target.clone(), refuses })
    }

    /// Loads a peer from one core. Fails when an answer is not what the workload expects.
    pub fn run(
        &self,
        core: usize,
        url: &str,
        connections: usize,
        duration: Duration,
    ) -> anyhow::Result<Load> {
        let output = Command::new("taskset")
            .args(["--cpu-list", &core.to_string(), "wrk", "--threads", "1", "--latency"])
            .args(["--connections", &connections.to_string()])
            .args(["--duration", &format!("{}s", duration.as_secs())])
            .arg("--script")
            .arg(&self.path)
            .arg(format!("{url}{}", self.target))
            .output()
            .context("run wrk; `deploy/dev/install.sh bench` installs it")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let load = parse(&text).with_context(|| {
            format!("wrk said {text} {}", String::from_utf8_lossy(&output.stderr))
        })?;
        ensure!(load.requests > 0, "no answer at all");
        ensure!(load.failed == 0, "{} requests came to no answer", load.failed);
        let wrong = if self.refuses { load.requests - load.refused } else { load.refused };
        ensure!(wrong == 0, "{wrong} of {} answers had another status", load.requests);
        Ok(load)
    }
}

/// Without `request` and `response` functions, wrk makes its request once and calls Lua no more.
fn lua(method: &str, token: &str, body: &Path) -> String {
    format!(
        r#"wrk.method = "{method}"
wrk.headers["Authorization"] = "Bearer {token}"
local body = assert(io.open("{}")):read("*a")
if #body > 0 then
  wrk.headers["Content-Type"] = "application/json"
  wrk.body = body
end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("bench %d %d %d %d %d %d\n", summary.requests, e.status,
    e.connect + e.read + e.write + e.timeout, summary.duration,
    latency:percentile(50), latency:percentile(99)))
end
"#,
        body.display()
    )
}

/// The line that the script writes: counts, and times in microseconds.
fn parse(output: &str) -> Option<Load> {
    let line = output.lines().find_map(|it| it.strip_prefix("bench "))?;
    let fields: Option<Vec<u64>> = line.split(' ').map(|it| it.parse().ok()).collect();
    let [requests, refused, failed, micros, p50, p99] = fields?.try_into().ok()?;
    let (seconds, p50, p99) = (micros as f64 / 1e6, p50 as f64 / 1e3, p99 as f64 / 1e3);
    Some(Load { requests, refused, failed, seconds, p50, p99 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_the_script_is_found_among_what_wrk_says() {
        let output = "Running 2s test\n  1 threads\nbench 1000 3 1 2000000 250 1500\n";
        let expected =
            Load { requests: 1000, refused: 3, failed: 1, seconds: 2.0, p50: 0.25, p99: 1.5 };
        assert_eq!(parse(output), Some(expected));
    }

    #[test]
    fn what_is_cut_off_is_no_result() {
        assert_eq!(parse("bench 1000 3 1"), None);
        assert_eq!(parse("unable to connect"), None);
    }
}
