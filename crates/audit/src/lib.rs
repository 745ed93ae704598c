//! Tamper evidence for the append-only audit logs: sealing in the background, verifying, proving.
//!
//! Every schema owns an `audit_log` and an `audit_seals` table (`migrations/ledger.sql`). A
//! [`Sealer`] puts the rows that were committed since the last seal under a Merkle root, chains the
//! root to the seal before and signs it. [`verify`] recomputes all of it from the rows; [`prove`]
//! gives the evidence for one row.
//!
//! What the chain shows: a row or seal that was changed, deleted, inserted or moved after sealing.
//! What it does not show by itself: seals cut off at the end. For that, seals carry the heads of
//! other schemas' chains, and [`verify`] takes the heads that others saw. Between commit and seal
//! nothing protects a row but the table's grants and triggers.

mod chain;
mod encode;
mod key;
mod log;
mod merkle;
mod proof;
mod schema;
mod seal;
mod sealer;
mod snapshot;
mod verify;
mod witness;

pub use encode::AuditRow;
pub use key::{KeyId, PublicKey, PublicKeys, SealingKey};
pub use merkle::Hash;
pub use proof::{Proof, prove};
pub use schema::Schema;
pub use seal::{Claim, MAX_ROWS, Seal};
pub use sealer::{Sealer, seal_once};
pub use snapshot::Snapshot;
pub use verify::{Problem, Report, Tail, Verdict, verify};
pub use witness::{Board, Head, Witnesses, latest_head, witnessed};

/// Why the crate could not do its work. A tampered log is no error but a [`Verdict`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    #[error("{0:?} is no schema name: 1 to 63 characters of a-z and _")]
    InvalidSchema(String),
    #[error("these 32 bytes are no ed25519 public key")]
    InvalidKey,
    #[error("{0:?} is no snapshot")]
    InvalidSnapshot(String),
    #[error("seal {n} of {schema} cannot be read: {column} holds what no seal holds")]
    MalformedSeal { schema: Schema, n: i64, column: &'static str },
    /// Transaction ids restart when a dump is loaded into a new cluster; from there on a snapshot
    /// of the old one says nothing about new rows.
    #[error("the transaction counter of {schema} stands at {now}, behind the last seal's {sealed}")]
    CounterRewound { schema: Schema, now: u64, sealed: u64 },
    #[error("{schema} has no audit row {id}")]
    RowNotFound { schema: Schema, id: uuid::Uuid },
    #[error("audit row {id} of {schema} is not sealed yet")]
    RowNotSealed { schema: Schema, id: uuid::Uuid },
    #[error("audit row {id} of {schema} is not what seal {n} holds")]
    RowNotInSeal { schema: Schema, id: uuid::Uuid, n: i64 },
}

/// What this crate's fallible functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;
