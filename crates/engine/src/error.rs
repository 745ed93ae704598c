//! What can go wrong, said so that the reader knows what to do next.

use std::io;
use std::path::{Path, PathBuf};

/// The result of every fallible function here.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an engine did not start, answer or stop.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program is not on this machine; `remedy` says how to get it.
    #[error("{program} is not installed. {remedy}")]
    NotInstalled { program: &'static str, remedy: &'static str },
    /// The data was made by a version of PostgreSQL that is not among the installed ones.
    #[error(
        "{} was made by PostgreSQL {wanted}, but only {found} is installed. \
         Install {wanted}, or move the folder away to begin anew", data.display()
    )]
    OtherVersion { data: PathBuf, wanted: u32, found: u32 },
    /// Another process holds the data folder's lock.
    #[error("another `loop up` is using the data folder {}", .0.display())]
    InUse(PathBuf),
    /// The port asked for belongs to another program.
    #[error("port {0} of 127.0.0.1 is taken by another program. Stop it, or choose another port")]
    PortTaken(u16),
    /// A name that would need quoting in SQL or in a URL.
    #[error("{0:?} is no database name: use a-z, 0-9 and _, a letter first, 63 at most")]
    DatabaseName(String),
    /// PostgreSQL refuses to run as root, and there is nobody else.
    #[error(
        "PostgreSQL does not run as root. Start as an ordinary user, or add an account `postgres`"
    )]
    NoAccount,
    /// The machine has no port left to listen on.
    #[error("127.0.0.1 has no free port")]
    NoFreePort(#[source] io::Error),
    /// A file or folder could not be used.
    #[error("cannot {action} {}", path.display())]
    File { action: &'static str, path: PathBuf, source: io::Error },
    /// A program could not be run at all.
    #[error("cannot run {}", program.display())]
    Run { program: PathBuf, source: io::Error },
    /// A program ran and failed; `output` is what it said.
    #[error("{program} failed: {output}")]
    Failed { program: &'static str, output: String },
    /// A server ended, or did not answer in time; `log` holds its last lines.
    #[error("{program} {what}. Its last lines:\n{log}")]
    NotReady { program: &'static str, what: &'static str, log: String },
    /// PostgreSQL ignored both a fast and an immediate shutdown.
    #[error("PostgreSQL (process {0}) does not stop")]
    StillRunning(i32),
    /// The operating system gave no random bytes for a password or a name.
    #[error("no random bytes")]
    Random(#[from] getrandom::Error),
}

impl Error {
    /// For `map_err`: `File` with what was being done to which path.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { action, path: path.to_owned(), source }
    }

    /// For `map_err`: `Run` with the program.
    pub(crate) fn run(program: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Run { program: program.to_owned(), source }
    }
}
