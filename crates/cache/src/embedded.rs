//! The backend in this process: bounded maps behind sharded locks, with the semantics of Redis.

use std::hash::BuildHasher as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::time::Instant;

use crate::expiring::{Entry, Expiring};
use crate::window::Window;
use crate::{Lookup, Verdict};

const SHARDS: usize = 16;
const RECORDS: usize = 200_000;
const WINDOWS: usize = 20_000;
const LEASES: usize = 20_000;

/// All state of the process.
pub(crate) struct Embedded {
    clock: Clock,
    records: Sharded<Records>,
    windows: Sharded<Expiring<Window>>,
    leases: Sharded<Expiring<u64>>,
    last_fence: Mutex<u64>,
}

/// The time since 1970, as of the start of the process and never set back since.
struct Clock {
    started: Instant,
    started_at: Duration,
}

/// Values by key, under one lock for each share of the keys.
struct Sharded<T> {
    /// Only spreads the keys: within a share they are hashed as a `HashMap` does.
    hasher: foldhash::fast::RandomState,
    shards: [Mutex<T>; SHARDS],
}

struct Records {
    held: Expiring<Record>,
    /// Until then, a key that is not held counts as fenced: its fence may have been evicted.
    fenced_until: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Record {
    Token(Bytes),
    Fence,
}

impl Embedded {
    pub(crate) fn new() -> Self {
        Self::with_room_for(RECORDS)
    }

    fn with_room_for(records: usize) -> Self {
        Self {
            clock: Clock::new(),
            records: Sharded::new(|| Records::new(records / SHARDS)),
            windows: Sharded::new(|| Expiring::new(WINDOWS / SHARDS)),
            leases: Sharded::new(|| Expiring::new(LEASES / SHARDS)),
            last_fence: Mutex::new(0),
        }
    }

    pub(crate) fn get(&self, key: &[u8]) -> Lookup {
        self.records.shard(key).get(key, self.clock.milliseconds())
    }

    pub(crate) fn fill(&self, key: &[u8], record: Bytes, ttl: u64) {
        self.records.shard(key).fill(key, record, ttl, self.clock.milliseconds());
    }

    pub(crate) fn fence(&self, key: &[u8], ttl: u64) {
        self.records.shard(key).fence(key, ttl, self.clock.milliseconds());
    }

    pub(crate) fn allow(&self, key: &[u8], limit: u32, window: u64) -> Verdict {
        let mut windows = self.windows.shard(key);
        let now = self.clock.milliseconds();
        if let Some(caller) = windows.get_mut(key, now) {
            let verdict = caller.value.admit(limit, window, now);
            caller.ends = caller.value.forgotten_at(window);
            return verdict;
        }
        let mut caller = Window::default();
        let verdict = caller.admit(limit, window, now);
        let ends = caller.forgotten_at(window);
        windows.put(key, Entry { value: caller, ends }, now);
        verdict
    }

    /// The fence of the new lease, or `None` if the lock is held.
    pub(crate) fn lock(&self, key: &[u8], ttl: u64) -> Option<u64> {
        let mut leases = self.leases.shard(key);
        let now = self.clock.milliseconds();
        if leases.get(key, now).is_some() {
            return None;
        }
        let fence = self.next_fence();
        leases.put(key, Entry { value: fence, ends: now + ttl }, now);
        Some(fence)
    }

    pub(crate) fn extend(&self, key: &[u8], fence: u64, ttl: u64) -> bool {
        let mut leases = self.leases.shard(key);
        let now = self.clock.milliseconds();
        let held = leases.get(key, now).is_some_and(|lease| lease.value == fence);
        if held {
            leases.put(key, Entry { value: fence, ends: now + ttl }, now);
        }
        held
    }

    pub(crate) fn release(&self, key: &[u8], fence: u64) -> bool {
        let mut leases = self.leases.shard(key);
        let now = self.clock.milliseconds();
        let held = leases.get(key, now).is_some_and(|lease| lease.value == fence);
        if held {
            leases.take(key, now);
        }
        held
    }

    fn next_fence(&self) -> u64 {
        let mut last = enter(&self.last_fence);
        *last = (*last + 1).max(self.clock.now().as_micros() as u64);
        *last
    }
}

impl Clock {
    fn new() -> Self {
        let started_at = SystemTime::now().duration_since(UNIX_EPOCH);
        Self { started: Instant::now(), started_at: started_at.unwrap_or_default() }
    }

    fn now(&self) -> Duration {
        self.started_at + self.started.elapsed()
    }

    fn milliseconds(&self) -> u64 {
        self.now().as_millis() as u64
    }
}

impl<T> Sharded<T> {
    fn new(shard: impl Fn() -> T) -> Self {
        let shards = std::array::from_fn(|_| Mutex::new(shard()));
        Self { hasher: Default::default(), shards }
    }

    fn shard(&self, key: &[u8]) -> MutexGuard<'_, T> {
        enter(&self.shards[self.hasher.hash_one(key) as usize % SHARDS])
    }
}

impl Records {
    fn new(capacity: usize) -> Self {
        Self { held: Expiring::new(capacity), fenced_until: 0 }
    }

    fn get(&self, key: &[u8], now: u64) -> Lookup {
        match self.held.get(key, now).map(|entry| &entry.value) {
            Some(Record::Token(record)) => Lookup::Hit(record.clone()),
            Some(Record::Fence) => Lookup::Fenced,
            None if now < self.fenced_until => Lookup::Fenced,
            None => Lookup::Miss,
        }
    }

    fn fill(&mut self, key: &[u8], record: Bytes, ttl: u64, now: u64) {
        if self.get(key, now) == Lookup::Miss {
            self.put(key, Entry { value: Record::Token(record), ends: now + ttl }, now);
        }
    }

    fn fence(&mut self, key: &[u8], ttl: u64, now: u64) {
        let standing = self.held.get(key, now).filter(|entry| entry.value == Record::Fence);
        let ends = standing.map_or(0, |fence| fence.ends).max(now + ttl);
        self.put(key, Entry { value: Record::Fence, ends }, now);
    }

    fn put(&mut self, key: &[u8], entry: Entry<Record>, now: u64) {
        let Some(evicted) = self.held.put(key, entry, now) else { return };
        if evicted.value == Record::Fence {
            tracing::warn!("full of fences: lookups go to the source of truth for a while");
            self.fenced_until = self.fenced_until.max(evicted.ends);
        }
    }
}

// Nothing here can panic halfway through a change, so what a panic left behind is whole.
fn enter<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const SECOND: u64 = 1000;

    fn keys(count: usize) -> impl Iterator<Item = [u8; 8]> {
        (0..count).map(usize::to_be_bytes)
    }

    #[tokio::test(start_paused = true)]
    async fn time_is_that_of_the_runtime() {
        let embedded = Embedded::new();
        embedded.fill(b"a", Bytes::from_static(b"record"), SECOND);
        advance(Duration::from_millis(999)).await;
        assert_eq!(embedded.get(b"a"), Lookup::Hit(Bytes::from_static(b"record")));
        advance(Duration::from_millis(1)).await;
        assert_eq!(embedded.get(b"a"), Lookup::Miss);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lockout_ends_after_a_quarter_of_an_hour() {
        let embedded = Embedded::new();
        for _ in 0..12 {
            embedded.allow(b"a", 1, SECOND);
        }
        advance(Duration::from_secs(15 * 60) - Duration::from_millis(1)).await;
        assert!(!embedded.allow(b"a", 1, SECOND).allowed);
        advance(Duration::from_millis(1)).await;
        assert!(embedded.allow(b"a", 1, SECOND).allowed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_cache_forgets_records_but_no_fence() {
        let embedded = Embedded::with_room_for(SHARDS * 4);
        embedded.fence(b"fenced", 3 * SECOND);
        keys(1000).for_each(|key| embedded.fill(&key, Bytes::new(), SECOND));
        assert!(keys(1000).filter(|key| embedded.get(key) != Lookup::Miss).count() <= SHARDS * 4);
        assert_eq!(embedded.get(b"fenced"), Lookup::Fenced);
    }

    #[tokio::test(start_paused = true)]
    async fn an_evicted_fence_still_fences_until_its_end() {
        let embedded = Embedded::with_room_for(SHARDS);
        keys(1000).for_each(|key| embedded.fence(&key, SECOND));
        keys(1000).for_each(|key| embedded.fill(&key, Bytes::new(), SECOND));
        assert!(keys(1000).all(|key| embedded.get(&key) == Lookup::Fenced));
        advance(Duration::from_secs(1)).await;
        assert!(keys(1000).all(|key| embedded.get(&key) == Lookup::Miss));
    }

    #[tokio::test(start_paused = true)]
    async fn fences_rise_while_the_clock_stands() {
        let embedded = Embedded::new();
        let fences: Vec<_> = keys(100).filter_map(|key| embedded.lock(&key, SECOND)).collect();
        assert_eq!(fences.len(), 100);
        assert!(fences.is_sorted_by(|a, b| a < b));
    }
}
