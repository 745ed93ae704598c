//! Processes: finding programs, waiting with a deadline, signals, and dying with the parent.

use std::ffi::OsStr;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use rustix::process::{Pid, test_kill_process};

use crate::{Error, Result};

/// Where servers live that an ordinary account's `PATH` often leaves out.
const SERVER_FOLDERS: [&str; 2] = ["/usr/local/sbin", "/usr/sbin"];

/// Reads until the parent's end of the pipe closes, then ends the server and removes its folder.
/// `$1` is what to signal (a process, or a group as a negative number), `$2` the signal, `$3` the
/// folder. The wait lets a server that shuts down finish before its files go.
const WATCHDOG: &str = r#"
read -r _
kill -"$2" "$1"
tries=0
while kill -0 "$1" && [ "$tries" -lt 100 ]; do sleep 0.05; tries=$((tries + 1)); done
rm -rf -- "$3"
"#;

/// The first executable file called `name` on `PATH` or among the usual folders of servers.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(SERVER_FOLDERS.map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|file| is_executable(file))
}

/// Whether somebody may execute this file.
pub(crate) fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

/// Asks every 10 ms until `probe` has an answer; `None` once `limit` has passed.
pub(crate) fn poll<T>(limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = probe() {
            return Some(answer);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// A port of 127.0.0.1 that nobody listens on now. Another program may take it before its use.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::NoFreePort)?;
    Ok(listener.local_addr().map_err(Error::NoFreePort)?.port())
}

/// Whether a server could listen on this port of 127.0.0.1.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// A connection to this port of 127.0.0.1 on which nothing waits longer than a second.
pub(crate) fn connect(port: u16) -> io::Result<TcpStream> {
    let limit = Duration::from_secs(1);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    Ok(stream)
}

/// Whether a process with this id exists, be it another account's or a zombie.
pub(crate) fn exists(pid: Pid) -> bool {
    test_kill_process(pid) != Err(rustix::io::Errno::SRCH)
}

/// Whether the living process `pid` was started with `argument` on its command line.
///
/// A process id alone proves nothing: after a restart of the machine or of the container it may
/// belong to any program. A zombie has no command line.
pub(crate) fn was_started_with(pid: Pid, argument: &Path) -> bool {
    let argument = argument.as_os_str().as_encoded_bytes();
    command_line(pid).is_some_and(|line| line.windows(argument.len()).any(|it| it == argument))
}

fn command_line(pid: Pid) -> Option<Vec<u8>> {
    let pid = pid.as_raw_nonzero().to_string();
    if Path::new("/proc/self/cmdline").exists() {
        return fs::read(Path::new("/proc").join(pid).join("cmdline")).ok();
    }
    let ps = Command::new("ps").args(["-ww", "-o", "args=", "-p", &pid]).output();
    ps.ok().map(|output| output.stdout)
}

/// The last 20 lines of a log, or nothing if it cannot be read.
pub(crate) fn last_lines(log: &Path) -> String {
    let text = String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// Sends both outputs of a server to `log`, gives it no input and a process group of its own.
pub(crate) fn detach(command: &mut Command, log: &Path) -> Result<()> {
    let file = fs::File::create(log).map_err(Error::file("write", log))?;
    let errors = file.try_clone().map_err(Error::file("write", log))?;
    command.stdin(Stdio::null()).stdout(file).stderr(errors).process_group(0);
    Ok(())
}

/// What a watchdog ends.
pub(crate) enum Target {
    /// The server and what it started, at once.
    Group(Pid),
    /// PostgreSQL's first process by immediate shutdown, which ends the others in good order.
    Postmaster(Pid),
}

/// A shell that ends a server and removes its folder when this process ends, even by `kill -9`.
///
/// `PR_SET_PDEATHSIG` would do it for Linux only, needs unsafe code between fork and exec, and
/// fires when the starting *thread* ends. The end of a pipe is portable and means the process.
pub(crate) struct Watchdog(Child);

impl Watchdog {
    pub(crate) fn start(target: Target, folder: &Path) -> Result<Self> {
        let (target, signal) = match target {
            Target::Group(pid) => (-pid.as_raw_nonzero().get(), "KILL"),
            Target::Postmaster(pid) => (pid.as_raw_nonzero().get(), "QUIT"),
        };
        let shell = Path::new("/bin/sh");
        Command::new(shell)
            .args(["-c", WATCHDOG, "watchdog", &target.to_string(), signal].map(OsStr::new))
            .arg(folder)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map(Self)
            .map_err(Error::run(shell))
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // Killed before its pipe closes, so that it does not signal a process id used again.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::process;

    use super::*;
    use crate::temporary::TemporaryFolder;

    fn me() -> Pid {
        Pid::from_raw(process::id() as i32).unwrap()
    }

    fn sleeper() -> Child {
        let mut command = Command::new("sleep");
        command.arg("60").stdout(Stdio::null()).stderr(Stdio::null());
        command.process_group(0).spawn().unwrap()
    }

    #[test]
    fn a_program_is_found_only_if_it_can_be_executed() {
        assert!(find_program("sh").is_some());
        assert_eq!(find_program("no-such-program-anywhere"), None);
        assert!(!is_executable(Path::new("/etc/passwd")));
        assert!(!is_executable(Path::new("/")));
    }

    #[test]
    fn polling_ends_with_an_answer_or_at_the_deadline() {
        let mut left = 3;
        let answer = poll(Duration::from_secs(5), || {
            left -= 1;
            (left == 0).then_some("done")
        });
        assert_eq!(answer, Some("done"));
        assert_eq!(poll(Duration::ZERO, || None::<()>), None);
    }

    #[test]
    fn a_port_is_free_until_somebody_listens() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(!is_free(port));
        drop(listener);
        assert!(is_free(port));
    }

    #[test]
    fn a_process_is_known_by_its_command_line_and_not_by_its_id() {
        let program = env::args_os().next().unwrap();
        assert!(exists(me()));
        assert!(was_started_with(me(), Path::new(&program)));
        assert!(!was_started_with(me(), Path::new("/some/other/folder/cluster")));
    }

    #[test]
    fn a_process_that_ended_is_gone() {
        let mut child = Command::new("true").spawn().unwrap();
        let pid = Pid::from_child(&child);
        child.wait().unwrap();
        assert!(!exists(pid));
        assert!(!was_started_with(pid, Path::new("true")));
    }

    #[test]
    fn a_watchdog_ends_the_server_and_removes_its_folder_when_its_pipe_closes() {
        let folder = TemporaryFolder::create().unwrap();
        let mut server = sleeper();
        let target = Target::Group(Pid::from_child(&server));
        let mut watchdog = Watchdog::start(target, folder.path()).unwrap();
        assert!(server.try_wait().unwrap().is_none());
        drop(watchdog.0.stdin.take());
        let limit = Duration::from_secs(10);
        assert!(poll(limit, || server.try_wait().unwrap()).is_some(), "the server lives");
        let gone = poll(limit, || (!folder.path().exists()).then_some(()));
        assert!(gone.is_some(), "the folder is still there");
    }

    #[test]
    fn a_watchdog_that_is_dropped_leaves_the_server_alone() {
        let folder = TemporaryFolder::create().unwrap();
        let mut server = sleeper();
        drop(Watchdog::start(Target::Group(Pid::from_child(&server)), folder.path()).unwrap());
        assert!(server.try_wait().unwrap().is_none());
        assert!(folder.path().exists());
        server.kill().unwrap();
        server.wait().unwrap();
    }
}
