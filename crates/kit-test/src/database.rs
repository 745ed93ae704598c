//! A database per test, copied from a template that is migrated once.

use std::sync::atomic::{AtomicU32, Ordering};

use kit::{PlatformKey, Service};
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, postgres::PgConnectOptions};

/// The key of every test, so that role passwords are the same in the whole cluster.
pub fn key() -> PlatformKey {
    PlatformKey::new([0x5e; 32])
}

/// [`key`] as `LOOP_SECRET_KEY` takes it.
pub fn key_hex() -> String {
    hex::encode([0x5e; 32])
}

/// One test's own database.
#[derive(Clone, Debug)]
pub struct Database {
    options: PgConnectOptions,
}

impl Database {
    /// Makes a database with the schemas of `services`.
    pub async fn create(services: &[&Service]) -> Self {
        let server = server();
        let mut admin = PgConnection::connect_with(&server).await.expect("Postgres answers");
        let template = template(&mut admin, &server, services).await;
        let name = name();
        execute(&mut admin, &format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        Self { options: server.database(&name) }
    }

    /// How to connect as the administrator.
    pub fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// The administrator's URL, as `LOOP_DATABASE_URL` takes it.
    pub fn url(&self) -> String {
        let mut url = std::env::var("LOOP_TEST_DATABASE_URL").expect("`create` read it");
        let name = self.options.get_database().expect("`create` named it");
        // The part after the host and before any query names the database.
        let (base, query) = url.split_once('?').map_or((&*url, ""), |(base, query)| (base, query));
        let host = base.rfind('/').filter(|at| *at > base.find("//").map_or(0, |it| it + 1));
        let base = host.map_or(base, |at| &base[..at]);
        url = if query.is_empty() {
            format!("{base}/{name}")
        } else {
            format!("{base}/{name}?{query}")
        };
        url
    }

    /// A connection that no policy binds: to look at what services must not see.
    pub async fn admin(&self) -> PgConnection {
        PgConnection::connect_with(&self.options).await.expect("Postgres answers")
    }
}

fn server() -> PgConnectOptions {
    let url = std::env::var("LOOP_TEST_DATABASE_URL").expect(
        "LOOP_TEST_DATABASE_URL names no Postgres: run `make test`, or set it to an administrator's URL",
    );
    url.parse().expect("LOOP_TEST_DATABASE_URL is a postgres:// URL")
}

/// Unique in the cluster, and tells its process, so that leftovers can be swept.
fn name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!(
        "test_{}_{next}_{}",
        std::process::id(),
        hex::encode(&kit::Uuid::new_v4().as_bytes()[..4])
    )
}

/// The template of a set of schemas, named by the hash of their migrations. Made by whoever needs
/// it first, under a lock of the whole cluster.
async fn template(
    admin: &mut PgConnection,
    server: &PgConnectOptions,
    services: &[&Service],
) -> String {
    let name = format!("template_{}", fingerprint(services));
    execute(admin, "SELECT pg_advisory_lock(7001)").await;
    let exists: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(&name)
            .fetch_one(&mut *admin)
            .await
            .expect("the catalogue answers");
    if !exists {
        sweep(admin).await;
        let draft = format!("{name}_draft");
        execute(admin, &format!("DROP DATABASE IF EXISTS {draft} WITH (FORCE)")).await;
        execute(admin, &format!("CREATE DATABASE {draft}")).await;
        let migrated = kit::migrate(&server.clone().database(&draft), &key(), services).await;
        migrated.expect("the migrations run");
        execute(admin, &format!("ALTER DATABASE {draft} RENAME TO {name}")).await;
    }
    execute(admin, "SELECT pg_advisory_unlock(7001)").await;
    name
}

fn fingerprint(services: &[&Service]) -> String {
    let mut hash = Sha256::new();
    for service in services {
        hash.update(service.schema);
        service.roles.iter().for_each(|it| hash.update(it));
        service.migrations.iter().for_each(|it| hash.update(&it.checksum));
    }
    hex::encode(&hash.finalize()[..8])
}

/// Drops the databases of test processes that are gone.
async fn sweep(admin: &mut PgConnection) {
    let names: Vec<String> =
        sqlx::query_scalar("SELECT datname FROM pg_database WHERE datname LIKE 'test\\_%'")
            .fetch_all(&mut *admin)
            .await
            .expect("the catalogue answers");
    for name in names {
        let process = name.split('_').nth(1).unwrap_or_default();
        if !std::path::Path::new(&format!("/proc/{process}")).exists() {
            execute(admin, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        }
    }
}

async fn execute(conn: &mut PgConnection, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(conn)
        .await
        .unwrap_or_else(|cause| panic!("{statement}: {cause}"));
}
