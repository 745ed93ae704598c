//! Witnesses: the heads of other chains that a seal carries, so that no chain can lose its end
//! unnoticed.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sqlx::{AssertSqlSafe, PgPool, Row};
use tokio::sync::watch;

use crate::{Error, Result, Schema, chain, merkle::Hash};

/// How many other chains one seal carries the heads of.
const WITNESSES: usize = 3;

/// Where a chain stood: the number and head of a seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Head {
    pub n: i64,
    pub hash: Hash,
}

/// Heads of other schemas' chains.
pub type Witnesses = BTreeMap<Schema, Head>;

/// The latest heads of all chains, shared by the sealers of a process. Heads of sealers elsewhere
/// are posted here as they become known.
#[derive(Debug, Default)]
pub struct Board(watch::Sender<Witnesses>);

impl Board {
    /// Makes a head known. Post it after its seal is committed; an older one than known is ignored.
    pub fn post(&self, schema: &Schema, head: Head) {
        self.0.send_modify(|heads| {
            let known = heads.entry(schema.clone()).or_insert(head);
            *known = (*known).max(head);
        });
    }

    /// The heads that the seals of `schema` carry: of the three schemas next in the alphabet's
    /// circle, so that each chain has three witnesses.
    pub fn neighbours(&self, schema: &Schema) -> Witnesses {
        let heads = self.0.borrow();
        let after = heads.iter().filter(|(other, _)| *other > schema);
        let before = heads.iter().filter(|(other, _)| *other < schema);
        let circle = after.chain(before).take(WITNESSES);
        circle.map(|(other, head)| (other.clone(), *head)).collect()
    }
}

/// Where the chain of a schema stands, or none before its first seal.
pub async fn latest_head(pool: &PgPool, schema: &Schema) -> Result<Option<Head>> {
    let last = chain::last(&mut *pool.acquire().await?, schema).await?;
    Ok(last.map(|seal| seal.position()))
}

/// The heads of `subject` that the seals of `observer` carry; `pool` must be allowed to read the
/// observer's seals. Verify the observer's chain too, or its word is worth nothing.
pub async fn witnessed(pool: &PgPool, observer: &Schema, subject: &Schema) -> Result<Vec<Head>> {
    let sql = format!(
        "SELECT min(n), witnesses->$1 FROM {observer}.audit_seals
         WHERE witnesses ? $1 GROUP BY 2 ORDER BY 1"
    );
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(subject.as_str()).fetch_all(pool).await?;
    let head = |row: &sqlx::postgres::PgRow| -> Result<Head> {
        let n = row.try_get(0)?;
        head_from_json(&row.try_get(1)?).ok_or_else(|| Error::MalformedSeal {
            schema: observer.clone(),
            n,
            column: "witnesses",
        })
    };
    rows.iter().map(head).collect()
}

/// The `witnesses` column: `{"identity": {"n": 3, "head": "<64 hexadecimal digits>"}}`.
pub(crate) fn to_json(witnesses: &Witnesses) -> Value {
    let entry = |(schema, head): (&Schema, &Head)| {
        (schema.to_string(), json!({ "n": head.n, "head": head.hash.to_string() }))
    };
    Value::Object(witnesses.iter().map(entry).collect::<Map<_, _>>())
}

/// Reads what [`to_json`] writes and nothing else, so that no part of the column is left unsigned.
pub(crate) fn from_json(value: &Value) -> Option<Witnesses> {
    let entry = |(schema, head): (&String, &Value)| {
        Some((schema.parse::<Schema>().ok()?, head_from_json(head)?))
    };
    let witnesses = value.as_object()?.iter().map(entry).collect::<Option<Witnesses>>()?;
    (to_json(&witnesses) == *value).then_some(witnesses)
}

fn head_from_json(value: &Value) -> Option<Head> {
    let hash = Hash::from_hex(value.get("head")?.as_str()?)?;
    Some(Head { n: value.get("n")?.as_i64()?, hash })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(name: &str) -> Schema {
        name.parse().unwrap()
    }

    fn head(n: i64) -> Head {
        Head { n, hash: Hash([7; 32]) }
    }

    #[test]
    fn every_chain_has_three_witnesses_and_never_itself() {
        let board = Board::default();
        let names = ["clinical", "events", "identity", "platform", "records"];
        names.iter().for_each(|name| board.post(&schema(name), head(1)));
        let carried = names.map(|name| board.neighbours(&schema(name)));
        for (name, carried) in names.iter().zip(&carried) {
            assert!(carried.len() == 3 && !carried.contains_key(&schema(name)), "{name}");
        }
        for name in names {
            assert_eq!(carried.iter().filter(|by| by.contains_key(&schema(name))).count(), 3);
        }
    }

    #[test]
    fn a_head_on_the_board_never_goes_back() {
        let board = Board::default();
        [2, 5, 3].into_iter().for_each(|n| board.post(&schema("events"), head(n)));
        assert_eq!(board.neighbours(&schema("identity"))[&schema("events")], head(5));
    }

    #[test]
    fn witnesses_read_what_they_write() {
        let witnesses =
            Witnesses::from([(schema("events"), head(4)), (schema("identity"), head(9))]);
        assert_eq!(from_json(&to_json(&witnesses)), Some(witnesses));
    }

    #[test]
    fn witnesses_with_anything_more_are_refused() {
        let digits = "07".repeat(32);
        for value in [
            json!([]),
            json!({ "Events": { "n": 1, "head": digits } }),
            json!({ "events": { "n": 1, "head": digits, "note": "" } }),
            json!({ "events": { "n": 1.0, "head": digits } }),
            json!({ "events": { "n": 1, "head": "0A".repeat(32) } }),
        ] {
            assert_eq!(from_json(&value), None, "{value}");
        }
    }
}
