//! Processes under measurement: pinned to a core, ended with the benchmark, read from `/proc`.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};

/// How long a process may take until it accepts connections.
const START: Duration = Duration::from_secs(20);

/// Microseconds of one tick of `/proc`: `USER_HZ` is 100 on every Linux that Rust runs on.
const TICK: u64 = 10_000;

/// Where times stand behind the name: a process's own, and those of its children that have ended.
const UTIME: usize = 11;
const CUTIME: usize = 13;

/// A process that ends when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    pub address: SocketAddr,
}

/// Resident memory, in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    pub now: u64,
    pub most: u64,
}

impl Process {
    /// Starts a program on one core and waits until `address` accepts connections. What it says
    /// goes to `log`.
    pub fn start(
        core: usize,
        program: &Path,
        arguments: &[String],
        environment: &[(&str, &str)],
        address: SocketAddr,
        log: &Path,
    ) -> anyhow::Result<Self> {
        let file = File::create(log)?;
        let child = Command::new("taskset")
            .args(["--cpu-list", &core.to_string()])
            .arg(program)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("run {} by taskset, of util-linux", program.display()))?;
        let mut process = Self { child, address };
        process.wait_until_it_listens(log).with_context(|| program.display().to_string())?;
        Ok(process)
    }

    fn wait_until_it_listens(&mut self, log: &Path) -> anyhow::Result<()> {
        let began = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("ended with {status}: {}", fs::read_to_string(log).unwrap_or_default());
            }
            ensure!(began.elapsed() < START, "did not listen within {START:?}");
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The CPU time it has had, in microseconds, user and system. `taskset` becomes the program,
    /// so its id is the program's.
    pub fn cpu(&self) -> anyhow::Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        Ok(ticks(&text, UTIME).context("an unknown form of /proc/PID/stat")? * TICK)
    }

    pub fn memory(&self) -> anyhow::Result<Memory> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        memory(&text).context("an unknown form of /proc/PID/status")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The time all cores have spent on anything, in microseconds since the machine's start.
pub fn busy() -> anyhow::Result<u64> {
    let text = fs::read_to_string("/proc/stat")?;
    Ok(ticks_of_machine(&text).context("an unknown form of /proc/stat")? * TICK)
}

/// The time that ended processes of ours have had, in microseconds.
pub fn cpu_of_ended() -> anyhow::Result<u64> {
    let text = fs::read_to_string("/proc/self/stat")?;
    Ok(ticks(&text, CUTIME).context("an unknown form of /proc/PID/stat")? * TICK)
}

/// An address of this machine that nothing listens at.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// A user time and the system time behind it, proc(5). The name before them may hold anything, so
/// the last `)` counts.
fn ticks(stat: &str, first: usize) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(first);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

/// All of the first line but idle and iowait, and guests, who are in user already.
fn ticks_of_machine(stat: &str) -> Option<u64> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?;
    let fields: Option<Vec<u64>> = fields.split_whitespace().map(|it| it.parse().ok()).collect();
    let fields = fields?;
    let idle = fields.get(3)? + fields.get(4)?;
    Some(fields.iter().take(8).sum::<u64>() - idle)
}

fn memory(status: &str) -> Option<Memory> {
    let of = |name: &str| {
        let line = status.lines().find_map(|it| it.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some(Memory { now: of("VmRSS:")?, most: of("VmHWM:")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_process_is_found_behind_any_name() {
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 120 30 4 5 20 0";
        assert_eq!(ticks(stat, UTIME), Some(150));
        assert_eq!(ticks(stat, CUTIME), Some(9));
        assert_eq!(ticks("7 (a", UTIME), None);
    }

    #[test]
    fn the_machine_is_not_busy_while_it_is_idle() {
        let stat = "cpu  10 1 5 900 50 0 2 3 0 0\ncpu0 1 2 3";
        assert_eq!(ticks_of_machine(stat), Some(21));
        assert_eq!(ticks_of_machine("intr 1"), None);
    }

    #[test]
    fn memory_is_now_and_at_most() {
        let status = "Name:\tx\nVmHWM:\t   2048 kB\nVmRSS:\t   1024 kB\n";
        assert_eq!(memory(status), Some(Memory { now: 1024, most: 2048 }));
        assert_eq!(memory("Name:\tx"), None);
    }

    #[test]
    fn this_process_has_had_some_time() {
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        assert!(ticks(&stat, UTIME).is_some());
        assert!(busy().unwrap() > 0);
    }
}
