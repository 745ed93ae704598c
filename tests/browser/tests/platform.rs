//! The platform that pages are opened of: all of it, in this process, shared by all tests.

use std::sync::{OnceLock, mpsc};

use kit_test::Database;
use loop_platform::{
    SERVICES,
    config::Config,
    process::{Backends, Process},
};
use tokio::net::TcpListener;

/// Where the platform is, and who may use it.
#[derive(Clone, Debug)]
pub struct Platform {
    pub url: String,
    pub operator: String,
    pub operator_secret: String,
    pub member_password: String,
}

/// The one platform, started when it is first asked for. It lives on a thread of its own, as
/// each test's runtime ends with its test.
pub fn platform() -> &'static Platform {
    static PLATFORM: OnceLock<Platform> = OnceLock::new();
    PLATFORM.get_or_init(|| {
        let (started, platform) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let (_process, platform) = start().await;
                started.send(platform).unwrap();
                std::future::pending::<()>().await;
            });
        });
        platform.recv().expect("the platform starts")
    })
}

async fn start() -> (Process, Platform) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let config = Config {
        database_url: None,
        redis_url: None,
        nats_url: None,
        secret_key: None,
        stage: "browser".into(),
        public_url: None,
        peers: Vec::new(),
        demo_data: true,
        database_connections: 4,
        door: Default::default(),
    };
    let database = Database::create(SERVICES).await;
    let key = kit_test::key();
    let options = database.options().clone();
    let backends = Backends::open(&config, options, key.clone(), &url).await.unwrap();
    let process = Process::new(backends, &config).unwrap();
    process.run_services(SERVICES).await.unwrap();
    process.serve_edge(listener).unwrap();
    let operator = kit::client_id("operator");
    let platform = Platform {
        url,
        operator_secret: key.client_secret(&operator).expose().to_owned(),
        operator,
        member_password: identity::demo_password(&key),
    };
    (process, platform)
}
