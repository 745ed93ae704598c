use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::{sync::Semaphore, task::JoinSet};
use tonic::Code;

use super::*;

/// A source of truth that knows one token, answers when `gate` lets it, and counts.
struct House {
    cache: Cache,
    clock: Clock,
    introspector: Introspector,
    asked: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
    revoked: Arc<AtomicUsize>,
    token: Token,
}

const OPEN: usize = 1 << 20;

fn record(clock: &Clock) -> ResolveTokenResponse {
    ResolveTokenResponse {
        active: true,
        kind: "user".into(),
        subject: "usr_1".into(),
        client_id: "cli_app".into(),
        brand_id: "loop".into(),
        scopes: vec!["read:biomarkers".into()],
        expires_at: Some(crate::timestamp(clock.now() + Duration::from_secs(600))),
        ..Default::default()
    }
}

impl House {
    fn new(permits: usize) -> Self {
        let (asked, revoked) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let gate = Arc::new(Semaphore::new(permits));
        let clock = Clock::fixed("2026-05-04T03:02:01Z".parse().unwrap());
        let told = (asked.clone(), revoked.clone(), gate.clone(), clock.clone());
        let resolver = Resolver::new(tower::service_fn(move |_: TokenHash| {
            let (asked, revoked, gate, clock) = told.clone();
            async move {
                asked.fetch_add(1, Ordering::SeqCst);
                let revoked = revoked.load(Ordering::SeqCst) == 1;
                gate.acquire().await.map_err(|_| Error::unavailable("GONE", "gone"))?.forget();
                Ok(if revoked { ResolveTokenResponse::default() } else { record(&clock) })
            }
        }));
        let cache = Cache::embedded();
        let introspector = Introspector::new(cache.clone(), resolver, clock.clone());
        let token = Token::mint(Kind::AccessToken);
        Self { cache, clock, introspector, asked, gate, revoked, token }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn caller(&self) -> Option<Arc<Caller>> {
        self.introspector.caller(self.token.expose()).await.unwrap()
    }

    fn callers(&self, count: usize) -> JoinSet<Result<Option<Arc<Caller>>>> {
        let one = || {
            let (introspector, token) = (self.introspector.clone(), self.token.expose().to_owned());
            async move { introspector.caller(&token).await }
        };
        (0..count).map(|_| one()).collect()
    }

    async fn revoke(&self) {
        self.cache.fence(&[self.token.hash().0], FENCE_TTL).await.unwrap();
        self.revoked.store(1, Ordering::SeqCst);
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(5);
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "never happened: {what}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_hundred_requests_with_one_new_token_ask_once() {
    let house = House::new(0);
    let callers = house.callers(100);
    until("the question", || house.asked() == 1).await;
    house.gate.add_permits(OPEN);
    let answers = callers.join_all().await;
    let subjects = answers.iter().map(|it| &it.as_ref().unwrap().as_ref().unwrap().subject);
    assert_eq!(subjects.filter(|it| *it == "usr_1").count(), 100);
    assert_eq!(house.asked(), 1);
    assert!(Arc::ptr_eq(&house.caller().await.unwrap(), &house.caller().await.unwrap()));
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_once_though_it_was_near() {
    let house = House::new(OPEN);
    assert!(house.caller().await.is_some());
    house.revoke().await;
    assert_eq!(house.caller().await, None);
    assert_eq!(house.caller().await, None);
}

#[tokio::test]
async fn nobody_joins_a_look_up_from_before_a_revocation() {
    let house = House::new(0);
    let before = house.callers(1);
    until("the first question", || house.asked() == 1).await;
    house.revoke().await;
    let after = house.callers(1);
    until("the second question", || house.asked() == 2).await;
    house.gate.add_permits(OPEN);
    assert!(after.join_all().await.remove(0).unwrap().is_none());
    // It was asked before the revocation: as if it had been answered then.
    assert!(before.join_all().await.remove(0).unwrap().is_some());
    assert_eq!(house.caller().await, None);
}

#[tokio::test]
async fn a_token_expires_though_it_is_near() {
    let house = House::new(OPEN);
    assert!(house.caller().await.is_some());
    house.clock.advance(Duration::from_secs(599));
    assert!(house.caller().await.is_some());
    house.clock.advance(Duration::from_secs(1));
    assert_eq!(house.caller().await, None);
    assert_eq!(house.asked(), 1);
}

#[tokio::test]
async fn all_who_waited_for_a_failure_hear_of_it_and_the_next_asks_again() {
    let house = House::new(0);
    let callers = house.callers(10);
    until("the question", || house.asked() == 1).await;
    house.gate.close();
    for answer in callers.join_all().await {
        let error = answer.unwrap_err();
        assert_eq!((error.code(), error.reason()), (Code::Unavailable, "GONE"));
    }
    assert!(house.introspector.caller(house.token.expose()).await.is_err());
    assert_eq!(house.asked(), 2);
}

#[tokio::test]
async fn a_look_up_goes_on_while_anybody_waits_and_then_leaves_nothing() {
    let house = House::new(0);
    let (first, second) = (house.callers(1), house.callers(1));
    until("the question", || house.asked() == 1).await;
    drop(first);
    tokio::task::yield_now().await;
    house.gate.add_permits(1);
    assert!(second.join_all().await.remove(0).unwrap().is_some());
    assert_eq!((house.asked(), house.introspector.0.flights.count()), (1, 0));
    let stranger = House::new(0);
    let callers = stranger.callers(3);
    until("the question", || stranger.asked() == 1).await;
    assert_eq!(stranger.introspector.0.flights.count(), 1);
    drop(callers);
    until("the look-up to end", || stranger.introspector.0.flights.count() == 0).await;
}

#[tokio::test]
async fn what_is_no_token_is_never_looked_up() {
    let house = House::new(OPEN);
    for text in ["", "lph_at_", "lph_rt_x", &"a".repeat(TOO_LONG), &"ß".repeat(4000)] {
        assert_eq!(house.introspector.caller(text).await.unwrap(), None);
    }
    assert_eq!(house.asked(), 0);
}
