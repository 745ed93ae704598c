//! Short-lived state: token records, rate windows and locks, in Redis or in this process.
//!
//! Both backends pass one test suite. Redis shares the state between processes; the embedded
//! twin serves one process and loses everything when it ends.
//!
//! Nothing here is a source of truth. A caller must be right, if slower, when every answer is
//! [`Error::Unavailable`], and when Redis comes back empty.
//!
//! Run Redis (6.0 or later) with `maxmemory-policy noeviction`: an evicted fence lets an old
//! token record back in. A single primary is assumed, not a Redis Cluster.

mod embedded;
mod error;
mod expiring;
mod link;
mod lock;
mod near;
mod rate;
mod redis;
#[cfg(test)]
mod suite;
mod token;
mod window;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use error::{Error, Result};
pub use lock::Lease;
pub use near::{Near, Ticket};
pub use rate::Verdict;
pub use token::Lookup;

use embedded::Embedded;
use near::Watchers;
use redis::Redis;

/// A handle to short-lived state. Clones are cheap and share it.
#[derive(Clone)]
pub struct Cache {
    backend: Backend,
    namespace: Arc<str>,
    watchers: Arc<Watchers>,
}

#[derive(Clone)]
enum Backend {
    Redis(Arc<Redis>),
    Embedded(Arc<Embedded>),
}

impl Cache {
    /// A cache in the Redis at `url`, for example `redis://:password@host:6379/0`.
    ///
    /// Connects on first use, so that a process starts while Redis is down;
    /// [`Cache::ping`] tells whether it can be reached.
    ///
    /// # Errors
    ///
    /// [`Error::Address`] if `url` is not the address of a Redis.
    pub fn connect(url: &str) -> Result<Self> {
        Ok(Self::new(Backend::Redis(Arc::new(Redis::connect(url)?))))
    }

    /// A cache in this process, bounded in size: see [`Cache::get`] for what happens when full.
    pub fn embedded() -> Self {
        Self::new(Backend::Embedded(Arc::new(Embedded::new())))
    }

    /// The same state under another name. Handles of different namespaces never meet,
    /// so that stages or tests can share one Redis. Replaces the namespace of `self`.
    #[must_use]
    pub fn with_namespace(&self, namespace: &str) -> Self {
        // The colon ends a namespace in a key, so none may stand inside.
        let namespace = namespace.replace('%', "%25").replace(':', "%3A");
        let (backend, watchers) = (self.backend.clone(), self.watchers.clone());
        Self { backend, namespace: namespace.into(), watchers }
    }

    /// Asks the backend for a sign of life.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] if there is none within 250 ms.
    pub async fn ping(&self) -> Result<()> {
        match &self.backend {
            Backend::Redis(redis) => redis.ping().await,
            Backend::Embedded(_) => Ok(()),
        }
    }

    fn new(backend: Backend) -> Self {
        Self { backend, namespace: "".into(), watchers: Arc::default() }
    }

    fn key(&self, kind: &str, name: &[u8]) -> Vec<u8> {
        [b"loop:", self.namespace.as_bytes(), b":", kind.as_bytes(), b":", name].concat()
    }
}

impl fmt::Debug for Cache {
    // Not derived: an address may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let backend = match self.backend {
            Backend::Redis(_) => "redis",
            Backend::Embedded(_) => "embedded",
        };
        f.debug_struct("Cache")
            .field("backend", &backend)
            .field("namespace", &self.namespace)
            .finish()
    }
}

/// Whole milliseconds, at least one, at most a hundred years: what Redis takes as a lifetime.
fn milliseconds(duration: Duration) -> u64 {
    const CENTURY: u128 = 100 * 365 * 86_400_000;
    duration.as_millis().clamp(1, CENTURY) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_a_number_redis_takes() {
        assert_eq!(milliseconds(Duration::ZERO), 1);
        assert_eq!(milliseconds(Duration::from_millis(1500)), 1500);
        assert_eq!(milliseconds(Duration::MAX), 3_153_600_000_000);
    }

    #[test]
    fn no_two_namespaces_share_a_key() {
        let cache = Cache::embedded();
        let key =
            |namespace, name: &str| cache.with_namespace(namespace).key("lock", name.as_bytes());
        assert_eq!(key("test", "a"), b"loop:test:lock:a");
        assert_ne!(key("a", "lock:b"), key("a:lock", "b"));
        assert_ne!(key("a:b", ""), key("a%3Ab", ""));
    }

    #[test]
    fn debug_output_does_not_hold_the_password() {
        let cache = Cache::connect("redis://:hunter2@localhost").unwrap();
        assert!(!format!("{cache:?}").contains("hunter2"));
    }

    #[test]
    fn an_address_of_something_else_is_refused() {
        assert!(matches!(Cache::connect("https://localhost"), Err(Error::Address(_))));
    }
}
