//! The shared backend: every operation is one command or one script, within 250 ms.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use deadpool_redis::redis::{self, FromRedisValue, Script, ScriptInvocation};
use deadpool_redis::{Connection, Manager, Pool};
use tokio::time::timeout;

use crate::link::Link;
use crate::near::Watchers;
use crate::window::{FORGIVEN_AFTER, LOCKOUTS, STRIKES};
use crate::{Error, Lookup, Result, Verdict};

/// How long an operation may take, waiting for a connection included.
const TIMEOUT: Duration = Duration::from_millis(250);

/// A connection serves one operation at a time; with a round trip of 1 ms these serve 16,000
/// operations a second.
const CONNECTIONS: usize = 16;

/// A value is a record behind this byte, or the fence.
const RECORD: u8 = b'R';
const FENCE: &[u8] = b"F";

/// Sets `now` for the script that follows: one clock for all processes.
const SERVER_CLOCK: &str = "local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
";

/// Connections to a Redis, and the scripts to run there.
pub(crate) struct Redis {
    url: Box<str>,
    pool: Pool,
    /// By namespace: one for all that listens there.
    links: Mutex<HashMap<Arc<str>, Weak<Link>>>,
    allow: Script,
    fence: Script,
    lock: Script,
    extend: Script,
    release: Script,
}

impl Redis {
    pub(crate) fn connect(url: &str) -> Result<Self> {
        let manager = Manager::new(url).map_err(Error::Address)?;
        let pool = Pool::builder(manager).max_size(CONNECTIONS).build();
        Ok(Self {
            url: url.into(),
            links: Mutex::default(),
            pool: pool.expect("only a pool with timeouts of its own needs a runtime"),
            allow: allow_script(SERVER_CLOCK),
            fence: Script::new(include_str!("scripts/fence.lua")),
            lock: Script::new(include_str!("scripts/lock.lua")),
            extend: Script::new(include_str!("scripts/extend.lua")),
            release: Script::new(include_str!("scripts/release.lua")),
        })
    }

    pub(crate) async fn ping(&self) -> Result<()> {
        let pong = async |mut redis| redis::cmd("PING").query_async(&mut redis).await;
        self.within_timeout(pong).await
    }

    pub(crate) async fn get(&self, key: &[u8]) -> Result<Lookup> {
        let get = async |mut redis| redis::cmd("GET").arg(key).query_async(&mut redis).await;
        let value: Option<Vec<u8>> = self.within_timeout(get).await?;
        Ok(value.map_or(Lookup::Miss, lookup))
    }

    pub(crate) async fn fill(&self, key: &[u8], record: &[u8], ttl: u64) -> Result<()> {
        let value = [&[RECORD], record].concat();
        let mut set = redis::cmd("SET");
        set.arg(key).arg(value).arg("NX").arg("PX").arg(ttl);
        self.within_timeout(async |mut redis| set.query_async(&mut redis).await).await
    }

    pub(crate) async fn fence(&self, keys: &[Vec<u8>], ttl: u64) -> Result<()> {
        let mut call = self.fence.prepare_invoke();
        keys.iter().for_each(|key| {
            call.key(key);
        });
        self.run(call.arg(FENCE).arg(ttl)).await
    }

    /// `keys` hold the admitted calls, the refused calls and the lockout.
    pub(crate) async fn allow(
        &self,
        keys: &[Vec<u8>; 3],
        limit: u32,
        window: u64,
    ) -> Result<Verdict> {
        let mut call = self.allow.prepare_invoke();
        self.run(call.key(&keys[..]).arg(&rules(limit, window)[..])).await.map(verdict)
    }

    /// The fence of the new lease, or `None` if the lock is held.
    pub(crate) async fn lock(&self, key: &[u8], counter: &[u8], ttl: u64) -> Result<Option<u64>> {
        self.run(self.lock.prepare_invoke().key(key).key(counter).arg(ttl)).await
    }

    pub(crate) async fn extend(&self, key: &[u8], fence: u64, ttl: u64) -> Result<bool> {
        self.run(self.extend.prepare_invoke().key(key).arg(fence).arg(ttl)).await
    }

    pub(crate) async fn release(&self, key: &[u8], fence: u64) -> Result<bool> {
        self.run(self.release.prepare_invoke().key(key).arg(fence)).await
    }

    /// The link over which fences of a namespace are heard.
    pub(crate) fn link(
        &self,
        namespace: &Arc<str>,
        prefix: Vec<u8>,
        watchers: &Arc<Watchers>,
    ) -> Arc<Link> {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = links.get(namespace).and_then(Weak::upgrade) {
            return link;
        }
        links.retain(|_, link| link.strong_count() > 0);
        let link = Link::new(&self.url, namespace.clone(), prefix, watchers.clone());
        let link = Arc::new(link.expect("the pool has taken the same address"));
        links.insert(namespace.clone(), Arc::downgrade(&link));
        link
    }

    async fn run<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T> {
        self.within_timeout(async |mut redis| call.invoke_async(&mut redis).await).await
    }

    async fn within_timeout<T>(
        &self,
        operation: impl AsyncFnOnce(Connection) -> redis::RedisResult<T>,
    ) -> Result<T> {
        let connected = async {
            let connection = self.pool.get().await.map_err(unavailable)?;
            Ok(operation(connection).await?)
        };
        timeout(TIMEOUT, connected).await.map_err(unavailable)?
    }
}

fn unavailable(cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Unavailable(Box::new(cause))
}

fn lookup(value: Vec<u8>) -> Lookup {
    let value = Bytes::from(value);
    // What is no record of ours counts as a fence: asking the source of truth is always right.
    if value.first() == Some(&RECORD) { Lookup::Hit(value.slice(1..)) } else { Lookup::Fenced }
}

fn allow_script(clock: &str) -> Script {
    Script::new(&[clock, include_str!("scripts/allow.lua")].concat())
}

fn rules(limit: u32, window: u64) -> [u64; 4 + LOCKOUTS.len()] {
    let [first, second, later] = LOCKOUTS;
    [limit.into(), window, STRIKES as u64, FORGIVEN_AFTER, first, second, later]
}

fn verdict(reply: (bool, u32, u64, u64, u64)) -> Verdict {
    let (allowed, remaining, retry_after, reset_after, locked_until) = reply;
    Verdict {
        allowed,
        remaining,
        retry_after: Duration::from_millis(retry_after),
        reset_after: Duration::from_millis(reset_after),
        locked_until: (locked_until > 0).then(|| UNIX_EPOCH + Duration::from_millis(locked_until)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    use super::*;
    use crate::window::{self, Window};
    use crate::{Backend, Cache, suite};

    /// The Redis of the test run, and a handle to it with a namespace of its own.
    fn redis() -> Option<(Arc<Redis>, Cache)> {
        let cache = suite::redis()?;
        let Backend::Redis(redis) = &cache.backend else { unreachable!() };
        Some((redis.clone(), cache.clone()))
    }

    async fn command<T: FromRedisValue>(redis: &Redis, words: &[&[u8]]) -> T {
        let mut command = redis::cmd(std::str::from_utf8(words[0]).unwrap());
        command.arg(&words[1..]);
        redis.within_timeout(async |mut redis| command.query_async(&mut redis).await).await.unwrap()
    }

    async fn assert_unavailable_in_time(cache: &Cache) {
        let asked = Instant::now();
        assert!(matches!(cache.get(&[0; 32]).await, Err(Error::Unavailable(_))));
        assert!(matches!(cache.fence(&[[0; 32]], TIMEOUT).await, Err(Error::Unavailable(_))));
        assert!(asked.elapsed() < 4 * TIMEOUT);
    }

    #[tokio::test]
    async fn a_redis_that_does_not_answer_is_unavailable() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("redis://{}", silent.local_addr().unwrap());
        assert_unavailable_in_time(&Cache::connect(&address).unwrap()).await;
    }

    #[tokio::test]
    async fn a_redis_that_is_not_there_is_unavailable() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let address = format!("redis://{closed}");
        assert_unavailable_in_time(&Cache::connect(&address).unwrap()).await;
    }

    #[test]
    fn a_value_that_is_no_record_counts_as_a_fence() {
        assert_eq!(lookup(b"Rrecord".to_vec()), Lookup::Hit(Bytes::from_static(b"record")));
        assert_eq!(lookup(FENCE.to_vec()), Lookup::Fenced);
        assert_eq!(lookup(b"other".to_vec()), Lookup::Fenced);
        assert_eq!(lookup(vec![]), Lookup::Fenced);
    }

    #[tokio::test]
    async fn a_foreign_value_is_told_from_an_outage() {
        let Some((redis, cache)) = redis() else { return };
        command::<()>(&redis, &[b"RPUSH", &cache.key("token", &[1; 32]), b"foreign"]).await;
        assert!(matches!(cache.get(&[1; 32]).await, Err(Error::Foreign(_))));
    }

    #[tokio::test]
    async fn a_script_redis_does_not_know_is_loaded() {
        let Some((redis, cache)) = redis() else { return };
        let script = Script::new(&format!("return 7 -- {}", cache.namespace));
        assert_eq!(redis.run::<u8>(&script.prepare_invoke()).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_broken_connection_is_replaced() {
        let (Some((redis, cache)), Some((killer, _))) = (redis(), redis()) else { return };
        let id: u64 = command(&redis, &[b"CLIENT", b"ID"]).await;
        let killed: u64 =
            command(&killer, &[b"CLIENT", b"KILL", b"ID", id.to_string().as_bytes()]).await;
        assert_eq!(killed, 1);
        cache.ping().await.unwrap();
    }

    #[tokio::test]
    async fn fences_rise_after_redis_lost_its_memory() {
        let Some((redis, cache)) = redis() else { return };
        let before = cache.lock("before", TIMEOUT).await.unwrap().unwrap();
        command::<()>(&redis, &[b"DEL", &cache.key("fence", b"")]).await;
        let after = cache.lock("after", TIMEOUT).await.unwrap().unwrap();
        assert!(after.fence() > before.fence());
    }

    #[tokio::test]
    async fn fences_rise_when_the_clock_of_redis_is_set_back() {
        let Some((redis, cache)) = redis() else { return };
        let future = 4_000_000_000_000_000u64.to_string();
        let counter = cache.key("fence", b"");
        command::<()>(&redis, &[b"SET", &counter, future.as_bytes(), b"PX", b"60000"]).await;
        let lease = cache.lock("a", TIMEOUT).await.unwrap().unwrap();
        assert_eq!(lease.fence(), 4_000_000_000_000_001);
    }

    /// Calls the script at given times, and compares each verdict with the rules in Rust.
    async fn compare(limit: u32, window: u64, steps: &[u64]) {
        let Some((redis, cache)) = redis() else { return };
        let script = allow_script("local now = tonumber(table.remove(ARGV))\n");
        let keys = ["admitted", "refused", "lockout"].map(|of| cache.key(of, b"caller"));
        let (mut caller, mut now) = (Window::default(), 1_800_000_000_000);
        for step in steps {
            now += step;
            let mut call = script.prepare_invoke();
            let call = call.key(&keys[..]).arg(&rules(limit, window)[..]).arg(now);
            let reply = redis.run(call).await.map(verdict).unwrap();
            assert_eq!(reply, caller.admit(limit, window, now));
        }
    }

    #[test]
    fn the_script_follows_the_rules_step_by_step() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let mut runner = TestRunner::new(ProptestConfig::with_cases(48));
        let calls = (0..5u32, window::tests::windows(), window::tests::steps());
        let compared = runner.run(&calls, |(limit, window, steps)| {
            runtime.block_on(compare(limit, window, &steps));
            Ok(())
        });
        compared.unwrap();
    }

    #[tokio::test]
    async fn the_script_forgives_after_exactly_a_day_of_peace() {
        let [first, second, later] = LOCKOUTS;
        let peace = later + FORGIVEN_AFTER;
        for pause in [peace, peace - 1] {
            let bursts = [0, first, second, later, pause, first];
            let steps: Vec<_> =
                bursts.iter().flat_map(|&step| [&[step][..], &[0; 11]].concat()).collect();
            compare(1, 60_000, &steps).await;
        }
    }
}
