//! Which account PostgreSQL runs as: ours, unless we are root, which PostgreSQL refuses.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{Error, Result};

/// Accounts that may run the server, the best first.
const NAMES: [&str; 2] = ["postgres", "nobody"];

/// The account root lends the server to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    /// The account to start the server of `cluster` as, or `None` to start it as ourselves.
    ///
    /// Root works on with the owner of an existing cluster, so that a `sudo loop up` does not take
    /// it away from its developer.
    pub(crate) fn for_server(cluster: &Path) -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        if let Some(owner) = fs::metadata(cluster).ok().filter(|it| it.uid() != 0) {
            return Ok(Some(Self { uid: owner.uid(), gid: owner.gid() }));
        }
        let passwd = Path::new("/etc/passwd");
        let text = fs::read_to_string(passwd).map_err(Error::file("read", passwd))?;
        NAMES.iter().find_map(|name| find(&text, name)).map(Some).ok_or(Error::NoAccount)
    }

    pub(crate) fn own(self, path: &Path) -> Result<()> {
        chown(path, Some(self.uid), Some(self.gid))
            .map_err(Error::file("change the owner of", path))
    }

    pub(crate) fn assign(self, command: &mut Command) {
        // The standard library also drops root's supplementary groups.
        command.uid(self.uid).gid(self.gid);
    }

    /// Whether the account owns the folder and can reach and change it. Tried rather than computed,
    /// because access lists and mounts have a say too.
    pub(crate) fn can_use(self, folder: &Path) -> bool {
        let mut probe = Command::new("/bin/sh");
        probe.args(["-c", "test -w ."]).current_dir(folder).stderr(Stdio::null());
        self.assign(&mut probe);
        let owns = fs::metadata(folder).is_ok_and(|it| it.uid() == self.uid);
        owns && probe.status().is_ok_and(|it| it.success())
    }
}

/// Finds an account by name in the text of `/etc/passwd`, see passwd(5).
fn find(passwd: &str, name: &str) -> Option<Account> {
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut ids = line.split(':').skip(2);
    Some(Account { uid: ids.next()?.parse().ok()?, gid: ids.next()?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n\
                          postgres-old:x:7:7::/:/bin/sh\n\
                          postgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\n\
                          broken\n\
                          nobody:x:65534:65533:nobody:/nonexistent:/usr/sbin/nologin\n";

    #[test]
    fn an_account_is_found_by_its_whole_name() {
        assert_eq!(find(PASSWD, "postgres"), Some(Account { uid: 101, gid: 104 }));
        assert_eq!(find(PASSWD, "nobody"), Some(Account { uid: 65534, gid: 65533 }));
        assert_eq!(find(PASSWD, "post"), None);
        assert_eq!(find(PASSWD, "broken"), None);
    }
}
