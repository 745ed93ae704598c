//! Redis for tests.

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::Command;

use crate::process::{connect, find_program};
use crate::temporary::{Recipe, TemporaryServer};
use crate::{Error, Result};

const REMEDY: &str = "Install it: Debian and Ubuntu `apt-get install redis-server`, \
     Fedora `dnf install redis`, Alpine `apk add redis`, macOS `brew install redis`";

/// A Redis that keeps nothing; it stops when dropped and dies with its parent.
pub struct Redis(TemporaryServer);

impl Redis {
    /// Starts Redis on a free port of 127.0.0.1 and waits until it answers a PING.
    pub fn start_temporary() -> Result<Self> {
        let program = find_program("redis-server")
            .ok_or(Error::NotInstalled { program: "redis-server", remedy: REMEDY })?;
        TemporaryServer::start(&Recipe { name: "Redis", program, arguments, answers }).map(Self)
    }

    /// `redis://127.0.0.1:<port>`, no password.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.0.port())
    }
}

fn arguments(command: &mut Command, port: u16, folder: &Path) {
    command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
    command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(folder);
}

/// See <https://redis.io/docs/latest/develop/reference/protocol-spec>, inline commands.
fn answers(port: u16) -> io::Result<bool> {
    let mut stream = connect(port)?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer)?;
    Ok(&answer == b"+PONG\r\n")
}
