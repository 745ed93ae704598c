//! The program under test: started, watched, killed.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use kit_test::Database;

/// One test's platform: its database, its folder, the environment of its processes.
pub struct Stage {
    pub database: Database,
    pub folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

/// A running process; killed when dropped.
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Stage {
    pub async fn new() -> Self {
        let database = Database::create(&[]).await;
        let folder = tempfile::tempdir().unwrap();
        let environment = vec![
            ("LOOP_DATABASE_URL".into(), database.url()),
            ("LOOP_SECRET_KEY".into(), kit_test::key_hex()),
            // Stages share one Redis and one NATS, so each test is a stage of its own.
            ("LOOP_STAGE".into(), format!("t{}-{}", std::process::id(), free_port())),
            ("LOOP_LOG".into(), "info".into()),
        ];
        Self { database, folder, environment }
    }

    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.environment.push((name.into(), value.into()));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loop-under-test"));
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts a process that stays.
    pub fn start(&self, name: &str, arguments: &[&str]) -> Running {
        let log = self.path(&format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log).unwrap();
        let child = self
            .command(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Running { child, log }
    }

    /// Starts the whole platform in one process, ready for calls.
    pub fn up(&self) -> Running {
        let _ = fs::remove_file(self.path("data/credentials.json"));
        let mut running = self.start("up", &["up", "--listen", "127.0.0.1:0", "--data", "data"]);
        running.wait_for(&self.path("data/credentials.json"));
        running
    }

    /// Runs a process to its end.
    pub fn run(&self, arguments: &[&str]) -> std::process::Output {
        self.command(arguments).output().unwrap()
    }

    pub fn demo(&self, credentials: &Path) -> Command {
        let credentials = credentials.to_str().unwrap();
        self.command(&["demo", "partner-gym", "--credentials", credentials])
    }
}

impl Running {
    /// Waits until a file is there; fails, with the log, if the process ends before.
    pub fn wait_for(&mut self, file: &Path) {
        self.wait_until(&format!("{} appears", file.display()), || file.exists());
    }

    pub fn wait_until(&mut self, what: &str, mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !holds() {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("ended with {status} before {what}:\n{}", self.log());
            }
            assert!(Instant::now() < deadline, "waited in vain until {what}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// As a power cut would: no handler runs.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// As Ctrl-C does. The exit must be clean and in time.
    pub fn interrupt(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "does not stop:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        };
        assert!(status.success(), "stopped with {status}:\n{}", self.log());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
