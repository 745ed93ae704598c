//! A cache in front of the cache: token records decoded and in this process, for as long as
//! nobody can have fenced them unheard.
//!
//! A fence set through the same [`Cache`](crate::Cache) (or a clone) takes effect here before
//! [`fence`](crate::Cache::fence) returns. Of a fence set by another process Redis tells over the
//! link of `link.rs`. While the link does not prove itself alive nothing is found here and nothing
//! is kept, so a fence is unheard for half a second at worst.
//!
//! A reader may read a record before a fence and come to keep it after. So whoever wants to keep a
//! value takes a ticket before reading it, and whatever invalidates the key voids the ticket.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

use crate::expiring::{Entry, Expiring};
use crate::link::Link;

const SHARDS: usize = 16;
const GENERATIONS: usize = 256;

/// Values of one type by token, in this process. Clones share them.
pub struct Near<T> {
    held: Arc<Held>,
    link: Option<Arc<Link>>,
    ttl: u64,
    values: PhantomData<fn() -> T>,
}

/// Leave to keep a value that is read after the ticket was taken.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    key: [u8; 32],
    generation: u64,
}

/// What is held, whatever its type.
pub(crate) struct Held {
    started: Instant,
    shards: [Mutex<Shard>; SHARDS],
}

struct Shard {
    values: Expiring<Arc<dyn Any + Send + Sync>>,
    /// Counts invalidations, for each share of the keys.
    generations: [u64; GENERATIONS],
}

/// All that is held of one cache, by namespace: what a fence must reach.
#[derive(Default)]
pub(crate) struct Watchers(Mutex<Vec<(Arc<str>, Weak<Held>)>>);

/// A promise that nothing was fenced unheard, until a time.
pub(crate) struct Lease {
    started: Instant,
    /// Microseconds since `started`.
    until: AtomicU64,
}

impl<T: Send + Sync + 'static> Near<T> {
    pub(crate) fn new(held: Arc<Held>, link: Option<Arc<Link>>, ttl: Duration) -> Self {
        Self { held, link, ttl: crate::milliseconds(ttl), values: PhantomData }
    }

    /// The value of a key, the SHA-256 of a token, if it is known and cannot have been fenced.
    pub fn get(&self, key: &[u8; 32]) -> Option<Arc<T>> {
        let now = Instant::now();
        if !self.is_current(now) {
            return None;
        }
        let shard = self.held.shard(key);
        let value = shard.values.get(key, self.held.milliseconds(now))?.value.clone();
        value.downcast().ok()
    }

    /// Leave to keep what is read from now on; none while a fence could go unheard.
    pub fn ticket(&self, key: &[u8; 32]) -> Option<Ticket> {
        if let Some(link) = &self.link {
            link.run();
        }
        // In this order: a link that is lost ends its lease, then voids the tickets there are.
        let generation = self.held.shard(key).generations[generation(key)];
        self.is_current(Instant::now()).then_some(Ticket { key: *key, generation })
    }

    /// True while what was read since the ticket was taken may be used by others: the key was not
    /// invalidated, and no fence can have gone unheard.
    pub fn is_valid(&self, ticket: &Ticket) -> bool {
        let now = self.held.shard(&ticket.key).generations[generation(&ticket.key)];
        now == ticket.generation && self.is_current(Instant::now())
    }

    /// Keeps a value, unless its key was invalidated since the ticket was taken.
    pub fn put(&self, ticket: &Ticket, value: Arc<T>) {
        let now = self.held.milliseconds(Instant::now());
        let mut shard = self.held.shard(&ticket.key);
        if shard.generations[generation(&ticket.key)] == ticket.generation {
            shard.values.put(&ticket.key, Entry { value, ends: now + self.ttl }, now);
        }
    }

    fn is_current(&self, now: Instant) -> bool {
        self.link.as_ref().is_none_or(|link| link.lease.holds(now))
    }
}

impl<T> Clone for Near<T> {
    fn clone(&self) -> Self {
        let (held, link) = (self.held.clone(), self.link.clone());
        Self { held, link, ttl: self.ttl, values: PhantomData }
    }
}

impl<T> fmt::Debug for Near<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Near").field("watches", &self.link.is_some()).finish_non_exhaustive()
    }
}

impl Held {
    pub fn new(capacity: usize) -> Arc<Self> {
        let shard = |_| {
            let values = Expiring::new(capacity.div_ceil(SHARDS));
            Mutex::new(Shard { values, generations: [0; GENERATIONS] })
        };
        Arc::new(Self { started: Instant::now(), shards: std::array::from_fn(shard) })
    }

    fn invalidate(&self, key: &[u8; 32]) {
        let mut shard = self.shard(key);
        shard.generations[generation(key)] += 1;
        // What is gone is gone whether it had ended or not.
        shard.values.take(key, 0);
    }

    fn clear(&self) {
        for shard in &self.shards {
            let mut shard = enter(shard);
            shard.generations.iter_mut().for_each(|it| *it += 1);
            shard.values.clear();
        }
    }

    fn shard(&self, key: &[u8; 32]) -> MutexGuard<'_, Shard> {
        enter(&self.shards[usize::from(key[0]) % SHARDS])
    }

    fn milliseconds(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.started).as_millis() as u64
    }
}

impl Watchers {
    pub fn add(&self, namespace: &Arc<str>, held: &Arc<Held>) {
        let mut watchers = enter(&self.0);
        watchers.retain(|(_, it)| it.strong_count() > 0);
        watchers.push((namespace.clone(), Arc::downgrade(held)));
    }

    /// Forgets a key everywhere in this process, and voids the tickets for it.
    pub fn invalidate(&self, namespace: &str, keys: &[[u8; 32]]) {
        for held in self.of(namespace) {
            keys.iter().for_each(|key| held.invalidate(key));
        }
    }

    /// Forgets everything, and voids every ticket.
    pub fn clear(&self, namespace: &str) {
        self.of(namespace).iter().for_each(|held| held.clear());
    }

    fn of(&self, namespace: &str) -> Vec<Arc<Held>> {
        let watchers = enter(&self.0);
        let of = watchers.iter().filter(|(it, _)| **it == *namespace);
        of.filter_map(|(_, held)| held.upgrade()).collect()
    }
}

impl Lease {
    /// A lease that does not hold yet.
    pub fn new() -> Self {
        Self { started: Instant::now(), until: AtomicU64::new(0) }
    }

    pub fn holds(&self, now: Instant) -> bool {
        self.microseconds(now) < self.until.load(Ordering::Acquire)
    }

    pub fn prolong(&self, until: Instant) {
        self.until.store(self.microseconds(until), Ordering::Release);
    }

    pub fn end(&self) {
        self.until.store(0, Ordering::Release);
    }

    fn microseconds(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.started).as_micros() as u64
    }
}

fn generation(key: &[u8; 32]) -> usize {
    usize::from(key[1])
}

// Nothing here can panic halfway through a change, so what a panic left behind is whole.
fn enter<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
