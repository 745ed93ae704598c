//! PostgreSQL over several starts, several parents and several accounts.

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use engine::{Error, Postgres, PostgresOptions, Result};
use rustix::process::{Pid, getpgid};

use crate::{answers, folder, hold, installed, is_root, kill, port, soon, spawn};

const NOBODY: u32 = 65534;

fn start(data: &Path, port: Option<u16>) -> Result<Postgres> {
    Postgres::start(PostgresOptions { data: data.to_owned(), port, durable: false })
}

fn query(url: &str, sql: &str) -> String {
    let output = Command::new("psql").args(["-XAt", url, "-c", sql]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn server_pid(data: &Path) -> Pid {
    let text = fs::read_to_string(data.join("cluster/postmaster.pid")).unwrap();
    Pid::from_raw(text.lines().next().unwrap().parse().unwrap()).unwrap()
}

fn owner(path: &Path) -> u32 {
    fs::metadata(path).unwrap().uid()
}

#[test]
fn a_second_start_finds_data_password_and_port_of_the_first() {
    let folder = folder();
    let data = folder.path().join("pg");
    let Some(first) = installed(start(&data, None)) else { return };
    first.create_database_if_absent("kept").unwrap();
    first.create_database_if_absent("kept").unwrap();
    let url = first.url("kept");
    query(&url, "CREATE TABLE t AS SELECT 42 AS answer");
    first.stop().unwrap();
    assert!(!answers(port(&url)));

    let second = start(&data, None).unwrap();
    assert_eq!(second.url("kept"), url);
    assert_eq!(query(&url, "SELECT answer FROM t"), "42");
    assert_eq!(query(&url, "SHOW server_encoding"), "UTF8");
}

#[test]
fn the_settings_are_those_asked_for_and_the_terminal_cannot_interrupt_the_server() {
    let folder = folder();
    let data = folder.path().join("pg");
    let Some(postgres) = installed(start(&data, None)) else { return };
    let setting = |name| query(&postgres.url("postgres"), &format!("SHOW {name}"));
    assert_eq!(setting("listen_addresses"), "127.0.0.1");
    assert_eq!(setting("unix_socket_directories"), "");
    assert_eq!(setting("max_connections"), "200");
    assert_eq!(setting("shared_buffers"), "64MB");
    assert_eq!(setting("fsync"), "off");
    assert_eq!(setting("password_encryption"), "scram-sha-256");
    let pid = server_pid(postgres.data());
    assert_eq!(getpgid(Some(pid)).unwrap(), pid);
}

#[test]
fn a_wrong_password_is_refused() {
    let folder = folder();
    let Some(postgres) = installed(start(&folder.path().join("pg"), None)) else { return };
    let url = format!("postgres://loop_admin:guess@127.0.0.1:{}/postgres", postgres.port());
    let output = Command::new("psql").args(["-XAt", &url, "-c", "SELECT 1"]).output().unwrap();
    assert!(!output.status.success());
}

#[test]
fn a_folder_in_use_is_refused_until_its_server_is_dropped() {
    let folder = folder();
    let data = folder.path().join("pg");
    let Some(first) = installed(start(&data, None)) else { return };
    let port = first.port();
    assert!(matches!(start(&data, None), Err(Error::InUse(_))));
    assert!(answers(port));
    drop(first);
    assert!(!answers(port));
    start(&data, None).unwrap();
}

#[test]
fn a_port_of_somebody_else_is_refused_when_asked_for_and_replaced_when_remembered() {
    let folder = folder();
    let data = folder.path().join("pg");
    let Some(first) = installed(start(&data, None)) else { return };
    let port = first.port();
    first.stop().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    assert!(matches!(start(&data, Some(port)), Err(Error::PortTaken(taken)) if taken == port));
    let other = start(&data, None).unwrap();
    assert_ne!(other.port(), port);
    assert!(answers(other.port()));
    drop(listener);
}

#[test]
fn a_server_whose_parent_was_killed_is_adopted_and_stopped_in_the_end() {
    let folder = folder();
    let data = folder.path().join("pg");
    let (mut parent, printed) = spawn(Command::new(hold()).arg(&data), 1);
    kill(&mut parent);
    let Some(url) = printed.first() else {
        return assert!(installed(start(&data, None)).is_none());
    };
    let pid = server_pid(&data);

    let adopted = start(&data, None).unwrap();
    assert_eq!(server_pid(&data), pid);
    assert_eq!(&adopted.url("postgres"), url);
    assert_eq!(query(url, "SELECT 1"), "1");
    adopted.stop().unwrap();
    assert!(!answers(port(url)));
    assert!(!data.join("cluster/postmaster.pid").exists());
}

#[test]
fn an_orphan_at_another_port_than_the_one_asked_for_is_replaced() {
    let folder = folder();
    let data = folder.path().join("pg");
    let (mut parent, printed) = spawn(Command::new(hold()).arg(&data), 1);
    kill(&mut parent);
    let Some(url) = printed.first() else {
        return assert!(installed(start(&data, None)).is_none());
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let wanted = listener.local_addr().unwrap().port();
    drop(listener);

    let postgres = start(&data, Some(wanted)).unwrap();
    assert_eq!(postgres.port(), wanted);
    assert!(answers(wanted));
    assert!(!answers(port(url)));
}

#[test]
fn a_pid_file_that_names_another_program_does_not_keep_the_server_from_starting() {
    let folder = folder();
    let data = folder.path().join("pg");
    let Some(first) = installed(start(&data, None)) else { return };
    let file = data.join("cluster/postmaster.pid");
    let text = fs::read_to_string(&file).unwrap();
    let account = owner(&data);
    first.stop().unwrap();
    // PostgreSQL itself refuses to start if a process of its own account has the number.
    let mut other = Command::new("sleep").arg("600").uid(account).spawn().unwrap();
    let stale = text.replacen(text.lines().next().unwrap(), &other.id().to_string(), 1);
    fs::write(&file, stale).unwrap();
    chown(&file, Some(account), None).unwrap();

    let second = start(&data, None).map(|it| answers(it.port()));
    kill(&mut other);
    assert!(second.unwrap());
}

#[test]
fn a_failure_shows_the_end_of_the_servers_log() {
    let folder = folder();
    let data = folder.path().join("pg");
    let Some(first) = installed(start(&data, None)) else { return };
    first.stop().unwrap();
    fs::write(data.join("cluster/postgresql.conf"), "no_such_setting = 1\n").unwrap();
    let error = start(&data, None).err().unwrap().to_string();
    assert!(error.starts_with("PostgreSQL ended at once"), "{error}");
    assert!(error.contains("no_such_setting"), "{error}");
}

#[test]
fn a_first_start_that_was_cut_off_is_done_again() {
    let folder = folder();
    let data = folder.path().join("pg");
    let Some(first) = installed(start(&data, None)) else { return };
    first.stop().unwrap();
    fs::rename(data.join("cluster"), data.join("cluster.unfinished")).unwrap();
    fs::remove_file(data.join("cluster.unfinished/PG_VERSION")).unwrap();
    let second = start(&data, None).unwrap();
    assert_eq!(query(&second.url("postgres"), "SELECT 1"), "1");
    assert!(!data.join("cluster.unfinished").exists());
}

#[test]
fn an_ordinary_account_runs_the_server_itself_and_root_keeps_to_that_account() {
    if !is_root() {
        return;
    }
    let folder = folder();
    // Elsewhere nobody may be able to reach the example.
    let program = folder.path().join("hold");
    fs::copy(hold(), &program).unwrap();
    let home = folder.path().join("home");
    fs::create_dir(&home).unwrap();
    chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
    let data = home.join("project/.loop/pg");
    let mut command = Command::new(program);
    command.arg(&data).current_dir(&home).uid(NOBODY).gid(NOBODY);
    let (mut parent, printed) = spawn(&mut command, 1);
    let Some(url) = printed.first() else {
        return assert!(installed(start(&data, None)).is_none());
    };
    assert_eq!(query(url, "SELECT 1"), "1");
    assert_eq!(owner(&data.join("cluster/postmaster.pid")), NOBODY);
    drop(parent.stdin.take());
    assert!(parent.wait().unwrap().success());
    assert!(!answers(port(url)));

    let roots = start(&data, None).unwrap();
    assert_eq!(&roots.url("postgres"), url);
    assert_eq!(owner(&data.join("cluster/postmaster.pid")), NOBODY);
}

#[test]
fn root_runs_the_server_as_another_account_and_away_from_a_closed_folder() {
    if !is_root() {
        return;
    }
    let folder = folder();
    let closed = folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    let Some(postgres) = installed(start(&closed.join("pg"), None)) else { return };
    let instead = postgres.data().to_owned();
    assert!(instead.starts_with("/var/lib/loop-platform"));
    assert_ne!(owner(&instead.join("cluster/postmaster.pid")), 0);
    assert!(!closed.join("pg").exists());
    postgres.stop().unwrap();
    assert_eq!(start(&closed.join("pg"), None).unwrap().data(), instead);
    fs::remove_dir_all(instead).unwrap();
}

#[test]
fn a_temporary_server_is_gone_with_its_data_when_dropped() {
    let Some(postgres) = installed(Postgres::start_temporary()) else { return };
    let (port, data) = (postgres.port(), postgres.data().to_owned());
    assert_eq!(query(&postgres.url("postgres"), "SELECT 1"), "1");
    drop(postgres);
    assert!(!answers(port));
    soon("the data is gone", || !data.exists());
}
