//! Proves of one row that it stood in the log when its batch was sealed.

use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    AuditRow, Error, Problem, PublicKeys, Result, Schema, Seal, chain, log,
    merkle::{self, Hash},
};

/// A row, its seal and the path between. Whoever has the public key can check it without the
/// database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    pub row: AuditRow,
    /// The row's place in its batch, counted from 0.
    pub index: u64,
    /// The audit path from the row's leaf to the seal's root (RFC 6962 section 2.1.1).
    pub path: Vec<Hash>,
    pub seal: Seal,
}

impl Proof {
    /// Whether the row is one of those under the seal's root, and a key of `keys` signed the seal.
    pub fn check(&self, keys: &PublicKeys) -> Result<(), Problem> {
        self.seal.check(keys)?;
        let size = u64::try_from(self.seal.claim.row_count).map_err(|_| Problem::Bounds)?;
        let root = merkle::root_of_path(self.row.leaf(), self.index, size, &self.path);
        if root == Some(self.seal.claim.root) {
            Ok(())
        } else {
            Err(Problem::RowChanged { seq: self.row.seq, id: self.row.id })
        }
    }
}

/// The proof of the row with this id. It rests on the leaf hashes stored beside the seal, so a
/// neighbour that was tampered with takes nothing from it. `pool` acts as `{schema}_audit`.
pub async fn prove(pool: &PgPool, schema: &Schema, id: Uuid) -> Result<Proof> {
    let mut conn = pool.acquire().await?;
    let schema = || schema.clone();
    let row = log::row(&mut conn, &schema(), id)
        .await?
        .ok_or_else(|| Error::RowNotFound { schema: schema(), id })?;
    let stored = chain::holding(&mut conn, &schema(), row.xid, row.seq)
        .await?
        .ok_or_else(|| Error::RowNotSealed { schema: schema(), id })?;
    let leaf = row.leaf();
    let place = stored.leaves.iter().position(|stored| *stored == leaf);
    let n = stored.seal.claim.n;
    let index = place.ok_or_else(|| Error::RowNotInSeal { schema: schema(), id, n })?;
    let path = merkle::audit_path(&stored.leaves, index);
    Ok(Proof { row, index: index as u64, path, seal: stored.seal })
}
