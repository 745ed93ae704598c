//! Reads and extends the `audit_seals`.

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, PgConnection, Row, postgres::PgRow};

use crate::{Claim, Error, KeyId, Result, Schema, Seal, merkle::Hash, snapshot::Snapshot, witness};

/// A page of the chain holds at most this many seals, each with up to 128 KiB of leaf hashes.
const PAGE: i64 = 64;

/// Postgres counts from 2000, Unix from 1970: the microseconds between.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

const COLUMNS: &str = "brand_id, n, prev_head, root, row_count, min_seq, max_seq,
    since::text AS since, until::text AS until, witnesses, timestamptz_send(sealed_at) AS sealed_at,
    key_id, head, signature";

/// A seal as it is stored: with the leaf hashes under its root. They are evidence only if they
/// lead to the root; then they tell which row of a bad batch was changed.
pub(crate) struct Stored {
    pub seal: Seal,
    pub leaves: Vec<Hash>,
}

/// The seal with the highest number.
pub(crate) async fn last(conn: &mut PgConnection, schema: &Schema) -> Result<Option<Seal>> {
    let sql = format!("SELECT {COLUMNS} FROM {schema}.audit_seals ORDER BY n DESC LIMIT 1");
    let row = sqlx::query(AssertSqlSafe(sql)).fetch_optional(conn).await?;
    row.map(|row| decode_seal(schema, &row)).transpose()
}

/// The next seals after number `after`, each with its number; one that cannot be read is an error
/// of its own.
pub(crate) async fn page(
    conn: &mut PgConnection,
    schema: &Schema,
    after: Option<i64>,
) -> Result<Vec<(i64, Result<Stored>)>> {
    let sql = format!(
        "SELECT {COLUMNS}, leaves FROM {schema}.audit_seals
         WHERE $1::bigint IS NULL OR n > $1 ORDER BY n LIMIT $2"
    );
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(after).bind(PAGE).fetch_all(conn).await?;
    rows.iter().map(|row| Ok((row.try_get("n")?, decode(schema, row)))).collect()
}

/// The seal whose span holds a row of this transaction and `seq`.
pub(crate) async fn holding(
    conn: &mut PgConnection,
    schema: &Schema,
    xid: u64,
    seq: i64,
) -> Result<Option<Stored>> {
    let sql = format!(
        "SELECT {COLUMNS}, leaves FROM {schema}.audit_seals
         WHERE $2 BETWEEN min_seq AND max_seq
           AND NOT pg_visible_in_snapshot($1::text::xid8, since)
           AND pg_visible_in_snapshot($1::text::xid8, until)
         ORDER BY n LIMIT 1"
    );
    let query = sqlx::query(AssertSqlSafe(sql)).bind(xid.to_string()).bind(seq);
    let row = query.fetch_optional(conn).await?;
    row.map(|row| decode(schema, &row)).transpose()
}

pub(crate) async fn append(conn: &mut PgConnection, seal: &Seal, leaves: &[Hash]) -> Result<()> {
    let claim = &seal.claim;
    let sql = format!(
        "INSERT INTO {}.audit_seals (n, prev_head, root, head, row_count, min_seq, max_seq,
             since, until, witnesses, sealed_at, key_id, signature, leaves)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::pg_snapshot, $9::text::pg_snapshot,
             $10, $11, $12, $13, $14)",
        claim.schema
    );
    sqlx::query(AssertSqlSafe(sql))
        .bind(claim.n)
        .bind(&claim.prev_head.0[..])
        .bind(&claim.root.0[..])
        .bind(&seal.head.0[..])
        .bind(claim.row_count)
        .bind(claim.min_seq)
        .bind(claim.max_seq)
        .bind(claim.since.to_string())
        .bind(claim.until.to_string())
        .bind(witness::to_json(&claim.witnesses))
        .bind(claim.sealed_at)
        .bind(seal.key_id.as_str())
        .bind(&seal.signature[..])
        .bind(leaves.iter().flat_map(|leaf| leaf.0).collect::<Vec<u8>>())
        .execute(conn)
        .await?;
    Ok(())
}

/// The instant of a `timestamptz_send`, or none beyond what the calendar holds.
pub(crate) fn instant(sent: [u8; 8]) -> Option<DateTime<Utc>> {
    let micros = i64::from_be_bytes(sent).checked_add(POSTGRES_EPOCH)?;
    DateTime::from_timestamp_micros(micros)
}

fn decode(schema: &Schema, row: &PgRow) -> Result<Stored> {
    let seal = decode_seal(schema, row)?;
    let bytes: Vec<u8> = row.try_get("leaves")?;
    let (leaves, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(malformed(schema, seal.claim.n, "leaves"));
    }
    Ok(Stored { seal, leaves: leaves.iter().copied().map(Hash).collect() })
}

fn decode_seal(schema: &Schema, row: &PgRow) -> Result<Seal> {
    let n = row.try_get("n")?;
    let malformed = |column| malformed(schema, n, column);
    let hash = |column| {
        let bytes: &[u8] = row.try_get(column)?;
        bytes.try_into().map(Hash).map_err(|_| malformed(column))
    };
    let snapshot = |column| -> Result<Snapshot> { row.try_get::<&str, _>(column)?.parse() };
    if row.try_get::<&str, _>("brand_id")? != "*" {
        return Err(malformed("brand_id"));
    }
    let signature: &[u8] = row.try_get("signature")?;
    let witnesses = row.try_get("witnesses").map_err(|_| malformed("witnesses"))?;
    Ok(Seal {
        claim: Claim {
            schema: schema.clone(),
            n,
            prev_head: hash("prev_head")?,
            root: hash("root")?,
            row_count: row.try_get("row_count")?,
            min_seq: row.try_get("min_seq")?,
            max_seq: row.try_get("max_seq")?,
            since: snapshot("since")?,
            until: snapshot("until")?,
            witnesses: witness::from_json(&witnesses).ok_or_else(|| malformed("witnesses"))?,
            sealed_at: instant(row.try_get("sealed_at")?).ok_or_else(|| malformed("sealed_at"))?,
        },
        key_id: KeyId::named(row.try_get("key_id")?),
        head: hash("head")?,
        signature: signature.try_into().map_err(|_| malformed("signature"))?,
    })
}

fn malformed(schema: &Schema, n: i64, column: &'static str) -> Error {
    Error::MalformedSeal { schema: schema.clone(), n, column }
}
