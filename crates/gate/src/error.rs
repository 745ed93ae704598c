//! What keeps the gate from an answer.

/// The result of an operation at the gate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the gate has no answer. The transaction must be rolled back.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused or could not be reached.
    #[error("the gate's tables could not be used")]
    Database(#[from] sqlx::Error),

    /// The envelope cannot be judged: no producer made it. It names what is wrong.
    #[error("not an envelope: {0}")]
    Malformed(&'static str),

    /// A stored envelope does not decode.
    #[error("a stored envelope does not decode")]
    Stored(#[from] prost::DecodeError),
}
