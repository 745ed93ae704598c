//! What the database really holds, seen by the administrator, whom no policy binds.

use std::collections::BTreeMap;

use kit::Service;
use sqlx::{AssertSqlSafe, FromRow, PgConnection};
use tokio::sync::Mutex;

/// The tables of every schema.
pub struct Ledger {
    admin: Mutex<PgConnection>,
    pub schemas: Vec<&'static str>,
}

#[derive(Clone, Debug, FromRow)]
pub struct AuditRow {
    pub schema: String,
    pub event_type: String,
    pub actor_type: String,
    pub actor_id: String,
    pub brand_id: String,
    pub request_id: Option<String>,
    pub xid: String,
}

#[derive(Clone, Debug, FromRow)]
pub struct OutboxRow {
    pub schema: String,
    pub name: String,
    pub brand_id: String,
    pub xid: String,
}

impl Ledger {
    pub fn of(admin: PgConnection, services: &[&'static Service]) -> Self {
        let schemas = services.iter().map(|it| it.schema).filter(|it| !it.is_empty()).collect();
        Self { admin: Mutex::new(admin), schemas }
    }

    /// The audit rows of a request, in every schema.
    pub async fn audit_of(&self, request_id: &str) -> Vec<AuditRow> {
        let columns = "event_type, actor_type, actor_id, brand_id, request_id, xid::text AS xid";
        self.rows(columns, "audit_log", "request_id", request_id).await
    }

    /// The events of a request, in every outbox.
    pub async fn outbox_of(&self, request_id: &str) -> Vec<OutboxRow> {
        let columns = "name, brand_id, xid::text AS xid";
        self.rows(columns, "outbox", "correlation_id", request_id).await
    }

    /// How many audit rows a schema has.
    pub async fn audit_count(&self, schema: &str) -> i64 {
        self.scalar(&format!("SELECT count(*) FROM {schema}.audit_log")).await
    }

    /// A digest of every table of a schema, by the table's name.
    pub async fn digests(&self, schema: &str) -> BTreeMap<String, String> {
        let tables = self.tables(schema).await;
        let selects: Vec<_> = tables
            .iter()
            .map(|it| {
                format!(
                    "SELECT '{it}', md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), ''))
                     FROM {schema}.{it} t"
                )
            })
            .collect();
        let rows: Vec<(String, String)> =
            sqlx::query_as(AssertSqlSafe(selects.join(" UNION ALL ")))
                .fetch_all(&mut *self.admin.lock().await)
                .await
                .expect("the tables are there");
        rows.into_iter().collect()
    }

    /// Everything that each audit log and outbox holds, a row a line, payloads as they are.
    pub async fn told(&self) -> Vec<(String, String)> {
        let mut told = Vec::new();
        for schema in &self.schemas {
            for (table, columns) in [
                ("audit_log", "convert_to(t::text, 'UTF8')"),
                ("outbox", "convert_to(t::text, 'UTF8') || t.payload"),
            ] {
                let statement = format!(
                    "SELECT coalesce(string_agg({columns}, '\\x0a'), '') FROM {schema}.{table} t"
                );
                let rows: Vec<u8> = sqlx::query_scalar(AssertSqlSafe(statement))
                    .fetch_one(&mut *self.admin.lock().await)
                    .await
                    .expect("the tables are there");
                let text = String::from_utf8_lossy(&rows).into_owned();
                told.push((format!("{schema}.{table}"), text));
            }
        }
        told
    }

    /// The tables of a schema, without the one that remembers migrations.
    pub async fn tables(&self, schema: &str) -> Vec<String> {
        sqlx::query_scalar(
            "SELECT relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
             WHERE nspname = $1 AND relkind IN ('r', 'p') AND relname <> '_migrations'
             ORDER BY relname",
        )
        .bind(schema)
        .fetch_all(&mut *self.admin.lock().await)
        .await
        .expect("the catalogue answers")
    }

    pub async fn execute(&self, statements: &str) {
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
            .execute(&mut *self.admin.lock().await)
            .await
            .unwrap_or_else(|cause| panic!("{statements}: {cause}"));
    }

    pub async fn texts(&self, statement: &str) -> Vec<String> {
        sqlx::query_scalar(AssertSqlSafe(statement.to_owned()))
            .fetch_all(&mut *self.admin.lock().await)
            .await
            .unwrap_or_else(|cause| panic!("{statement}: {cause}"))
    }

    async fn scalar(&self, statement: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(statement.to_owned()))
            .fetch_one(&mut *self.admin.lock().await)
            .await
            .expect("the tables are there")
    }

    async fn rows<R>(&self, columns: &str, table: &str, key: &str, value: &str) -> Vec<R>
    where
        R: for<'r> FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin,
    {
        let select = |schema: &&str| {
            format!("SELECT '{schema}' AS schema, {columns} FROM {schema}.{table} WHERE {key} = $1")
        };
        let selects: Vec<_> = self.schemas.iter().map(select).collect();
        sqlx::query_as(AssertSqlSafe(selects.join(" UNION ALL ")))
            .bind(value)
            .fetch_all(&mut *self.admin.lock().await)
            .await
            .expect("the tables are there")
    }
}
