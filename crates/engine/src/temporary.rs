//! Servers for tests: a free port, a folder that goes away, an end together with the parent.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;
use std::{env, io};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::process::{self, Target, Watchdog};
use crate::{Error, Result};

/// Python needs a second or two; a loaded machine needs patience.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// How often a server may lose the race for its port before we believe it is broken.
const ATTEMPTS: usize = 3;

/// A new folder under the system's temporary one, removed when dropped.
pub(crate) struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    pub(crate) fn create() -> Result<Self> {
        let mut name = [0; 8];
        getrandom::fill(&mut name)?;
        // Root's own temporary folder may be closed to the account PostgreSQL runs as.
        let is_root = rustix::process::geteuid().is_root();
        let parent = if is_root { PathBuf::from("/tmp") } else { env::temp_dir() };
        let path = parent.join(format!("loop-{}", hex::encode(name)));
        // Others may pass through but not look around: PostgreSQL may run as another account.
        DirBuilder::new().mode(0o711).create(&path).map_err(Error::file("create", &path))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// How to start one kind of server and how to tell that it answers.
pub(crate) struct Recipe {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    /// Adds the arguments for a port of 127.0.0.1 and a folder.
    pub(crate) arguments: fn(&mut Command, u16, &Path),
    /// Whether the server on this port answers as this kind of server does.
    pub(crate) answers: fn(u16) -> io::Result<bool>,
}

/// A running server of no lasting value; stopped and forgotten when dropped.
pub(crate) struct TemporaryServer {
    child: Child,
    port: u16,
    _watchdog: Watchdog,
    _folder: TemporaryFolder,
}

impl TemporaryServer {
    pub(crate) fn start(recipe: &Recipe) -> Result<Self> {
        let mut attempt = 1;
        loop {
            match Self::try_start(recipe) {
                Err(Error::NotReady { .. }) if attempt < ATTEMPTS => attempt += 1,
                result => return result,
            }
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    fn try_start(recipe: &Recipe) -> Result<Self> {
        let folder = TemporaryFolder::create()?;
        let port = process::free_port()?;
        let log = folder.path().join("server.log");
        let mut command = Command::new(&recipe.program);
        (recipe.arguments)(&mut command, port, folder.path());
        process::detach(command.current_dir(folder.path()), &log)?;
        let mut child = command.spawn().map_err(Error::run(&recipe.program))?;
        let watchdog = Watchdog::start(Target::Group(Pid::from_child(&child)), folder.path())
            .inspect_err(|_| drop(child.kill()))?;
        let mut server = Self { child, port, _watchdog: watchdog, _folder: folder };
        server.wait_until_it_answers(recipe, &log)?;
        Ok(server)
    }

    fn wait_until_it_answers(&mut self, recipe: &Recipe, log: &Path) -> Result<()> {
        let outcome = process::poll(READY_WITHIN, || match self.child.try_wait() {
            Ok(None) => (recipe.answers)(self.port).is_ok_and(|it| it).then_some(true),
            _ => Some(false),
        });
        let what = match outcome {
            Some(true) => return Ok(()),
            Some(false) => "ended at once",
            None => "did not answer in time",
        };
        let log = process::last_lines(log);
        Err(Error::NotReady { program: recipe.name, what, log })
    }
}

impl Drop for TemporaryServer {
    fn drop(&mut self) {
        // The group, because the program may be a wrapper that started the server proper.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(program: &str, arguments: fn(&mut Command, u16, &Path)) -> Recipe {
        let program = process::find_program(program).unwrap();
        Recipe { name: "the server", program, arguments, answers: |_| Ok(false) }
    }

    #[test]
    fn a_folder_is_gone_with_all_it_holds_when_dropped() {
        let folder = TemporaryFolder::create().unwrap();
        let path = folder.path().to_owned();
        fs::write(path.join("file"), "text").unwrap();
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn a_server_that_ends_is_reported_with_its_last_words() {
        let recipe = recipe("sh", |command, _, _| {
            command.args(["-c", "echo no such option >&2; exit 3"]);
        });
        let error = TemporaryServer::start(&recipe).err().unwrap();
        assert_eq!(error.to_string(), "the server ended at once. Its last lines:\nno such option");
    }
}
