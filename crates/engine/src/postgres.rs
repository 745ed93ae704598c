//! PostgreSQL as a child process: durable for `loop up`, forgetful for tests.

mod account;
mod folder;
mod installation;
mod pid_file;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use self::folder::{DataFolder, run};
use self::installation::Installation;
use self::pid_file::PidFile;
use crate::process::{self, Target, Watchdog, poll};
use crate::temporary::TemporaryFolder;
use crate::{Error, Result};

/// The role that owns the server.
pub const SUPERUSER: &str = "loop_admin";

const READY_WITHIN: Duration = Duration::from_secs(30);

/// A fast shutdown writes a checkpoint; after this long it is interrupted.
const FAST_WITHIN: Duration = Duration::from_secs(10);

/// PostgreSQL kills what is left of itself 5 s into an immediate shutdown.
const IMMEDIATE_WITHIN: Duration = Duration::from_secs(8);

/// How often a port may be snatched away between its choice and its use.
const ATTEMPTS: usize = 3;

/// What to start.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// The folder for the cluster and what belongs to it; made if absent. Nothing else lives there.
    pub data: PathBuf,
    /// The port of 127.0.0.1; `None` takes the one of the last start, or a free one if it is taken.
    pub port: Option<u16>,
    /// Whether committed data survives a power failure. Without, commits do not wait for the disk.
    pub durable: bool,
}

/// A running PostgreSQL server, stopped when dropped.
///
/// It listens on 127.0.0.1 only and has no Unix socket: the path of a data folder is often longer
/// than the 107 bytes a socket may have.
pub struct Postgres {
    /// `None` once stopped.
    server: Option<Server>,
    port: u16,
    password: String,
    psql: PathBuf,
    folder: DataFolder,
    _temporary: Option<TemporaryFolder>,
}

enum Server {
    /// With a watchdog if it is to die with us.
    Child { process: Child, _watchdog: Option<Watchdog> },
    /// Started by an earlier process of ours that was killed.
    Adopted(Pid),
}

impl Postgres {
    /// Starts the server on this data folder and waits until it accepts connections; the first
    /// start makes the cluster. A server that a killed parent left behind is adopted.
    ///
    /// The programs are those in `LOOP_POSTGRES_BIN`, on `PATH` or where the system's packages are,
    /// in this order. Root starts the server as the account `postgres` (or `nobody`), and keeps the
    /// data under `/var/lib/loop-platform` if that account cannot reach the folder; one line on
    /// stderr says so.
    ///
    /// # Errors
    ///
    /// [`Error::NotInstalled`] and [`Error::OtherVersion`] say what to install, [`Error::InUse`]
    /// and [`Error::PortTaken`] what is in the way, [`Error::NotReady`] ends with the server's log.
    pub fn start(options: PostgresOptions) -> Result<Self> {
        Self::start_watched(&options, None)
    }

    /// Starts a server that is not durable in a temporary folder on a free port, for tests. It is
    /// gone with its data when dropped, and dies with its parent.
    pub fn start_temporary() -> Result<Self> {
        let folder = TemporaryFolder::create()?;
        let data = folder.path().join("postgres");
        let options = PostgresOptions { data, port: None, durable: false };
        let mut postgres = Self::start_watched(&options, Some(&folder))?;
        postgres._temporary = Some(folder);
        Ok(postgres)
    }

    /// The URL of a database for the superuser, password included.
    pub fn url(&self, database: &str) -> String {
        let Self { password, port, .. } = self;
        format!("postgres://{SUPERUSER}:{password}@127.0.0.1:{port}/{database}")
    }

    /// The port of 127.0.0.1 the server listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder the data is in, which for root may not be the one asked for.
    pub fn data(&self) -> &Path {
        self.folder.path()
    }

    /// Makes the database unless it is there. Two calls at once may fail on each other.
    ///
    /// # Errors
    ///
    /// [`Error::DatabaseName`] for a name that would need quoting, [`Error::Failed`] with what
    /// `psql` said.
    pub fn create_database_if_absent(&self, name: &str) -> Result<()> {
        if !is_plain_name(name) {
            return Err(Error::DatabaseName(name.to_owned()));
        }
        let known = format!("SELECT FROM pg_database WHERE datname = '{name}'");
        let absent = self.query(&format!("SELECT NOT EXISTS ({known})"))? == "t";
        if absent {
            self.query(&format!("CREATE DATABASE {name}"))?;
        }
        Ok(())
    }

    /// Stops the server: clients are disconnected, then everything is written. Interrupted after
    /// 10 s, which costs the next start a recovery but no committed data.
    pub fn stop(mut self) -> Result<()> {
        self.shut_down()
    }

    fn start_watched(
        options: &PostgresOptions,
        temporary: Option<&TemporaryFolder>,
    ) -> Result<Self> {
        let folder = DataFolder::open(&options.data)?;
        let installation = Installation::find(folder.path(), folder.version())?;
        let psql = installation.program("psql")?;
        let password = folder.password()?;
        if folder.version().is_none() {
            folder.initialise(&installation, options.durable)?;
        }
        let (server, port) = match leftover(&folder, options.port)? {
            Some(PidFile { pid, port, .. }) => (Server::Adopted(pid), port),
            None => launch(&folder, &installation, options, temporary)?,
        };
        let server = Some(server);
        Ok(Self { server, port, password, psql, folder, _temporary: None })
    }

    fn query(&self, sql: &str) -> Result<String> {
        let mut psql = installation::command(&self.psql);
        psql.args(["--no-psqlrc", "--no-password", "--tuples-only", "--no-align"]);
        psql.args(["--host", "127.0.0.1", "--port", &self.port.to_string()]);
        psql.args(["--username", SUPERUSER, "--dbname", "postgres", "--command", sql]);
        psql.env("PGPASSWORD", &self.password);
        run("psql", psql)
    }

    fn shut_down(&mut self) -> Result<()> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        server.stop(&self.folder.cluster())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.shut_down();
    }
}

impl Server {
    fn pid(&self) -> Pid {
        match self {
            Self::Child { process, .. } => Pid::from_child(process),
            Self::Adopted(pid) => *pid,
        }
    }

    fn is_gone(&mut self, cluster: &Path) -> bool {
        match self {
            Self::Child { process, .. } => !matches!(process.try_wait(), Ok(None)),
            Self::Adopted(pid) => !process::was_started_with(*pid, cluster),
        }
    }

    fn stop(&mut self, cluster: &Path) -> Result<()> {
        for (signal, limit) in [(Signal::INT, FAST_WITHIN), (Signal::QUIT, IMMEDIATE_WITHIN)] {
            if self.is_gone(cluster) {
                return Ok(());
            }
            let _ = kill_process(self.pid(), signal);
            if poll(limit, || self.is_gone(cluster).then_some(())).is_some() {
                return Ok(());
            }
        }
        Err(Error::StillRunning(self.pid().as_raw_nonzero().get()))
    }
}

/// A server that still runs on this folder, at the port wanted; one at another port is stopped.
fn leftover(folder: &DataFolder, wanted: Option<u16>) -> Result<Option<PidFile>> {
    let cluster = folder.cluster();
    let settled = poll(READY_WITHIN, || match folder.pid_file() {
        Some(file) if !process::was_started_with(file.pid, &cluster) => Some(Err(file)),
        // It is starting or stopping and will make up its mind.
        Some(file) => (file.ready && process::connect(file.port).is_ok()).then_some(Ok(Some(file))),
        None => Some(Ok(None)),
    });
    match settled {
        Some(Ok(Some(file))) if wanted.is_some_and(|port| port != file.port) => {
            Server::Adopted(file.pid).stop(&cluster).map(|()| None)
        }
        Some(Ok(file)) => Ok(file),
        // Another program has got the process id; PostgreSQL would take it for a server.
        Some(Err(file)) if process::exists(file.pid) => folder.remove_pid_file().map(|()| None),
        Some(Err(_)) => Ok(None),
        None => Err(not_ready(folder, "was left behind and does not answer")),
    }
}

fn launch(
    folder: &DataFolder,
    installation: &Installation,
    options: &PostgresOptions,
    temporary: Option<&TemporaryFolder>,
) -> Result<(Server, u16)> {
    let mut attempt = 1;
    loop {
        let port = choose_port(options.port, folder.port())?;
        folder.remember_port(port)?;
        let mut process = spawn(folder, installation, port, options.durable)?;
        let target = Target::Postmaster(Pid::from_child(&process));
        let watchdog = temporary.map(|it| Watchdog::start(target, it.path())).transpose();
        let _watchdog = watchdog.inspect_err(|_| drop(process.kill()))?;
        match wait_until_ready(Server::Child { process, _watchdog }, folder) {
            Err(Error::NotReady { .. }) if attempt < ATTEMPTS && !process::is_free(port) => {
                attempt += 1;
            }
            result => return result.map(|server| (server, port)),
        }
    }
}

fn choose_port(wanted: Option<u16>, last: Option<u16>) -> Result<u16> {
    match (wanted, last) {
        (Some(port), _) if !process::is_free(port) => Err(Error::PortTaken(port)),
        (Some(port), _) => Ok(port),
        (None, Some(port)) if process::is_free(port) => Ok(port),
        (None, _) => process::free_port(),
    }
}

fn spawn(
    folder: &DataFolder,
    installation: &Installation,
    port: u16,
    durable: bool,
) -> Result<Child> {
    let program = installation.program("postgres")?;
    let mut command = folder.command(&program);
    command.arg("-D").arg(folder.cluster()).args(["-p", &port.to_string()]);
    set(&mut command, &["listen_addresses=127.0.0.1", "unix_socket_directories="]);
    set(&mut command, &["max_connections=200", "shared_buffers=64MB"]);
    if !durable {
        set(&mut command, &["fsync=off", "synchronous_commit=off", "full_page_writes=off"]);
    }
    // The log of the run before is what explains a crash.
    let _ = fs::rename(folder.log(), folder.log().with_extension("log.previous"));
    process::detach(&mut command, &folder.log())?;
    command.spawn().map_err(Error::run(&program))
}

fn set(command: &mut Command, settings: &[&str]) {
    for setting in settings {
        command.args(["-c", setting]);
    }
}

/// Waits as pg_ctl does: for the server to say in its pid file that it accepts connections.
fn wait_until_ready(mut server: Server, folder: &DataFolder) -> Result<Server> {
    let cluster = folder.cluster();
    let is_ready = |file: &PidFile, pid| file.pid == pid && file.ready;
    let outcome = poll(READY_WITHIN, || match folder.pid_file() {
        Some(file) if is_ready(&file, server.pid()) => Some(true),
        _ => server.is_gone(&cluster).then_some(false),
    });
    match outcome {
        Some(true) => Ok(server),
        Some(false) => Err(not_ready(folder, "ended at once")),
        None => {
            server.stop(&cluster)?;
            Err(not_ready(folder, "was not ready within 30 s"))
        }
    }
}

fn not_ready(folder: &DataFolder, what: &'static str) -> Error {
    Error::NotReady { program: "PostgreSQL", what, log: process::last_lines(&folder.log()) }
}

/// Whether a name needs quotes neither in SQL nor in a URL.
fn is_plain_name(name: &str) -> bool {
    let plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_';
    name.len() <= 63
        && name.bytes().next().is_some_and(|it| it.is_ascii_lowercase())
        && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[test]
    fn a_database_has_a_plain_name() {
        for name in ["loop", "a", "clinical_2"] {
            assert!(is_plain_name(name), "{name}");
        }
        let long = "a".repeat(64);
        for name in ["", "2nd", "_a", "Loop", "a-b", "a'b", "a b", "ä", long.as_str()] {
            assert!(!is_plain_name(name), "{name}");
        }
    }

    #[test]
    fn a_taken_port_is_an_error_when_asked_for_and_avoided_when_remembered() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let taken = listener.local_addr().unwrap().port();
        assert!(
            matches!(choose_port(Some(taken), None), Err(Error::PortTaken(port)) if port == taken)
        );
        assert_ne!(choose_port(None, Some(taken)).unwrap(), taken);
        drop(listener);
        assert_eq!(choose_port(Some(taken), Some(1)).unwrap(), taken);
        assert_eq!(choose_port(None, Some(taken)).unwrap(), taken);
    }
}
