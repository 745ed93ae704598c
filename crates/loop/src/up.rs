//! `loop up`: everything in one process, on an embedded default.

use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::Context as _;
use engine::{Postgres, PostgresOptions};
use kit::PlatformKey;
use sqlx::postgres::PgConnectOptions;

use crate::{
    SERVICES,
    config::Config,
    process::{Backends, Process, bind},
};

#[derive(Clone, Debug, clap::Args)]
pub struct Up {
    #[command(flatten)]
    pub config: Config,

    /// Where the API is served
    #[arg(long, env = "LOOP_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// Where the database, the key and the demo's credentials are kept
    #[arg(long, env = "LOOP_DATA", default_value = ".loop")]
    pub data: PathBuf,
}

/// Runs until stopped. Postgres is started before the runtime and stopped after it, so that no
/// task ever meets a database that is gone.
pub fn run(up: &Up) -> anyhow::Result<()> {
    let began = Instant::now();
    up.config.door.tls()?; // Before a database is started for nothing.
    fs::create_dir_all(&up.data)
        .with_context(|| format!("make the folder {}", up.data.display()))?;
    let key = match &up.config.secret_key {
        Some(key) => key.clone(),
        None => own_key(&up.data.join("key"))?,
    };
    let (postgres, database) = database(up)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(serve(up, key, &database, began));
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    if let Some(postgres) = postgres {
        postgres.stop()?;
    }
    ended?;
    eprintln!("Stopped. The data stays in {}; `make reset` forgets it.", up.data.display());
    Ok(())
}

/// The database and key of the `loop up` that runs, or ran, on a data folder.
pub fn own(data: &Path) -> anyhow::Result<(PgConnectOptions, PlatformKey)> {
    let path = data.join("credentials.json");
    let text = fs::read_to_string(&path).with_context(|| {
        format!("read {}; start the platform with `make up`, or set LOOP_DATABASE_URL and LOOP_SECRET_KEY", path.display())
    })?;
    let json: serde_json::Value = serde_json::from_str(&text)?;
    let url = json["database_url"].as_str().context("the file names no database_url")?;
    let path = data.join("key");
    let key = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let key =
        key.parse().map_err(|rule| anyhow::anyhow!("the key in {} {rule}", path.display()))?;
    Ok((url.parse()?, key))
}

/// The address of the database that is configured, or of one of our own.
fn database(up: &Up) -> anyhow::Result<(Option<Postgres>, String)> {
    if let Some(address) = &up.config.database_url {
        return Ok((None, address.as_str().to_owned()));
    }
    let postgres = Postgres::start(PostgresOptions {
        data: up.data.join("postgres"),
        port: None,
        durable: true,
    })?;
    postgres.create_database_if_absent("loop")?;
    let url = postgres.url("loop");
    Ok((Some(postgres), url))
}

async fn serve(
    up: &Up,
    key: PlatformKey,
    database_url: &str,
    began: Instant,
) -> anyhow::Result<()> {
    let database: PgConnectOptions = database_url.parse().context("the database's address")?;
    let listener = bind(up.listen).await?;
    let public_url = match &up.config.public_url {
        Some(url) => url.to_string(),
        None => up.config.door.own_url(listener.local_addr()?),
    };
    kit::migrate(&database, &key, SERVICES).await?;
    let config = Config { demo_data: true, ..up.config.clone() };
    let backends = Backends::open(&config, database, key.clone(), &public_url).await?;
    let process = Process::new(backends, &config)?;
    process.run_services(SERVICES).await?;
    process.serve_edge(listener)?;
    process.serve_canonical_edge().await?;
    let credentials = Credentials::of(&key, public_url.trim_end_matches('/'), database_url);
    credentials.write(&up.data.join("credentials.json"))?;
    credentials.announce(began);
    process.run_until_stopped().await
}

/// What a person needs to try the platform.
struct Credentials {
    api: String,
    database_url: String,
    operator_id: String,
    operator_secret: String,
    member: &'static str,
    member_password: String,
}

impl Credentials {
    fn of(key: &PlatformKey, api: &str, database_url: &str) -> Self {
        let operator_id = kit::client_id("operator");
        Self {
            api: api.to_owned(),
            database_url: database_url.to_owned(),
            operator_secret: key.client_secret(&operator_id).expose().to_owned(),
            operator_id,
            member: identity::DEMO_EMAIL,
            member_password: identity::demo_password(key),
        }
    }

    fn write(&self, path: &Path) -> anyhow::Result<()> {
        let json = serde_json::json!({
            "api": self.api,
            "database_url": self.database_url,
            "operator": {"client_id": self.operator_id, "client_secret": self.operator_secret},
            "member": {"email": self.member, "password": self.member_password},
        });
        let text = serde_json::to_string_pretty(&json)? + "\n";
        write_private(path, text.as_bytes())
    }

    fn announce(&self, began: Instant) {
        let api = &self.api;
        eprintln!(
            "\nThe Loop Platform is up, {:.1} s after its start.\n\n  \
             API        {api}\n  \
             OpenAPI    {api}/openapi.json\n  \
             Sign in    {}\n             \
             as {} with the password {}\n  \
             Try it     curl {api}/healthz\n             \
             make demo plays a partner app's whole story\n  \
             Stop       Ctrl-C\n",
            began.elapsed().as_secs_f64(),
            identity::demo_sign_in(api),
            self.member,
            self.member_password,
        );
    }
}

/// The key of a platform that has none configured: made once, kept beside its data.
fn own_key(path: &Path) -> anyhow::Result<PlatformKey> {
    if let Ok(text) = fs::read_to_string(path) {
        let parsed = text.parse::<PlatformKey>();
        return parsed.map_err(|rule| anyhow::anyhow!("the key in {} {rule}", path.display()));
    }
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    write_private(path, hex::encode(bytes).as_bytes())?;
    Ok(PlatformKey::new(bytes))
}

/// Writes a file that only its owner reads, whole or not at all.
fn write_private(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let draft = path.with_extension("draft");
    let _ = fs::remove_file(&draft);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&draft, path).with_context(|| format!("write {}", path.display()))
}
