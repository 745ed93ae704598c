//! `postmaster.pid`: what a running PostgreSQL server says about itself.

use rustix::process::Pid;

/// The lines of the file we need; which is which: `src/include/utils/pidfile.h` of PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PidFile {
    pub(crate) pid: Pid,
    pub(crate) port: u16,
    /// Whether the server accepts connections; not yet while it recovers, no more while it stops.
    pub(crate) ready: bool,
}

impl PidFile {
    /// Reads the file, which may be half written. The process id of a server in single-user mode
    /// is negative and not for us.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let pid: i32 = lines.first()?.parse().ok().filter(|pid| *pid > 0)?;
        Some(Self {
            pid: Pid::from_raw(pid)?,
            port: lines.get(3)?.parse().ok()?,
            ready: lines.get(7).is_some_and(|status| *status == "ready"),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RUNNING: &str =
        "3572\n/data/cluster\n1700000000\n54329\n\n127.0.0.1\n  5432001      7\nready   \n";

    #[test]
    fn a_running_server_is_ready_and_a_starting_one_is_not() {
        let pid = Pid::from_raw(3572).unwrap();
        assert_eq!(PidFile::parse(RUNNING), Some(PidFile { pid, port: 54329, ready: true }));
        let starting = RUNNING.replace("ready   ", "starting");
        assert_eq!(PidFile::parse(&starting), Some(PidFile { pid, port: 54329, ready: false }));
    }

    #[test]
    fn single_user_mode_and_an_empty_file_are_no_server() {
        assert_eq!(PidFile::parse(""), None);
        assert_eq!(PidFile::parse("0\n/d\n1\n5432\n"), None);
        assert_eq!(PidFile::parse(&format!("-{RUNNING}")), None);
    }

    proptest! {
        #[test]
        fn a_file_cut_off_anywhere_is_never_taken_for_ready(end in 0..RUNNING.len() - 4) {
            prop_assert!(PidFile::parse(&RUNNING[..end]).is_none_or(|it| !it.ready));
        }

        #[test]
        fn any_text_is_read_without_panic(text in "(\\PC|\n){0,200}") {
            PidFile::parse(&text);
        }

        #[test]
        fn pid_and_port_are_read_back(pid in 1..i32::MAX, port: u16) {
            let file = PidFile::parse(&format!("{pid}\n/d\n1\n{port}\n")).unwrap();
            prop_assert_eq!((file.pid.as_raw_nonzero().get(), file.port), (pid, port));
        }
    }
}
