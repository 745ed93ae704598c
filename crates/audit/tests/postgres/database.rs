//! A database of its own for each test, with the ledgers of two services.

use std::{env, future::Future, str::FromStr};

use audit::{Head, PublicKeys, Report, Schema, Seal, SealingKey, Witnesses, seal_once, verify};
use sqlx::{
    AssertSqlSafe, Executor, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use uuid::Uuid;

const LEDGER: &str = include_str!("../../../../migrations/ledger.sql");

pub struct Database {
    /// The superuser that tampers.
    pub admin: PgPool,
    pub app: PgPool,
    pub audit: PgPool,
    pub events_audit: PgPool,
}

/// Runs a test in a new database and drops the database whatever comes of it.
pub async fn with_database<F: Future<Output = ()> + Send + 'static>(
    test: impl FnOnce(Database) -> F,
) {
    let url = env::var("LOOP_TEST_DATABASE_URL")
        .expect("LOOP_TEST_DATABASE_URL must name a Postgres that the tests may use as superuser");
    let server = PgConnectOptions::from_str(&url).expect("LOOP_TEST_DATABASE_URL is a URL");
    let name = format!("audit_test_{}", Uuid::new_v4().simple());
    let maintenance = pool(server.clone(), None);
    execute(&maintenance, &format!("CREATE DATABASE {name}")).await;
    let outcome = tokio::spawn(test(Database::prepare(server.database(&name)).await)).await;
    execute(&maintenance, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
    if let Err(failed) = outcome {
        std::panic::resume_unwind(failed.into_panic());
    }
}

pub fn clinical() -> Schema {
    "clinical".parse().unwrap()
}

pub fn events() -> Schema {
    "events".parse().unwrap()
}

pub fn key() -> SealingKey {
    SealingKey::from_seed([1; 32])
}

pub fn keys() -> PublicKeys {
    [key().public().clone()].into_iter().collect()
}

/// One statement that writes this many audit rows.
pub fn rows(count: usize) -> String {
    format!(
        "INSERT INTO clinical.audit_log (brand_id, id, occurred_at, actor_type, actor_id,
             event_type, entity_type, request_id, details)
         SELECT 'acme', gen_random_uuid(), now(), 'user', 'u' || n, 'clinical.biomarker.parsed',
             'biomarker', 'r' || n, jsonb_build_object('n', n, 'unit', 'mmol/l')
         FROM generate_series(1, {count}) AS n"
    )
}

impl Database {
    async fn prepare(options: PgConnectOptions) -> Self {
        let admin = pool(options.clone(), None);
        for schema in ["clinical", "events"] {
            create_roles(&admin, schema).await;
            let script = format!(
                "CREATE SCHEMA {schema} AUTHORIZATION {schema}_owner;
                 GRANT USAGE ON SCHEMA {schema} TO {schema}_app, {schema}_audit;
                 SET ROLE {schema}_owner; {} RESET ROLE",
                LEDGER.replace("{schema}", schema)
            );
            execute(&admin, &script).await;
        }
        Self {
            admin,
            app: pool(options.clone(), Some("clinical_app")),
            audit: pool(options.clone(), Some("clinical_audit")),
            events_audit: pool(options, Some("events_audit")),
        }
    }

    /// Commits rows in one transaction.
    pub async fn write(&self, count: usize) {
        execute(&self.app, &rows(count)).await;
    }

    pub async fn seal(&self) -> Option<Seal> {
        seal_once(&self.audit, &clinical(), &key(), &Witnesses::new()).await.unwrap()
    }

    /// Commits rows and seals them, batch after batch.
    pub async fn write_and_seal(&self, batches: &[usize]) -> Vec<Seal> {
        let mut seals = Vec::new();
        for count in batches {
            self.write(*count).await;
            seals.push(self.seal().await.expect("rows were just committed"));
        }
        seals
    }

    pub async fn verify(&self) -> Report {
        self.verify_with(&[]).await
    }

    pub async fn verify_with(&self, witnessed: &[Head]) -> Report {
        verify(&self.audit, &clinical(), &keys(), witnessed).await.unwrap()
    }

    /// What a superuser can do who has switched the triggers off.
    pub async fn tamper(&self, sql: &str) {
        let script = format!("SET session_replication_role = replica; {sql}; RESET ALL");
        execute(&self.admin, &script).await;
    }

    pub async fn count(&self, from: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {from}");
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&self.admin).await.unwrap()
    }
}

async fn create_roles(admin: &PgPool, schema: &str) {
    for role in ["owner", "app", "drain", "audit"] {
        let sql = format!(
            "DO $$ BEGIN CREATE ROLE {schema}_{role};
             EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        );
        execute(admin, &sql).await;
    }
}

/// A pool whose connections act as the role and write as the brand `acme`.
fn pool(options: PgConnectOptions, role: Option<&'static str>) -> PgPool {
    let pool = PgPoolOptions::new().max_connections(8).after_connect(move |conn, _| {
        Box::pin(async move {
            if let Some(role) = role {
                let sql = format!("SET app.brand_id = 'acme'; SET ROLE {role}");
                conn.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
            }
            Ok(())
        })
    });
    pool.connect_lazy_with(options)
}

pub async fn execute(pool: &PgPool, script: &str) {
    let outcome = sqlx::raw_sql(AssertSqlSafe(script.to_owned())).execute(pool).await;
    outcome.unwrap_or_else(|error| panic!("{error}\n{script}"));
}
