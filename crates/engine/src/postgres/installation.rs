//! Where PostgreSQL's programs are on this machine, and which version they are.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::process::{find_program, is_executable};
use crate::{Error, Result};

/// The oldest version we test against.
const OLDEST: u32 = 14;

const REMEDY: &str = "Version 14 or later of the server is needed: Debian and Ubuntu \
     `apt-get install postgresql`, Fedora `dnf install postgresql-server`, Alpine `apk add \
     postgresql postgresql-client`, macOS `brew install postgresql@17`. If it is somewhere \
     unusual, set LOOP_POSTGRES_BIN to its bin folder; to use a running server, set \
     LOOP_DATABASE_URL";

/// Folders with one folder per installed version: parent, beginning of the name, rest of the path.
const PLACES: [(&str, &str, &str); 5] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/usr/libexec", "postgresql", ""),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
];

/// One installed version of PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Installation {
    folder: PathBuf,
    major: u32,
}

impl Installation {
    /// The installation to use for data made by version `wanted`, or for new data.
    ///
    /// `LOOP_POSTGRES_BIN` is the only candidate when set. Otherwise the one on `PATH` comes
    /// first, then the others, newest first.
    pub(crate) fn find(data: &Path, wanted: Option<u32>) -> Result<Self> {
        choose(candidates(), data, wanted)
    }

    /// A program of this installation. `psql` may be packaged apart and then is found on `PATH`.
    pub(crate) fn program(&self, name: &'static str) -> Result<PathBuf> {
        let beside = Some(self.folder.join(name)).filter(|it| is_executable(it));
        let found = beside.or_else(|| find_program(name).filter(|_| name == "psql"));
        found.ok_or(Error::NotInstalled { program: name, remedy: REMEDY })
    }

    fn inspect(folder: PathBuf) -> Option<Self> {
        let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
        let major = major_version(&String::from_utf8_lossy(&output.stdout))?;
        Some(Self { folder, major })
    }
}

/// A command without the `PG*` variables of the developer's shell, which would change its meaning.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    let is_ours = |name: &OsString| name.as_encoded_bytes().starts_with(b"PG");
    for (name, _) in env::vars_os().filter(|(name, _)| is_ours(name)) {
        command.env_remove(name);
    }
    command.env("LC_ALL", "C");
    command
}

fn candidates() -> Vec<Installation> {
    if let Some(folder) = env::var_os("LOOP_POSTGRES_BIN") {
        let folder = fs::canonicalize(folder).ok();
        return folder.and_then(Installation::inspect).into_iter().collect();
    }
    let on_path = find_program("postgres").and_then(|it| fs::canonicalize(it).ok());
    let on_path = on_path.and_then(|it| it.parent().map(Path::to_owned));
    let mut others: Vec<_> =
        PLACES.into_iter().flat_map(installed).filter_map(Installation::inspect).collect();
    others.sort_by_key(|it| std::cmp::Reverse(it.major));
    on_path.and_then(Installation::inspect).into_iter().chain(others).collect()
}

fn installed((parent, beginning, rest): (&str, &str, &str)) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else { return Vec::new() };
    let versions = entries
        .flatten()
        .filter(|it| it.file_name().to_str().is_some_and(|name| name.starts_with(beginning)));
    let folders = versions.map(|it| it.path().join(rest));
    folders.filter(|it| is_executable(&it.join("postgres"))).collect()
}

fn choose(candidates: Vec<Installation>, data: &Path, wanted: Option<u32>) -> Result<Installation> {
    let mut recent = candidates.into_iter().filter(|it| it.major >= OLDEST).peekable();
    let first = recent.peek().cloned();
    let first = first.ok_or(Error::NotInstalled { program: "PostgreSQL", remedy: REMEDY })?;
    let Some(wanted) = wanted else { return Ok(first) };
    let other = Error::OtherVersion { data: data.to_owned(), wanted, found: first.major };
    recent.find(|it| it.major == wanted).ok_or(other)
}

/// Reads `postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)` or `… 18beta1`.
fn major_version(text: &str) -> Option<u32> {
    let version = text.strip_prefix("postgres (PostgreSQL) ")?;
    let end = version.find(|it: char| !it.is_ascii_digit()).unwrap_or(version.len());
    version[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn version(major: u32) -> Installation {
        Installation { folder: PathBuf::from(format!("/usr/lib/postgresql/{major}/bin")), major }
    }

    fn chosen(majors: &[u32], wanted: Option<u32>) -> Result<u32> {
        let candidates = majors.iter().map(|it| version(*it)).collect();
        choose(candidates, Path::new("/data"), wanted).map(|it| it.major)
    }

    #[test]
    fn new_data_gets_the_first_version_that_is_not_too_old() {
        assert_eq!(chosen(&[15, 17], None).unwrap(), 15);
        assert_eq!(chosen(&[13, 17], None).unwrap(), 17);
    }

    #[test]
    fn old_data_gets_the_version_that_made_it() {
        assert_eq!(chosen(&[15, 17, 16], Some(16)).unwrap(), 16);
        assert_eq!(
            chosen(&[17], Some(15)).unwrap_err().to_string(),
            "/data was made by PostgreSQL 15, but only 17 is installed. \
             Install 15, or move the folder away to begin anew"
        );
    }

    #[test]
    fn without_a_server_the_error_says_what_to_install() {
        for majors in [&[][..], &[9, 13]] {
            let error = chosen(majors, None).unwrap_err().to_string();
            for hint in ["apt-get install postgresql", "apk add", "brew", "LOOP_DATABASE_URL"] {
                assert!(error.contains(hint), "{hint} is missing from {error}");
            }
        }
    }

    #[test]
    fn the_version_is_read_as_servers_print_it() {
        let debian = "postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n";
        assert_eq!(major_version(debian), Some(15));
        assert_eq!(major_version("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major_version("postgres (PostgreSQL) devel\n"), None);
        assert_eq!(major_version("psql (PostgreSQL) 15.20\n"), None);
    }

    proptest! {
        #[test]
        fn any_version_is_read_whatever_follows(major: u32, rest in "([^0-9].*)?") {
            let text = format!("postgres (PostgreSQL) {major}{rest}");
            prop_assert_eq!(major_version(&text), Some(major));
        }
    }
}
