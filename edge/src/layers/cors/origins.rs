//! Which web origins may call at all, as identity told lately.
//!
//! A preflight has no token, and anybody can send one with any origin. So answers are kept, a no
//! as well as a yes; of those who wonder about one origin at a time one asks; few questions are
//! under way at once, and few a minute are asked for one address.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cache::Cache;
use kit::{Error, OriginCheck, Result};
use oauth_core::Origin;
use tokio::{
    sync::{OnceCell, Semaphore},
    time::{Instant, timeout},
};
use tower::ServiceExt as _;

use super::MAX_AGE;
use crate::record::ClientAddress;

/// How long an answer stands before identity is asked again.
const FRESH: Duration = Duration::from_secs(30);

/// How long an answer is remembered where nobody can wait for a new one: a browser that was
/// answered a preflight by it sends requests for so long, and reads their failures.
const REMEMBERED: Duration = FRESH.saturating_add(MAX_AGE);

/// Origins of which anything is kept: less than 2 MB of them.
const CAPACITY: usize = 4096;

/// Questions under way at once: identity has four connections to look things up by, and tokens
/// come first.
const QUESTIONS: usize = 2;

/// Questions a minute for one address. Pages of one office are of far fewer origins.
const QUESTIONS_A_MINUTE: u32 = 60;

/// Origins that are looked up behind answers that have been sent already.
const LEARNERS: usize = 8;

/// The longest time that a preflight waits.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is known of origins. Clones share it.
#[derive(Clone)]
pub(crate) struct Origins(Arc<Shared>);

struct Shared {
    check: OriginCheck,
    cache: Cache,
    known: Mutex<Known>,
    questions: Semaphore,
    learners: Arc<Semaphore>,
}

/// Answers by origin, of a bounded number of origins.
#[derive(Default)]
struct Known(HashMap<Box<str>, Arc<Answer>>);

/// One question, and what came of it.
struct Answer {
    asked: Instant,
    told: OnceCell<bool>,
    /// What was told before, until this question is answered.
    before: Option<bool>,
}

impl Origins {
    pub(crate) fn new(check: OriginCheck, cache: Cache) -> Self {
        Self(Arc::new(Shared {
            check,
            cache,
            known: Mutex::default(),
            questions: Semaphore::new(QUESTIONS),
            learners: Arc::new(Semaphore::new(LEARNERS)),
        }))
    }

    /// Whether any client has registered an origin, by an answer of the last half minute. When
    /// there is none to be had now: the last one, or no.
    pub(crate) async fn allows(&self, origin: &str, asker: ClientAddress) -> bool {
        // What no client can have registered is not asked for.
        if Origin::of_header(origin).is_none() {
            return false;
        }
        let answer = self.0.known().current(origin, Instant::now());
        let told = answer.told.get_or_try_init(|| self.0.ask(origin, asker));
        match timeout(PATIENCE, told).await {
            Ok(Ok(allowed)) => *allowed,
            Ok(Err(_)) | Err(_) => answer.before.unwrap_or(false),
        }
    }

    /// The same where nobody can wait. `None` when nothing is known.
    pub(crate) fn known(&self, origin: &str) -> Option<bool> {
        self.0.known().last(origin, Instant::now())
    }

    /// Asks for an origin, so that it is known to the next request. There may be no room for it.
    pub(crate) fn learn(&self, origin: &str, asker: ClientAddress) {
        if Origin::of_header(origin).is_none() {
            return;
        }
        let Ok(permit) = self.0.learners.clone().try_acquire_owned() else { return };
        let (origins, origin) = (self.clone(), origin.to_owned());
        tokio::spawn(async move {
            origins.allows(&origin, asker).await;
            drop(permit);
        });
    }
}

impl Shared {
    async fn ask(&self, origin: &str, asker: ClientAddress) -> Result<bool> {
        self.count(asker).await?;
        let _room = self.questions.acquire().await.expect("it is never closed");
        let allowed = self.check.clone().oneshot(origin.to_owned()).await;
        allowed.inspect_err(|cause| tracing::warn!(%cause, "an origin could not be checked"))
    }

    /// Without the cache nobody can be counted, and everybody may ask.
    async fn count(&self, asker: ClientAddress) -> Result<()> {
        let key = format!("origin:@{}", asker.network());
        match self.cache.allow(&key, QUESTIONS_A_MINUTE, Duration::from_secs(60)).await {
            Ok(verdict) if !verdict.allowed => {
                Err(Error::rate_limited("too many origins", verdict.retry_after))
            }
            _ => Ok(()),
        }
    }

    // Nothing there can panic halfway through a change, so what a panic left behind is whole.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// The question to wait for: one that is fresh, or a new one.
    fn current(&mut self, origin: &str, now: Instant) -> Arc<Answer> {
        if let Some(answer) = self.0.get(origin).filter(|it| now < it.asked + FRESH) {
            return answer.clone();
        }
        let before = self.last(origin, now);
        if self.0.len() >= CAPACITY {
            self.make_room(now);
        }
        let answer = Arc::new(Answer { asked: now, told: OnceCell::new(), before });
        self.0.insert(origin.into(), answer.clone());
        answer
    }

    fn last(&self, origin: &str, now: Instant) -> Option<bool> {
        self.0.get(origin).filter(|it| now < it.asked + REMEMBERED)?.last()
    }

    /// Whoever makes up origins gets a no for each: those go first.
    fn make_room(&mut self, now: Instant) {
        self.0.retain(|_, it| it.last() == Some(true) && now < it.asked + REMEMBERED);
        if self.0.len() >= CAPACITY {
            self.0.clear();
        }
    }
}

impl Answer {
    fn last(&self) -> Option<bool> {
        self.told.get().copied().or(self.before)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{IpAddr, Ipv4Addr},
        sync::atomic::{AtomicUsize, Ordering},
    };

    use tokio::task::JoinSet;

    use super::*;

    const APP: &str = "https://app.example";

    async fn until(condition: impl Fn() -> bool) {
        kit_test::eventually("an answer", || async { condition().then_some(()) }).await;
    }

    fn asker(last: u8) -> ClientAddress {
        ClientAddress(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)))
    }

    /// A source of truth that knows one origin, answers when `gate` lets it, and counts.
    struct House {
        origins: Origins,
        asked: Arc<AtomicUsize>,
        gate: Arc<Semaphore>,
    }

    impl House {
        fn new(permits: usize) -> Self {
            let (asked, gate) = (Arc::<AtomicUsize>::default(), Arc::new(Semaphore::new(permits)));
            let told = (asked.clone(), gate.clone());
            let check = OriginCheck::new(tower::service_fn(move |origin: String| {
                let (asked, gate) = told.clone();
                async move {
                    asked.fetch_add(1, Ordering::SeqCst);
                    gate.acquire().await.map_err(|_| Error::unavailable("GONE", "gone"))?.forget();
                    Ok(origin == APP)
                }
            }));
            Self { origins: Origins::new(check, Cache::embedded()), asked, gate }
        }

        fn asked(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }

        /// As if so much time had passed since every answer.
        fn age(&self, by: Duration) {
            for answer in self.origins.0.known().0.values_mut() {
                let Answer { asked, told, before } = &**answer;
                let (asked, told) = (*asked - by, told.clone());
                *answer = Arc::new(Answer { asked, told, before: *before });
            }
        }
    }

    #[tokio::test]
    async fn a_hundred_who_wonder_about_one_origin_ask_once() {
        let house = House::new(0);
        let wonder = || {
            let origins = house.origins.clone();
            async move { origins.allows(APP, asker(1)).await }
        };
        let all: JoinSet<_> = (0..100).map(|_| wonder()).collect();
        until(|| house.asked() == 1).await;
        house.gate.add_permits(100);
        assert!(all.join_all().await.into_iter().all(|it| it));
        assert_eq!(house.asked(), 1);
    }

    #[tokio::test]
    async fn who_waits_asks_when_the_one_who_asked_goes_away() {
        let house = House::new(0);
        let wonder = |origins: Origins| async move { origins.allows(APP, asker(1)).await };
        let first = tokio::spawn(wonder(house.origins.clone()));
        until(|| house.asked() == 1).await;
        let second = tokio::spawn(wonder(house.origins.clone()));
        first.abort();
        until(|| house.asked() == 2).await;
        house.gate.add_permits(1);
        assert!(second.await.unwrap());
    }

    #[tokio::test]
    async fn a_yes_and_a_no_are_kept_for_half_a_minute() {
        let house = House::new(100);
        for _ in 0..3 {
            assert!(house.origins.allows(APP, asker(1)).await);
            assert!(!house.origins.allows("https://other.example", asker(1)).await);
        }
        assert_eq!(house.asked(), 2);
        house.age(FRESH);
        assert!(house.origins.allows(APP, asker(1)).await);
        assert_eq!(house.asked(), 3);
    }

    #[tokio::test]
    async fn what_was_told_is_remembered_for_as_long_as_a_browser_keeps_a_preflight() {
        let house = House::new(100);
        assert_eq!(house.origins.known(APP), None);
        house.origins.allows(APP, asker(1)).await;
        house.age(FRESH + MAX_AGE - Duration::from_secs(1));
        assert_eq!(house.origins.known(APP), Some(true));
        house.age(Duration::from_secs(1));
        assert_eq!(house.origins.known(APP), None);
    }

    #[tokio::test]
    async fn while_identity_cannot_be_asked_the_last_answer_stands_and_is_not_kept() {
        let house = House::new(1);
        assert!(house.origins.allows(APP, asker(1)).await);
        house.gate.close();
        house.age(FRESH);
        assert!(house.origins.allows(APP, asker(1)).await);
        assert!(!house.origins.allows("https://other.example", asker(1)).await);
        assert_eq!(house.origins.known("https://other.example"), None);
        assert!(house.origins.allows(APP, asker(1)).await);
        assert_eq!(house.asked(), 4, "a failure is asked again");
    }

    #[tokio::test]
    async fn one_address_asks_for_so_many_origins_and_what_is_none_is_never_asked_for() {
        let house = House::new(10_000);
        for text in ["null", "", "*", "https://App.example", "http://app.example", "a b", "ß"] {
            assert!(!house.origins.allows(text, asker(1)).await);
        }
        assert_eq!(house.asked(), 0);
        for number in 0..QUESTIONS_A_MINUTE + 20 {
            house.origins.allows(&format!("https://a{number}.example"), asker(1)).await;
        }
        assert_eq!(house.asked() as u32, QUESTIONS_A_MINUTE);
        assert!(!house.origins.allows(APP, asker(1)).await);
        assert!(house.origins.allows(APP, asker(2)).await);
        assert!(house.origins.allows(APP, asker(1)).await, "what is known needs no question");
    }

    #[test]
    fn origins_that_somebody_makes_up_take_bounded_room_and_push_no_known_one_out() {
        let (mut known, now) = (Known::default(), Instant::now());
        known.current(APP, now).told.set(true).unwrap();
        for number in 0..3 * CAPACITY {
            let answer = known.current(&format!("https://a{number}.example"), now);
            answer.told.set(false).unwrap();
            assert!(known.0.len() <= CAPACITY);
        }
        assert_eq!(known.last(APP, now), Some(true));
    }

    #[tokio::test]
    async fn an_origin_is_learned_behind_the_answer_as_far_as_there_is_room() {
        let house = House::new(0);
        for number in 0..3 * LEARNERS {
            house.origins.learn(&format!("https://a{number}.example"), asker(1));
        }
        assert_eq!(house.origins.0.learners.available_permits(), 0);
        house.gate.add_permits(100);
        until(|| house.origins.0.learners.available_permits() == LEARNERS).await;
        assert_eq!(house.asked(), LEARNERS);
        house.origins.learn(APP, asker(1));
        until(|| house.origins.known(APP) == Some(true)).await;
    }
}
