//! NATS for tests.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::Command;

use crate::process::{connect, find_program};
use crate::temporary::{Recipe, TemporaryServer};
use crate::{Error, Result};

const REMEDY: &str = "Install it: Debian and Ubuntu `apt-get install nats-server`, \
     Alpine `apk add nats-server`, macOS `brew install nats-server`";

/// A NATS server that keeps nothing; it stops when dropped and dies with its parent.
pub struct Nats(TemporaryServer);

impl Nats {
    /// Starts NATS on a free port of 127.0.0.1, with JetStream in a temporary folder if wanted, and
    /// waits until it greets.
    pub fn start_temporary(jetstream: bool) -> Result<Self> {
        let program = find_program("nats-server")
            .ok_or(Error::NotInstalled { program: "nats-server", remedy: REMEDY })?;
        let arguments = if jetstream { with_jetstream } else { without_jetstream };
        TemporaryServer::start(&Recipe { name: "NATS", program, arguments, answers }).map(Self)
    }

    /// `nats://127.0.0.1:<port>`, no credentials.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.0.port())
    }
}

fn without_jetstream(command: &mut Command, port: u16, _folder: &Path) {
    command.args(["--addr", "127.0.0.1", "--port", &port.to_string()]);
}

fn with_jetstream(command: &mut Command, port: u16, folder: &Path) {
    without_jetstream(command, port, folder);
    command.args(["--jetstream", "--store_dir"]).arg(folder);
}

/// A server speaks first: <https://docs.nats.io/reference/reference-protocols/nats-protocol#info>.
fn answers(port: u16) -> io::Result<bool> {
    let mut greeting = String::new();
    BufReader::new(connect(port)?).read_line(&mut greeting)?;
    Ok(greeting.starts_with("INFO "))
}
