//! What can go wrong between the caller and the state.

use std::error::Error as StdError;

use deadpool_redis::redis::{ErrorKind, RedisError};

/// The result of an operation on the cache.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation on the cache has no answer. The embedded backend never fails.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is not that of a Redis. Found at start only.
    #[error("not the address of a Redis")]
    Address(#[source] RedisError),

    /// Redis did not answer in time, or cannot serve. The operation may or may not have
    /// happened. Go on without the cache, or refuse the request; both are up to the caller.
    #[error("the cache is unavailable")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),

    /// Redis answered something this crate did not write: another program uses its keys.
    #[error("the cache holds something foreign")]
    Foreign(#[source] RedisError),
}

impl From<RedisError> for Error {
    fn from(error: RedisError) -> Self {
        let foreign = error.kind() == ErrorKind::UnexpectedReturnType;
        if foreign || error.code() == Some("WRONGTYPE") {
            Self::Foreign(error)
        } else {
            Self::Unavailable(Box::new(error))
        }
    }
}
