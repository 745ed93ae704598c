//! Moto for tests: EventBridge, SQS and the rest of AWS on this machine.

use std::env;
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{connect, find_program, is_executable};
use crate::temporary::{Recipe, TemporaryServer};
use crate::{Error, Result};

const REMEDY: &str = "Run `deploy/dev/install.sh test`, which puts it into .tools/venv, or install \
     `moto[server]` from PyPI and set LOOP_MOTO_BIN to the path of its moto_server";

/// An AWS emulator that keeps nothing; it stops when dropped and dies with its parent.
pub struct Moto(TemporaryServer);

impl Moto {
    /// Starts moto on a free port of 127.0.0.1 and waits until it answers over HTTP.
    ///
    /// `LOOP_MOTO_BIN` names the program; otherwise the repository's `.tools/venv` and then `PATH`
    /// are searched.
    pub fn start_temporary() -> Result<Self> {
        let program =
            find().ok_or(Error::NotInstalled { program: "moto_server", remedy: REMEDY })?;
        TemporaryServer::start(&Recipe { name: "moto", program, arguments, answers }).map(Self)
    }

    /// `http://127.0.0.1:<port>`, the endpoint of every AWS service; any credentials will do.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.0.port())
    }
}

fn find() -> Option<PathBuf> {
    if let Some(program) = env::var_os("LOOP_MOTO_BIN") {
        return Some(PathBuf::from(program)).filter(|it| is_executable(it));
    }
    let folder = env::current_dir().unwrap_or_default();
    let in_tree = folder.ancestors().map(|it| it.join(".tools/venv/bin/moto_server"));
    in_tree.into_iter().find(|it| is_executable(it)).or_else(|| find_program("moto_server"))
}

fn arguments(command: &mut Command, port: u16, _folder: &Path) {
    command.args(["-H", "127.0.0.1", "-p", &port.to_string()].map(OsStr::new));
}

fn answers(port: u16) -> io::Result<bool> {
    let mut stream = connect(port)?;
    stream.write_all(b"GET /moto-api/ HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")?;
    let mut status = [0; 12];
    stream.read_exact(&mut status)?;
    Ok(status.starts_with(b"HTTP/1.") && status.ends_with(b" 200"))
}
