//! What both backends must do. Redis takes part if `LOOP_TEST_REDIS_URL` names one.

use std::env;
use std::io::{Write, stderr};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures::future::join_all;
use tokio::time::{Instant, sleep};

use crate::{Cache, Lookup};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(200);
const KEY: [u8; 32] = [7; 32];
const OTHER: [u8; 32] = [8; 32];

/// The Redis of the test run with a namespace of the caller's own. `None` if there is none,
/// which a continuous build does not accept.
pub(crate) fn redis() -> Option<Cache> {
    static SAID: Once = Once::new();
    let Ok(url) = env::var("LOOP_TEST_REDIS_URL") else {
        let continuous = env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!continuous, "LOOP_TEST_REDIS_URL is unset: Redis would go untested");
        SAID.call_once(|| {
            // Not `eprintln!`, whose output the test harness keeps to itself.
            let _ = writeln!(stderr(), "Redis is skipped: LOOP_TEST_REDIS_URL is unset");
        });
        return None;
    };
    Some(Cache::connect(&url).unwrap().with_namespace(&namespace()))
}

fn namespace() -> String {
    static NAMESPACES: AtomicU64 = AtomicU64::new(0);
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    format!("test-{time}-{}", NAMESPACES.fetch_add(1, Ordering::Relaxed))
}

/// Every backend there is, fresh.
pub(crate) fn backends() -> Vec<Cache> {
    [Some(Cache::embedded()), redis()].into_iter().flatten().collect()
}

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !holds().await {
        assert!(Instant::now() < deadline, "never happened: {what}");
        sleep(Duration::from_millis(2)).await;
    }
}

/// Returns when a record put now for `SHORT` is gone: `SHORT` by the clock of the backend.
async fn short_while(cache: &Cache) {
    let probe = [0; 32];
    cache.fill(&probe, Bytes::new(), SHORT).await.unwrap();
    eventually("the record ends", async || cache.get(&probe).await.unwrap() == Lookup::Miss).await;
}

fn record(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn hit(text: &'static str) -> Lookup {
    Lookup::Hit(record(text))
}

#[tokio::test]
async fn a_backend_gives_a_sign_of_life() {
    for cache in backends() {
        cache.ping().await.unwrap();
    }
}

#[tokio::test]
async fn a_record_is_found_under_its_key_only() {
    for cache in backends() {
        cache.fill(&KEY, record("record"), LONG).await.unwrap();
        assert_eq!(cache.get(&KEY).await.unwrap(), hit("record"));
        assert_eq!(cache.get(&OTHER).await.unwrap(), Lookup::Miss);
    }
}

#[tokio::test]
async fn any_bytes_can_be_a_record() {
    for cache in backends() {
        for (key, text) in [([1; 32], ""), ([2; 32], "F"), ([3; 32], "R\0\n")] {
            cache.fill(&key, record(text), LONG).await.unwrap();
            assert_eq!(cache.get(&key).await.unwrap(), hit(text));
        }
    }
}

#[tokio::test]
async fn a_record_ends() {
    for cache in backends() {
        cache.fill(&KEY, record("record"), SHORT).await.unwrap();
        let ended = async || cache.get(&KEY).await.unwrap() == Lookup::Miss;
        eventually("the record ends", ended).await;
    }
}

#[tokio::test]
async fn a_fill_does_not_replace_a_record() {
    for cache in backends() {
        cache.fill(&KEY, record("first"), LONG).await.unwrap();
        cache.fill(&KEY, record("second"), LONG).await.unwrap();
        assert_eq!(cache.get(&KEY).await.unwrap(), hit("first"));
    }
}

#[tokio::test]
async fn a_fence_replaces_a_record_and_refuses_a_fill() {
    for cache in backends() {
        cache.fill(&KEY, record("old"), LONG).await.unwrap();
        cache.fence(&[KEY], LONG).await.unwrap();
        assert_eq!(cache.get(&KEY).await.unwrap(), Lookup::Fenced);
        cache.fill(&KEY, record("old"), LONG).await.unwrap();
        assert_eq!(cache.get(&KEY).await.unwrap(), Lookup::Fenced);
    }
}

#[tokio::test]
async fn a_fence_covers_the_keys_it_names() {
    for cache in backends() {
        cache.fence(&[], LONG).await.unwrap();
        cache.fence(&[KEY, [9; 32]], LONG).await.unwrap();
        assert_eq!(cache.get(&KEY).await.unwrap(), Lookup::Fenced);
        assert_eq!(cache.get(&[9; 32]).await.unwrap(), Lookup::Fenced);
        assert_eq!(cache.get(&OTHER).await.unwrap(), Lookup::Miss);
    }
}

#[tokio::test]
async fn a_fence_ends_and_lets_a_fill_in() {
    for cache in backends() {
        cache.fence(&[KEY], SHORT).await.unwrap();
        let ended = async || cache.get(&KEY).await.unwrap() == Lookup::Miss;
        eventually("the fence ends", ended).await;
        cache.fill(&KEY, record("new"), LONG).await.unwrap();
        assert_eq!(cache.get(&KEY).await.unwrap(), hit("new"));
    }
}

#[tokio::test]
async fn a_fence_does_not_shorten_another_but_prolongs_it() {
    for cache in backends() {
        cache.fence(&[KEY], LONG).await.unwrap();
        cache.fence(&[OTHER], SHORT).await.unwrap();
        cache.fence(&[KEY], SHORT).await.unwrap();
        cache.fence(&[OTHER], LONG).await.unwrap();
        short_while(&cache).await;
        assert_eq!(cache.get(&KEY).await.unwrap(), Lookup::Fenced);
        assert_eq!(cache.get(&OTHER).await.unwrap(), Lookup::Fenced);
    }
}

#[tokio::test]
async fn namespaces_do_not_meet_and_clones_do() {
    for cache in backends() {
        let (clone, elsewhere) = (cache.clone(), cache.with_namespace(&namespace()));
        cache.fill(&KEY, record("record"), LONG).await.unwrap();
        cache.allow("caller", 1, LONG).await.unwrap();
        let _lease = cache.lock("work", LONG).await.unwrap().unwrap();
        for (other, meets) in [(clone, true), (elsewhere, false)] {
            assert_eq!(other.get(&KEY).await.unwrap() == hit("record"), meets);
            assert_eq!(!other.allow("caller", 1, LONG).await.unwrap().allowed, meets);
            assert_eq!(other.lock("work", LONG).await.unwrap().is_none(), meets);
        }
    }
}

#[tokio::test]
async fn calls_are_counted_down_to_a_refusal() {
    for cache in backends() {
        for remaining in [2, 1, 0] {
            let verdict = cache.allow("caller", 3, LONG).await.unwrap();
            assert!(verdict.allowed && verdict.retry_after.is_zero());
            assert_eq!(verdict.remaining, remaining);
        }
        let verdict = cache.allow("caller", 3, LONG).await.unwrap();
        assert!(!verdict.allowed && verdict.remaining == 0 && verdict.locked_until.is_none());
        assert!(verdict.retry_after > LONG / 2 && verdict.retry_after <= LONG);
        assert!(verdict.reset_after >= verdict.retry_after && verdict.reset_after <= LONG);
        assert!(cache.allow("another", 3, LONG).await.unwrap().allowed);
    }
}

#[tokio::test]
async fn a_caller_who_waits_as_told_is_admitted() {
    for cache in backends() {
        let mut verdict = cache.allow("caller", 1, SHORT).await.unwrap();
        let mut admitted = 0;
        for _ in 0..8 {
            admitted += u32::from(verdict.allowed);
            sleep(verdict.retry_after).await;
            verdict = cache.allow("caller", 1, SHORT).await.unwrap();
        }
        assert!(admitted >= 3 && verdict.locked_until.is_none());
    }
}

#[tokio::test]
async fn the_eleventh_refusal_locks_the_caller_out_for_a_quarter_of_an_hour() {
    for cache in backends() {
        for _ in 0..10 {
            assert_eq!(cache.allow("caller", 0, LONG).await.unwrap().locked_until, None);
        }
        let locked = cache.allow("caller", 0, LONG).await.unwrap();
        assert_eq!(locked.retry_after, Duration::from_secs(15 * 60));
        let still = cache.allow("caller", 1000, LONG).await.unwrap();
        assert!(!still.allowed && still.remaining == 0);
        assert!(still.locked_until.is_some() && still.locked_until == locked.locked_until);
        assert!(cache.allow("another", 1, LONG).await.unwrap().allowed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_64_concurrent_calls_exactly_ten_are_admitted() {
    for cache in backends() {
        let calls = (0..64).map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move { cache.allow("caller", 10, LONG).await.unwrap() })
        });
        let verdicts = join_all(calls).await;
        let admitted = verdicts.iter().filter(|verdict| verdict.as_ref().unwrap().allowed);
        assert_eq!(admitted.count(), 10);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_32_concurrent_attempts_one_gets_the_lease() {
    for cache in backends() {
        let attempts = (0..32).map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move { cache.lock("work", LONG).await.unwrap() })
        });
        let leases = join_all(attempts).await;
        assert_eq!(leases.into_iter().filter_map(Result::unwrap).count(), 1);
    }
}

#[tokio::test]
async fn a_released_lock_is_free_and_its_next_fence_higher() {
    for cache in backends() {
        let first = cache.lock("work", LONG).await.unwrap().unwrap();
        let elsewhere = cache.lock("other work", LONG).await.unwrap().unwrap();
        assert!(cache.lock("work", LONG).await.unwrap().is_none());
        let fence = first.fence();
        assert!(first.release().await.unwrap());
        let second = cache.lock("work", LONG).await.unwrap().unwrap();
        assert!(fence < elsewhere.fence() && elsewhere.fence() < second.fence());
    }
}

#[tokio::test]
async fn a_lease_that_is_over_has_no_power_over_the_next() {
    for cache in backends() {
        let over = cache.lock("work", SHORT).await.unwrap().unwrap();
        short_while(&cache).await;
        assert!(!over.extend(LONG).await.unwrap());
        let next = cache.lock("work", LONG).await.unwrap().unwrap();
        assert!(!over.extend(LONG).await.unwrap());
        assert!(!over.release().await.unwrap());
        assert!(cache.lock("work", LONG).await.unwrap().is_none());
        assert!(next.release().await.unwrap());
    }
}

#[tokio::test]
async fn an_extended_lease_outlives_its_first_end() {
    for cache in backends() {
        let lease = cache.lock("work", SHORT).await.unwrap().unwrap();
        assert!(lease.extend(LONG).await.unwrap());
        short_while(&cache).await;
        assert!(cache.lock("work", LONG).await.unwrap().is_none());
        assert!(lease.extend(LONG).await.unwrap());
    }
}
