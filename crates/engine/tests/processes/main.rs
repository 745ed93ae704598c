//! The engines as real processes. A test passes over an engine that is not installed, and says so.

#![expect(clippy::unwrap_used, reason = "the functions that tests share may fail them too")]

mod postgres;
mod temporary;

use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use engine::{Error, Result};
use tempfile::TempDir;

/// The engine, or `None` if it is not on this machine.
fn installed<T>(result: Result<T>) -> Option<T> {
    match result {
        Err(error @ Error::NotInstalled { .. }) => {
            eprintln!("passed over: {error}");
            None
        }
        result => Some(result.unwrap()),
    }
}

/// A folder that other accounts may pass through.
fn folder() -> TempDir {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o711)).tempdir().unwrap()
}

/// The example that starts engines and holds them; killing it leaves it no time to tidy up.
fn hold() -> PathBuf {
    let tests = env::current_exe().unwrap();
    tests.ancestors().nth(2).unwrap().join("examples/hold")
}

/// Starts a command with open input; returns it with the first `lines` lines it prints.
fn spawn(command: &mut Command, lines: usize) -> (Child, Vec<String>) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let printed = output.lines().take(lines).map(|line| line.unwrap()).collect();
    (child, printed)
}

fn kill(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn answers(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// The port at the end of a URL's host part.
fn port(url: &str) -> u16 {
    let rest = url.rsplit_once("127.0.0.1:").unwrap().1;
    rest.split('/').next().unwrap().parse().unwrap()
}

/// Waits up to 20 s for something to become true.
fn soon(what: &str, mut is_true: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_true() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
