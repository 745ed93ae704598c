//! A database of its own for each test, with the tables of one consumer and what its handler does.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres, Transaction};
use tokio::runtime::Runtime;
use type_contract::v1::Envelope;
use uuid::Uuid;

use crate::{Admission, Result, admit};

const SCHEMA: &str = "patient_graph";
const LEDGER: &str = include_str!("../../../../migrations/ledger.sql");

pub struct Database {
    pub pool: PgPool,
    server: PgConnectOptions,
    name: String,
}

impl Database {
    pub async fn create() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let url = std::env::var("LOOP_TEST_DATABASE_URL")
            .expect("LOOP_TEST_DATABASE_URL names no PostgreSQL to test on");
        let options: PgConnectOptions = url.parse().expect("LOOP_TEST_DATABASE_URL is a URL");
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("gate_{}_{count}", std::process::id());
        let mut conn = PgConnection::connect_with(&options).await.unwrap();
        run(&mut conn, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        run(&mut conn, &format!("CREATE DATABASE {name}")).await;
        let server = options.clone();
        let options = options.database(&name).options([("search_path", SCHEMA)]);
        let mut owner = PgConnection::connect_with(&options).await.unwrap();
        run(&mut owner, &schema()).await;
        owner.close().await.unwrap();
        let pool = PgPoolOptions::new()
            .max_connections(8)
            .after_connect(|conn, _| {
                Box::pin(async move {
                    sqlx::raw_sql("SET ROLE patient_graph_app").execute(conn).await.map(|_| ())
                })
            })
            .connect_with(options)
            .await
            .unwrap();
        Self { pool, server, name }
    }

    /// A transaction of the consumer for the brand "loop".
    pub async fn begin(&self) -> Transaction<'static, Postgres> {
        let mut tx = self.pool.begin().await.unwrap();
        sqlx::query("SELECT set_config('app.brand_id', 'loop', true)")
            .execute(&mut *tx)
            .await
            .unwrap();
        tx
    }

    /// One delivery: admit, apply, commit.
    pub async fn deliver(&self, event: &Envelope) -> Result<Admission> {
        let mut tx = self.begin().await;
        let admission = handle(&mut tx, event).await?;
        tx.commit().await?;
        Ok(admission)
    }

    /// What was applied, in the order of writing, duplicates included.
    pub async fn effects(&self, key: &str) -> Vec<i64> {
        let mut tx = self.begin().await;
        sqlx::query_scalar("SELECT version FROM effects WHERE key = $1 ORDER BY n")
            .bind(key)
            .fetch_all(&mut *tx)
            .await
            .unwrap()
    }

    pub async fn parked(&self) -> i64 {
        let mut tx = self.begin().await;
        sqlx::query_scalar("SELECT count(*) FROM parked_events").fetch_one(&mut *tx).await.unwrap()
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

/// The handler of these tests: its effect is a row.
pub async fn handle(conn: &mut PgConnection, event: &Envelope) -> Result<Admission> {
    let admission = admit(conn, event).await?;
    if admission == Admission::Apply {
        sqlx::query("INSERT INTO effects (key, version) VALUES ($1, $2)")
            .bind(&event.key)
            .bind(event.version.cast_signed())
            .execute(conn)
            .await?;
    }
    Ok(admission)
}

/// The same event for the same key and version, always.
pub fn event(key: &str, version: u64) -> Envelope {
    let id = key.bytes().fold(version.into(), |id: u128, byte| (id << 8) | u128::from(byte));
    Envelope {
        event_id: Uuid::from_u128(id).to_string(),
        name: "clinical.biomarker.parsed.v1".to_owned(),
        producer: "clinical".to_owned(),
        epoch: 1,
        aggregate: "clinical.biomarker".to_owned(),
        key: key.to_owned(),
        version,
        brand_id: "loop".to_owned(),
        payload: vec![1, 2, 3],
        ..Envelope::default()
    }
}

pub fn of_epoch(epoch: u32, envelope: Envelope) -> Envelope {
    Envelope { epoch, ..envelope }
}

/// The roles are the server's, so another test may be making them at the same moment.
fn schema() -> String {
    let ledger = LEDGER.replace("{schema}", SCHEMA);
    format!(
        "DO $$ DECLARE role text; BEGIN
             FOREACH role IN ARRAY ARRAY['owner', 'app', 'drain', 'audit'] LOOP
                 BEGIN
                     EXECUTE format('CREATE ROLE {SCHEMA}_%s', role);
                 EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
                 END;
             END LOOP;
         END $$;
         CREATE SCHEMA {SCHEMA};
         GRANT USAGE ON SCHEMA {SCHEMA} TO {SCHEMA}_app;
         {ledger}
         CREATE TABLE {SCHEMA}.effects (
             n bigint GENERATED ALWAYS AS IDENTITY, key text NOT NULL, version bigint NOT NULL);
         GRANT SELECT, INSERT ON {SCHEMA}.effects TO {SCHEMA}_app;"
    )
}

async fn run(conn: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.unwrap();
}
