//! Token records, and the fences that make a revocation take effect at once.
//!
//! A reader looks up, reads the source of truth on a miss, and fills. Between its read and its
//! fill a revocation may commit, and the fill would bring the old record back for its whole
//! lifetime. A fence forbids that: a marker that holds a key's place, which no fill overwrites.
//!
//! The rule for a revocation: fence its keys, then commit, and do not commit if the fence
//! failed. With
//!
//! - `R`, the lifetime of a record, also the longest time from a reader's read to its fill
//!   (a reader that took longer does not fill), and
//! - `T`, the longest time from the fence to the commit (a transaction that took longer rolls
//!   back),
//!
//! a fence that lives longer than `R + T` outlives the fill of every reader that read before
//! the commit. So no lookup that starts after the commit returns the old record.
//!
//! What a fence cannot do: it is lost when Redis loses its memory, and a fill that Redis took in
//! but executes more than `R` late, because it stood still, can come after the fence's end. In
//! both cases an old record lives for `R` at most. Whoever cannot bear that puts into the record
//! what proves it current.

use std::time::Duration;

use bytes::Bytes;

use crate::near::{Held, Near};
use crate::{Backend, Cache, Result, milliseconds};

/// What the cache knows about a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The record as it was filled.
    Hit(Bytes),
    /// The record changed a short while ago: ask the source of truth, and do not fill.
    Fenced,
    /// Nothing: ask the source of truth, and fill.
    Miss,
}

impl Cache {
    /// Looks up the record under `key`, the SHA-256 of a token.
    ///
    /// The embedded backend holds about 200,000 keys. When it is full, what would expire
    /// soonest makes room; if that is a fence, then all keys it does not hold count as fenced
    /// until that fence would have ended.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::Error::Unavailable) or [`Foreign`](crate::Error::Foreign).
    pub async fn get(&self, key: &[u8; 32]) -> Result<Lookup> {
        let key = self.token(key);
        match &self.backend {
            Backend::Redis(redis) => redis.get(&key).await,
            Backend::Embedded(embedded) => Ok(embedded.get(&key)),
        }
    }

    /// Keeps `record` for `ttl` if the key has neither a record nor a fence, otherwise changes
    /// nothing. `ttl` counts in whole milliseconds, at least one.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::Error::Unavailable). The record may be kept all the same.
    pub async fn fill(&self, key: &[u8; 32], record: Bytes, ttl: Duration) -> Result<()> {
        let (key, ttl) = (self.token(key), milliseconds(ttl));
        match &self.backend {
            Backend::Redis(redis) => redis.fill(&key, &record, ttl).await,
            Backend::Embedded(embedded) => {
                embedded.fill(&key, record, ttl);
                Ok(())
            }
        }
    }

    /// Replaces whatever stands under `keys` by a fence that lives for `ttl`: longer than a
    /// record's lifetime plus the longest transaction. A fence never shortens another.
    ///
    /// All keys are fenced in one step, in which Redis serves nobody else: about 5 ms for a
    /// thousand keys. Fence tens of thousands in several calls, before the transaction commits.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::Error::Unavailable): the keys may or may not be fenced. Do not
    /// commit; fencing again is harmless.
    pub async fn fence(&self, keys: &[[u8; 32]], ttl: Duration) -> Result<()> {
        let fenced: Vec<_> = keys.iter().map(|key| self.token(key)).collect();
        let answer = match &self.backend {
            Backend::Redis(redis) => redis.fence(&fenced, milliseconds(ttl)).await,
            Backend::Embedded(embedded) => {
                fenced.iter().for_each(|key| embedded.fence(key, milliseconds(ttl)));
                Ok(())
            }
        };
        // Whoever asks from here on meets the fence; whoever asked before may not keep the answer.
        self.watchers.invalidate(&self.namespace, keys);
        answer
    }

    /// A cache in this process for decoded records, in front of this one: at most `capacity`
    /// values, each for `ttl` after it was put. What this cache fences it forgets.
    pub fn near<T: Send + Sync + 'static>(&self, capacity: usize, ttl: Duration) -> Near<T> {
        let held = Held::new(capacity);
        self.watchers.add(&self.namespace, &held);
        let link = match &self.backend {
            Backend::Redis(redis) => {
                Some(redis.link(&self.namespace, self.key("token", b""), &self.watchers))
            }
            Backend::Embedded(_) => None,
        };
        Near::new(held, link, ttl)
    }

    fn token(&self, key: &[u8; 32]) -> Vec<u8> {
        self.key("token", key)
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::sync::atomic::{AtomicU64, Ordering};

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;
    use tokio::time::{Instant, advance};

    use super::*;
    use crate::suite;

    /// One step of the readers and the revoker of a token.
    #[derive(Clone, Debug)]
    enum Step {
        /// A reader looks up.
        Look(usize),
        /// A reader that missed reads the source of truth.
        Read(usize),
        /// A reader fills what it read.
        Fill(usize),
        Fence,
        Commit,
        /// So many hundredths of a record's lifetime pass.
        Wait(u32),
    }

    #[derive(Clone, Copy)]
    enum Reader {
        Idle,
        Missed,
        Read(u8, Instant),
    }

    /// A source of truth with one token, its readers and its revoker.
    struct World {
        cache: Cache,
        key: [u8; 32],
        record_ttl: Duration,
        longest_transaction: Duration,
        fence_ttl: Duration,
        truth: u8,
        readers: [Reader; 3],
        fenced: Option<Instant>,
    }

    impl World {
        fn new(cache: Cache, record_ttl: Duration) -> Self {
            static WORLDS: AtomicU64 = AtomicU64::new(0);
            let mut key = [0; 32];
            key[..8].copy_from_slice(&WORLDS.fetch_add(1, Ordering::Relaxed).to_be_bytes());
            let longest_transaction = record_ttl / 2;
            let fence_ttl = record_ttl + longest_transaction + Duration::from_millis(1);
            let (truth, readers, fenced) = (0, [Reader::Idle; 3], None);
            Self { cache, key, record_ttl, longest_transaction, fence_ttl, truth, readers, fenced }
        }

        async fn play(&mut self, steps: &[Step]) {
            for step in steps {
                match *step {
                    Step::Look(reader) => self.look(reader).await,
                    Step::Read(reader) => self.read(reader),
                    Step::Fill(reader) => self.fill(reader).await,
                    Step::Fence => self.fence().await,
                    Step::Commit => self.commit(),
                    Step::Wait(hundredths) => advance(self.record_ttl * hundredths / 100).await,
                }
            }
        }

        /// The promise: what is found is the truth.
        async fn look(&mut self, reader: usize) {
            match self.cache.get(&self.key).await.unwrap() {
                Lookup::Hit(record) => assert_eq!(record[..], [self.truth], "an old record"),
                Lookup::Fenced => self.readers[reader] = Reader::Idle,
                Lookup::Miss => self.readers[reader] = Reader::Missed,
            }
        }

        fn read(&mut self, reader: usize) {
            if matches!(self.readers[reader], Reader::Missed) {
                self.readers[reader] = Reader::Read(self.truth, Instant::now());
            }
        }

        async fn fill(&mut self, reader: usize) {
            let Reader::Read(record, read_at) = self.readers[reader] else { return };
            self.readers[reader] = Reader::Idle;
            if read_at.elapsed() <= self.record_ttl {
                let record = Bytes::copy_from_slice(&[record]);
                self.cache.fill(&self.key, record, self.record_ttl).await.unwrap();
            }
        }

        async fn fence(&mut self) {
            if self.fenced.is_none() {
                self.cache.fence(&[self.key], self.fence_ttl).await.unwrap();
                self.fenced = Some(Instant::now());
            }
        }

        fn commit(&mut self) {
            let Some(fenced) = self.fenced.take() else { return };
            if fenced.elapsed() <= self.longest_transaction {
                self.truth = self.truth.wrapping_add(1);
            }
        }
    }

    fn steps(waits: u32) -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => (0..3usize).prop_map(Step::Look),
            3 => (0..3usize).prop_map(Step::Read),
            3 => (0..3usize).prop_map(Step::Fill),
            1 => Just(Step::Fence),
            1 => Just(Step::Commit),
            waits => (0..60u32).prop_map(Step::Wait),
        ];
        vec(step, 1..60)
    }

    /// Runs to the end on the embedded backend, whose clock moves by [`Step::Wait`] alone.
    fn with_paused_clock<T>(run: impl Future<Output = T>) -> T {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().start_paused(true).build().unwrap().block_on(run)
    }

    /// A world in which a record lives 100 ms, and the rule asks for more than 150 ms of fence.
    fn embedded() -> World {
        World::new(Cache::embedded(), Duration::from_millis(100))
    }

    fn fill_before_fence() -> Vec<Step> {
        use Step::*;
        vec![Look(0), Read(0), Fill(0), Fence, Commit, Look(1)]
    }

    fn fill_after_fence() -> Vec<Step> {
        use Step::*;
        vec![Look(0), Read(0), Fence, Commit, Fill(0), Look(1)]
    }

    /// A reader reads just before the latest possible commit, and fills as late as it may.
    fn fill_as_late_as_can_be() -> Vec<Step> {
        use Step::*;
        vec![Look(0), Fence, Wait(50), Read(0), Commit, Wait(100), Fill(0), Look(1)]
    }

    #[test]
    fn every_order_of_fill_and_fence_shows_the_truth() {
        for steps in [fill_before_fence(), fill_after_fence(), fill_as_late_as_can_be()] {
            with_paused_clock(async { embedded().play(&steps).await });
        }
    }

    #[test]
    #[should_panic = "an old record"]
    fn a_fence_no_longer_than_the_rule_lets_an_old_record_in() {
        with_paused_clock(async {
            let mut world = embedded();
            world.fence_ttl = world.record_ttl + world.longest_transaction;
            world.play(&fill_as_late_as_can_be()).await;
        });
    }

    proptest! {
        #[test]
        fn no_lookup_after_a_commit_finds_an_old_record(steps in steps(3)) {
            with_paused_clock(async { embedded().play(&steps).await });
        }
    }

    #[test]
    fn no_order_of_fill_and_fence_shows_an_old_record_in_either_backend() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _entered = runtime.enter();
        let backends = suite::backends();
        let mut runner = TestRunner::new(ProptestConfig::with_cases(100));
        let played = runner.run(&steps(0), |steps| {
            for cache in &backends {
                // No time passes to speak of, as the clock of Redis cannot be moved.
                let mut world = World::new(cache.clone(), Duration::from_secs(60));
                runtime.block_on(world.play(&steps));
            }
            Ok(())
        });
        played.unwrap();
    }
}
