//! What keeps an event from travelling.

/// The result of an operation on a bus.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation on a bus or of the relay failed. All but `Address` may pass with time.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused or could not be reached.
    #[error("the database could not be used")]
    Database(#[from] sqlx::Error),

    /// The address is not that of a NATS server. Found at start only.
    #[error("not the address of a NATS server")]
    Address(#[source] async_nats::ConnectError),

    /// The bus cannot be reached, or did not take the events in time.
    #[error("the bus is unavailable: {0}")]
    Unavailable(String),

    /// An envelope no producer made. It names what is wrong.
    #[error("not an envelope: {0}")]
    Malformed(&'static str),

    /// A stored envelope does not decode.
    #[error("a stored envelope does not decode")]
    Stored(#[from] prost::DecodeError),

    /// Another leader has taken over the cursor.
    #[error("another relay leads")]
    Fenced,
}
