//! A database of its own for each test: a producer, a consumer and the queue between them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::runtime::Runtime;
use type_contract::v1::Envelope;
use uuid::Uuid;

use crate::{PostgresQueue, Routes};

pub const PRODUCER: &str = "clinical";
pub const CONSUMER: &str = "patient_graph";
pub const AGGREGATE: &str = "clinical.biomarker";
pub const BRAND: &str = "loop";

const LEDGER: &str = include_str!("../../../../migrations/ledger.sql");
const QUEUE: &str = include_str!("../../../../migrations/events/0002_queue.sql");

pub struct Database {
    /// As the superuser, whom no policy stops.
    pub pool: PgPool,
    server: PgConnectOptions,
    name: String,
}

impl Database {
    pub async fn create() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let url = std::env::var("LOOP_TEST_DATABASE_URL")
            .expect("LOOP_TEST_DATABASE_URL names no PostgreSQL to test on");
        let server: PgConnectOptions = url.parse().expect("LOOP_TEST_DATABASE_URL is a URL");
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("bus_{}_{count}", std::process::id());
        let mut conn = PgConnection::connect_with(&server).await.unwrap();
        run(&mut conn, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        run(&mut conn, &format!("CREATE DATABASE {name}")).await;
        let pool = PgPoolOptions::new()
            .max_connections(16)
            .connect_with(server.clone().database(&name))
            .await
            .unwrap();
        let mut owner = pool.acquire().await.unwrap();
        for schema in [PRODUCER, CONSUMER, "events"] {
            run(&mut owner, &ledger(schema)).await;
        }
        run(&mut owner, &role("events_bus")).await;
        run(&mut owner, QUEUE).await;
        run(&mut owner, &effects()).await;
        Self { pool, server, name }
    }

    /// How to connect as a role.
    pub fn options(&self, role: &str) -> PgConnectOptions {
        self.server.clone().database(&self.name).options([("role", role)])
    }

    pub async fn pool_of(&self, role: &str, connections: u32, schema: &str) -> PgPool {
        let options = self.options(role).options([("search_path", schema)]);
        PgPoolOptions::new().max_connections(connections).connect_with(options).await.unwrap()
    }

    /// The queue with one consumer.
    pub async fn queue(&self) -> PostgresQueue {
        let pool = self.pool_of("events_bus", 4, "events").await;
        PostgresQueue::new(pool, Routes::from_iter([(AGGREGATE, CONSUMER)]))
    }

    /// A connection of the producer's relay.
    pub async fn drain(&self) -> PgConnection {
        let options = self.options("clinical_drain").options([("search_path", PRODUCER)]);
        PgConnection::connect_with(&options).await.unwrap()
    }

    /// One committed event of each key, in one transaction.
    pub async fn emit(&self, keys: &[&str]) {
        let mut tx = self.pool.begin().await.unwrap();
        for key in keys {
            write(&mut tx, key).await;
        }
        tx.commit().await.unwrap();
    }

    /// Ends every connection that leads.
    pub async fn depose(&self) {
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
             WHERE locktype = 'advisory' AND datname = $1",
        )
        .bind(&self.name)
        .execute(&self.pool)
        .await
        .unwrap();
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let dropping = async move {
            let mut conn = PgConnection::connect_with(&server).await.unwrap();
            run(&mut conn, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
        };
        // A drop cannot wait on the runtime it may run in.
        let thread = thread::spawn(move || Runtime::new().unwrap().block_on(dropping));
        thread.join().unwrap();
    }
}

/// What a service does in a transaction that changes an aggregate: lock its version, then write the
/// outbox row. Returns the version.
pub async fn write(conn: &mut PgConnection, key: &str) -> i64 {
    let version: i64 = sqlx::query_scalar(
        "INSERT INTO clinical.aggregates AS a (brand_id, aggregate, key, version)
         VALUES ($1, $2, $3, 1)
         ON CONFLICT (brand_id, aggregate, key) DO UPDATE SET version = a.version + 1
         RETURNING version",
    )
    .bind(BRAND)
    .bind(AGGREGATE)
    .bind(key)
    .fetch_one(&mut *conn)
    .await
    .unwrap();
    sqlx::query(
        "WITH audit AS (
             INSERT INTO clinical.audit_log
                 (brand_id, id, occurred_at, actor_type, actor_id, event_type)
             VALUES ($1, $5, now(), 'system', 'test', 'test'))
         INSERT INTO clinical.outbox
             (brand_id, event_id, name, aggregate, key, version, occurred_at, correlation_id, payload)
         VALUES ($1, $5, 'clinical.biomarker.parsed.v1', $2, $3, $4, now(), 'test', '\\x0102')",
    )
    .bind(BRAND)
    .bind(AGGREGATE)
    .bind(key)
    .bind(version)
    .bind(Uuid::new_v4())
    .execute(conn)
    .await
    .unwrap();
    version
}

/// The same event for the same key and version, always.
pub fn event(key: &str, version: u64) -> Envelope {
    let id = key.bytes().fold(version.into(), |id: u128, byte| (id << 8) | u128::from(byte));
    Envelope {
        event_id: Uuid::from_u128(id).to_string(),
        name: "clinical.biomarker.parsed.v1".to_owned(),
        producer: PRODUCER.to_owned(),
        epoch: 1,
        aggregate: AGGREGATE.to_owned(),
        key: key.to_owned(),
        version,
        brand_id: BRAND.to_owned(),
        ..Envelope::default()
    }
}

/// `a1` for version 1 of key "a".
pub fn short(envelope: &Envelope) -> String {
    format!("{}{}", envelope.key, envelope.version)
}

pub fn shorts(envelopes: &[Envelope]) -> Vec<String> {
    envelopes.iter().map(short).collect()
}

fn ledger(schema: &str) -> String {
    let roles: String =
        ["owner", "app", "drain", "audit"].map(|kind| role(&format!("{schema}_{kind}"))).concat();
    let ledger = LEDGER.replace("{schema}", schema);
    format!(
        "{roles}
         CREATE SCHEMA {schema};
         GRANT USAGE ON SCHEMA {schema} TO {schema}_app, {schema}_drain;
         {ledger}"
    )
}

/// The roles are the server's, so another test may be making them at the same moment.
fn role(name: &str) -> String {
    format!(
        "DO $$ BEGIN CREATE ROLE {name};
         EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;"
    )
}

/// No unique index: an effect that happens twice must show.
fn effects() -> String {
    format!(
        "CREATE TABLE {CONSUMER}.effects (
             n bigint GENERATED ALWAYS AS IDENTITY, key text NOT NULL, version bigint NOT NULL);
         GRANT SELECT, INSERT ON {CONSUMER}.effects TO {CONSUMER}_app;"
    )
}

pub async fn run(conn: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.unwrap();
}
