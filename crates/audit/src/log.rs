//! Reads the `audit_log`.

use std::{ops::RangeInclusive, time::Duration};

use futures::TryStreamExt;
use sqlx::{AssertSqlSafe, PgConnection, Row, postgres::PgRow};
use uuid::Uuid;

use crate::{AuditRow, Result, Schema, Snapshot, Tail, merkle::Hash, seal::MAX_ROWS};

/// Rows of the log: committed between two snapshots, with `seq` in a range.
pub(crate) struct Span<'a> {
    pub since: &'a Snapshot,
    pub until: &'a Snapshot,
    pub seqs: RangeInclusive<i64>,
}

/// What sealing and verifying need of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub seq: i64,
    pub id: Uuid,
    pub leaf: Hash,
}

const COLUMNS: &str = "brand_id, seq, xid::text AS xid, id,
    timestamptz_send(occurred_at) AS occurred_at, actor_type, actor_id, actor_brand_id,
    event_type, entity_type, entity_id, request_id, trace_id, details::text AS details";

/// Prepares a transaction to read spans. Estimates of how many rows lie between two snapshots are
/// guesses, and a wrong guess here reads or compiles for the whole table.
pub(crate) async fn plan_for_index_scans(conn: &mut PgConnection) -> Result<()> {
    sqlx::raw_sql("SET LOCAL enable_seqscan = off; SET LOCAL jit = off").execute(conn).await?;
    Ok(())
}

/// The first `limit` rows of the span, by `seq`.
pub(crate) async fn entries(
    conn: &mut PgConnection,
    schema: &Schema,
    span: &Span<'_>,
    limit: i64,
) -> Result<Vec<Entry>> {
    let query = sqlx::query(AssertSqlSafe(span_sql(schema)))
        .bind(span.since.to_string())
        .bind(span.until.to_string())
        .bind(span.seqs.start())
        .bind(span.seqs.end())
        .bind(limit);
    let mut rows = query.fetch(conn);
    let mut entries = Vec::new();
    while let Some(row) = rows.try_next().await? {
        let row = decode(&row)?;
        entries.push(Entry { seq: row.seq, id: row.id, leaf: row.leaf() });
    }
    Ok(entries)
}

/// One row by its id.
pub(crate) async fn row(
    conn: &mut PgConnection,
    schema: &Schema,
    id: Uuid,
) -> Result<Option<AuditRow>> {
    let sql = format!("SELECT {COLUMNS} FROM {schema}.audit_log WHERE id = $1");
    let row = sqlx::query(AssertSqlSafe(sql)).bind(id).fetch_optional(conn).await?;
    row.as_ref().map(decode).transpose()
}

/// The transaction of the last row that fits one seal, when the rows since the snapshot are read
/// by transaction; none if all of them fit.
pub(crate) async fn last_xid_that_fits(
    conn: &mut PgConnection,
    schema: &Schema,
    since: &Snapshot,
    until: &Snapshot,
) -> Result<Option<u64>> {
    let sql = format!(
        "SELECT xid::text FROM {schema}.audit_log
         WHERE xid >= pg_snapshot_xmax($1::text::pg_snapshot)
           AND xid < pg_snapshot_xmax($2::text::pg_snapshot)
           AND pg_visible_in_snapshot(xid, $2::text::pg_snapshot)
         ORDER BY xid, seq OFFSET $3 LIMIT 1"
    );
    let query = sqlx::query_scalar(AssertSqlSafe(sql))
        .bind(since.to_string())
        .bind(until.to_string())
        .bind(MAX_ROWS as i64 - 1);
    let xid: Option<String> = query.fetch_optional(conn).await?;
    xid.map(|xid| parse_xid(&xid)).transpose()
}

/// What is committed and not sealed: the rows that `until` does not see, and `rest`, what a full
/// last seal has left of its window.
pub(crate) async fn tail(
    conn: &mut PgConnection,
    schema: &Schema,
    until: &Snapshot,
    rest: &Span<'_>,
) -> Result<Tail> {
    let sql = format!(
        "SELECT count(*), timestamptz_send(min(occurred_at)),
             timestamptz_send(statement_timestamp())
         FROM (
             SELECT occurred_at FROM {schema}.audit_log
             WHERE xid >= pg_snapshot_xmax($1::text::pg_snapshot)
           UNION ALL
             SELECT occurred_at FROM {schema}.audit_log
             WHERE xid = ANY(ARRAY(SELECT pg_snapshot_xip($1::text::pg_snapshot)))
           UNION ALL
             SELECT occurred_at FROM {schema}.audit_log
             WHERE NOT pg_visible_in_snapshot(xid, $2::text::pg_snapshot)
               AND pg_visible_in_snapshot(xid, $3::text::pg_snapshot)
               AND xid < pg_snapshot_xmax($3::text::pg_snapshot)
               AND seq BETWEEN $4 AND $5
         ) AS tail"
    );
    let query = sqlx::query(AssertSqlSafe(sql))
        .bind(until.to_string())
        .bind(rest.since.to_string())
        .bind(rest.until.to_string())
        .bind(rest.seqs.start())
        .bind(rest.seqs.end());
    let row = query.fetch_one(conn).await?;
    let oldest: Option<[u8; 8]> = row.try_get(1)?;
    let now = i64::from_be_bytes(row.try_get(2)?);
    let age = oldest.map(|oldest| {
        let micros = now.saturating_sub(i64::from_be_bytes(oldest));
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    });
    Ok(Tail { rows: row.try_get(0)?, age })
}

/// Two index scans, not one with OR: for OR the planner reads the whole table.
fn span_sql(schema: &Schema) -> String {
    format!(
        "SELECT {COLUMNS} FROM (
             SELECT * FROM {schema}.audit_log
             WHERE xid >= pg_snapshot_xmax($1::text::pg_snapshot)
               AND xid < pg_snapshot_xmax($2::text::pg_snapshot)
           UNION ALL
             SELECT * FROM {schema}.audit_log
             WHERE xid = ANY(ARRAY(SELECT pg_snapshot_xip($1::text::pg_snapshot)))
         ) AS span
         WHERE pg_visible_in_snapshot(xid, (SELECT $2::text::pg_snapshot))
           AND seq BETWEEN $3 AND $4
         ORDER BY span.seq, span.id LIMIT $5"
    )
}

fn decode(row: &PgRow) -> Result<AuditRow> {
    Ok(AuditRow {
        brand_id: row.try_get(0)?,
        seq: row.try_get(1)?,
        xid: parse_xid(row.try_get(2)?)?,
        id: row.try_get(3)?,
        occurred_at: i64::from_be_bytes(row.try_get(4)?),
        actor_type: row.try_get(5)?,
        actor_id: row.try_get(6)?,
        actor_brand_id: row.try_get(7)?,
        event_type: row.try_get(8)?,
        entity_type: row.try_get(9)?,
        entity_id: row.try_get(10)?,
        request_id: row.try_get(11)?,
        trace_id: row.try_get(12)?,
        details: row.try_get(13)?,
    })
}

fn parse_xid(xid: &str) -> Result<u64> {
    xid.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)).into())
}
