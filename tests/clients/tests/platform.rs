//! The platform under test: everything in one process, on a database of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::{Duration, Instant},
};

use clap::Parser as _;
use kit_test::Database;
use loop_platform::up::{self, Up};

use crate::tool::{run, tool};

/// Where it is, and who may use it.
pub struct Platform {
    /// Its folder, with the credentials.
    pub data: PathBuf,
    pub api: String,
    pub client_id: String,
    pub client_secret: String,
    pub member: String,
    pub member_password: String,
}

impl Platform {
    /// The one that all tests share. It ends with the process.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Platform> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    fn start() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("platform");
        let _ = fs::remove_dir_all(&folder);
        let up = arguments(&folder, &database());
        let running = std::thread::spawn(move || up::run(&up));
        let credentials = folder.join("credentials.json");
        let deadline = Instant::now() + Duration::from_secs(60);
        while !credentials.exists() {
            assert!(!running.is_finished(), "it ended at once: {:?}", running.join());
            assert!(Instant::now() < deadline, "it is not up in time");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self::read(folder, &credentials)
    }

    fn read(data: PathBuf, credentials: &Path) -> Self {
        let text = fs::read_to_string(credentials).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let at = |pointer: &str| json.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        Self {
            data,
            api: at("/api"),
            client_id: at("/operator/client_id"),
            client_secret: at("/operator/client_secret"),
            member: at("/member/email"),
            member_password: at("/member/password"),
        }
    }

    /// A token of the machine client, in the brand `loop`.
    pub fn token(&self) -> String {
        let user = format!("{}:{}", self.client_id, self.client_secret);
        let mut curl = tool("curl");
        curl.args(["--silent", "--show-error", "--fail", "--user", &user]);
        curl.args(["--data", "grant_type=client_credentials", "--data", "brand_id=loop"]);
        let told = run(curl.arg(format!("{}/v1/oauth/token", self.api)));
        let json: serde_json::Value = serde_json::from_str(&told).unwrap();
        json["access_token"].as_str().unwrap().to_owned()
    }

    /// What a script needs to know of it, as environment variables.
    pub fn environment(&self) -> [(&'static str, &str); 7] {
        [
            ("LOOP_API", &self.api),
            ("LOOP_CLIENT_ID", &self.client_id),
            ("LOOP_CLIENT_SECRET", &self.client_secret),
            ("LOOP_MEMBER", &self.member),
            ("LOOP_MEMBER_PASSWORD", &self.member_password),
            ("LOOP_USER_ID", identity::DEMO_USER),
            ("LOOP_PATIENT_ID", patient_graph::DEMO_PATIENT),
        ]
    }
}

/// A database that no other test has.
fn database() -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Database::create(&[])).url()
}

fn arguments(folder: &Path, database: &str) -> Up {
    #[derive(clap::Parser)]
    struct Arguments {
        #[command(flatten)]
        up: Up,
    }
    let data: PathBuf = folder.into();
    Arguments::parse_from([
        "up",
        "--listen=127.0.0.1:0",
        &format!("--data={}", data.display()),
        &format!("--database-url={database}"),
        &format!("--secret-key={}", kit_test::key_hex()),
    ])
    .up
}
