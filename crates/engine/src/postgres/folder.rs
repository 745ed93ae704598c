//! The data folder: the cluster, and beside it the lock, the password, the port and the log.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{self, Path, PathBuf};
use std::process::Command;

use super::SUPERUSER;
use super::account::Account;
use super::installation::{self, Installation};
use super::pid_file::PidFile;
use crate::{Error, Result};

/// Where root keeps the data of a project that the server's account cannot reach.
const FALLBACK: &str = "/var/lib/loop-platform";

/// A data folder that is ours until dropped: nobody else can open it meanwhile.
pub(crate) struct DataFolder {
    path: PathBuf,
    account: Option<Account>,
    _lock: File,
}

impl DataFolder {
    /// Opens the folder, making it if need be; root may be led to the fallback instead.
    pub(crate) fn open(wanted: &Path) -> Result<Self> {
        let wanted = path::absolute(wanted).map_err(Error::file("find", wanted))?;
        let account = Account::for_server(&wanted.join("cluster"))?;
        prepare(&wanted, account)?;
        if account.is_none_or(|it| it.can_use(&wanted)) {
            return Self::lock(&wanted, account);
        }
        let instead = fallback(&wanted);
        eprintln!(
            "PostgreSQL's account cannot reach {}; the data is kept in {}",
            wanted.display(),
            instead.display()
        );
        // Only if it is empty, which it is if it was made just now.
        let _ = fs::remove_dir(&wanted);
        let account = Account::for_server(&instead.join("cluster"))?;
        prepare(&instead, account)?;
        Self::lock(&instead, account)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn cluster(&self) -> PathBuf {
        self.path.join("cluster")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path.join("server.log")
    }

    /// What the server wrote about itself into the cluster, if it runs or did not end in order.
    pub(crate) fn pid_file(&self) -> Option<PidFile> {
        PidFile::parse(&fs::read_to_string(self.cluster().join("postmaster.pid")).ok()?)
    }

    /// Removes what a server that is certainly gone wrote about itself.
    pub(crate) fn remove_pid_file(&self) -> Result<()> {
        let file = self.cluster().join("postmaster.pid");
        fs::remove_file(&file).map_err(Error::file("remove", &file))
    }

    /// The major version that made the cluster, or `None` if there is no cluster yet.
    pub(crate) fn version(&self) -> Option<u32> {
        let text = fs::read_to_string(self.cluster().join("PG_VERSION")).ok()?;
        text.trim().parse().ok()
    }

    /// The superuser's password, made on first use.
    pub(crate) fn password(&self) -> Result<String> {
        let file = self.path.join("password");
        match fs::read_to_string(&file) {
            Err(error) if error.kind() == ErrorKind::NotFound && self.version().is_none() => {
                let mut bytes = [0; 32];
                getrandom::fill(&mut bytes)?;
                let password = hex::encode(bytes);
                self.write(&file, &password)?;
                Ok(password)
            }
            result => result.map_err(Error::file("read", &file)),
        }
    }

    /// The port of the last start, if there was one.
    pub(crate) fn port(&self) -> Option<u16> {
        fs::read_to_string(self.path.join("port")).ok()?.parse().ok()
    }

    pub(crate) fn remember_port(&self, port: u16) -> Result<()> {
        self.write(&self.path.join("port"), &port.to_string())
    }

    /// Makes the cluster beside its place and moves it there at the end, so that there is a whole
    /// one or none, whenever we are killed.
    pub(crate) fn initialise(&self, installation: &Installation, durable: bool) -> Result<()> {
        let unfinished = self.path.join("cluster.unfinished");
        match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Error::file("remove", &unfinished)(error));
            }
            _ => {}
        }
        let mut initdb = self.command(&installation.program("initdb")?);
        initdb.arg("--pgdata").arg(&unfinished).args(["--username", SUPERUSER]);
        initdb.arg("--pwfile").arg(self.path.join("password"));
        initdb.args(["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]);
        initdb.args((!durable).then_some("--no-sync"));
        run("initdb", initdb)?;
        let cluster = self.cluster();
        fs::rename(&unfinished, &cluster).map_err(Error::file("finish", &cluster))
    }

    /// A command that runs in this folder as the server's account.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = installation::command(program);
        command.current_dir(&self.path).env("HOME", &self.path);
        if let Some(account) = self.account {
            account.assign(&mut command);
        }
        command
    }

    fn lock(folder: &Path, account: Option<Account>) -> Result<Self> {
        let path = fs::canonicalize(folder).map_err(Error::file("find", folder))?;
        let file = path.join("lock");
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(false).mode(0o600);
        let lock = options.open(&file).map_err(Error::file("open", &file))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, account, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::InUse(path)),
            Err(TryLockError::Error(error)) => Err(Error::file("lock", &file)(error)),
        }
    }

    /// Writes a file that only the server's account can read, whole or not at all.
    fn write(&self, file: &Path, text: &str) -> Result<()> {
        let unfinished = file.with_extension("unfinished");
        let write = || {
            let mut options = OpenOptions::new();
            options.create(true).write(true).truncate(true).mode(0o600);
            options.open(&unfinished)?.write_all(text.as_bytes())?;
            fs::rename(&unfinished, file)
        };
        write().map_err(Error::file("write", file))?;
        self.account.map_or(Ok(()), |it| it.own(file))
    }
}

/// Runs a program to its end; its output is the result or the error.
pub(crate) fn run(program: &'static str, mut command: Command) -> Result<String> {
    let path = PathBuf::from(command.get_program());
    let output = command.output().map_err(Error::run(&path))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(Error::Failed { program, output: text(&output.stderr) })
}

/// Makes the folder and hands it over to the server's account, unless it has been in use before.
fn prepare(folder: &Path, account: Option<Account>) -> Result<()> {
    let parent = folder.parent().unwrap_or(folder);
    fs::create_dir_all(parent).map_err(Error::file("create", parent))?;
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(Error::file("create", folder)(error));
        }
        _ => {}
    }
    let mut entries = fs::read_dir(folder).map_err(Error::file("read", folder))?;
    if entries.next().is_some() {
        return Ok(());
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
        .map_err(Error::file("change the permissions of", folder))?;
    account.map_or(Ok(()), |it| it.own(folder))
}

/// A place of its own for every project, the same each time: FNV-1a (64 bits) of the path.
fn fallback(wanted: &Path) -> PathBuf {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    let hash = wanted.as_os_str().as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, step);
    Path::new(FALLBACK).join(format!("{hash:016x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::temporary::TemporaryFolder;

    #[test]
    fn a_folder_is_opened_once_at_a_time() {
        let parent = TemporaryFolder::create().unwrap();
        let path = parent.path().join("data");
        let folder = DataFolder::open(&path).unwrap();
        assert!(matches!(DataFolder::open(&path), Err(Error::InUse(_))));
        drop(folder);
        assert!(DataFolder::open(&path).is_ok());
    }

    #[test]
    fn the_password_is_made_once_and_is_for_nobody_else_to_read() {
        let parent = TemporaryFolder::create().unwrap();
        let folder = DataFolder::open(&parent.path().join("data")).unwrap();
        let password = folder.password().unwrap();
        assert_eq!(password.len(), 64);
        assert_eq!(folder.password().unwrap(), password);
        let file = fs::metadata(folder.path().join("password")).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_lost_password_of_an_existing_cluster_is_an_error_and_not_a_new_one() {
        let parent = TemporaryFolder::create().unwrap();
        let folder = DataFolder::open(&parent.path().join("data")).unwrap();
        fs::create_dir(folder.cluster()).unwrap();
        fs::write(folder.cluster().join("PG_VERSION"), "15\n").unwrap();
        assert_eq!(folder.version(), Some(15));
        assert!(folder.password().unwrap_err().to_string().starts_with("cannot read"));
    }

    #[test]
    fn the_port_is_remembered() {
        let parent = TemporaryFolder::create().unwrap();
        let folder = DataFolder::open(&parent.path().join("data")).unwrap();
        assert_eq!(folder.port(), None);
        folder.remember_port(5433).unwrap();
        assert_eq!(folder.port(), Some(5433));
    }

    #[test]
    fn every_project_has_its_own_fallback() {
        // The second test vector of the FNV reference: the hash of "a".
        assert_eq!(fallback(Path::new("a")), Path::new(FALLBACK).join("af63dc4c8601ec8c"));
        assert_ne!(fallback(Path::new("/srv/one")), fallback(Path::new("/srv/two")));
    }
}
