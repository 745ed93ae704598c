//! Locks that end by themselves, each with a number that tells an old holder from a new one.
//!
//! A lock is an optimisation: it saves several processes from doing the same work. It does not
//! make anything exclusive. A holder can stall past the end of its lease without noticing, and
//! Redis can forget. What must be exclusive happens in Postgres: store the lease's
//! [`fence`](Lease::fence) with what is written, and refuse a write whose fence is lower than
//! the stored one.

use std::time::Duration;

use crate::{Backend, Cache, Result, milliseconds};

/// The right to be the only one, for a while. Ends at its lifetime; dropping it frees nothing.
#[derive(Debug)]
#[must_use = "a lease that nobody holds blocks the others until it ends"]
pub struct Lease {
    cache: Cache,
    name: String,
    fence: u64,
}

impl Cache {
    /// Takes the lock `name` for `ttl`, or returns `None` if somebody holds it.
    /// `ttl` counts in whole milliseconds, at least one.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::Error::Unavailable): the lock may have been taken, and is then
    /// free again after `ttl`.
    pub async fn lock(&self, name: &str, ttl: Duration) -> Result<Option<Lease>> {
        let (key, ttl) = (self.key("lock", name.as_bytes()), milliseconds(ttl));
        let fence = match &self.backend {
            Backend::Redis(redis) => redis.lock(&key, &self.key("fence", b""), ttl).await?,
            Backend::Embedded(embedded) => embedded.lock(&key, ttl),
        };
        Ok(fence.map(|fence| Lease { cache: self.clone(), name: name.to_owned(), fence }))
    }
}

impl Lease {
    /// Greater than the fence of every earlier lease in the namespace. It follows the clock, in
    /// microseconds since 1970, so that it goes on rising after Redis has lost its memory.
    pub fn fence(&self) -> u64 {
        self.fence
    }

    /// Lets the lease end `ttl` from now. False if it is over: somebody else may hold the lock.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::Error::Unavailable): the end of the lease is the old or the new.
    pub async fn extend(&self, ttl: Duration) -> Result<bool> {
        let (key, ttl) = (self.key(), milliseconds(ttl));
        match &self.cache.backend {
            Backend::Redis(redis) => redis.extend(&key, self.fence, ttl).await,
            Backend::Embedded(embedded) => Ok(embedded.extend(&key, self.fence, ttl)),
        }
    }

    /// Frees the lock for others. False if the lease was over already; then nothing changes.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::Error::Unavailable): the lock is free after its lifetime at last.
    pub async fn release(self) -> Result<bool> {
        match &self.cache.backend {
            Backend::Redis(redis) => redis.release(&self.key(), self.fence).await,
            Backend::Embedded(embedded) => Ok(embedded.release(&self.key(), self.fence)),
        }
    }

    fn key(&self) -> Vec<u8> {
        self.cache.key("lock", self.name.as_bytes())
    }
}
