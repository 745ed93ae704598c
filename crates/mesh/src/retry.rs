//! When a failed call is made again: gRFC A6, with its budget for each service.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use tokio::time::Instant;
use tonic::body::Body;

use crate::Error;

/// Attempts at one call, the first included.
const ATTEMPTS: u32 = 3;

const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The budget counts tenths of a token: ten tokens, of which a failure takes one and a success
/// gives back a tenth.
const FULL: u32 = 100;
const FAILURE: u32 = 10;

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const UNAVAILABLE: &str = "14";
const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");
const PREVIOUS_ATTEMPTS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");
const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// Whether a call may be made again. What certainly was not processed is sent again either way.
#[derive(Clone, Copy, Debug)]
pub enum Retry {
    Never,
    /// The method is idempotent: a second call does no harm. No attempt begins past the deadline.
    Idempotent {
        deadline: std::time::Instant,
    },
}

/// How many retries a service may be asked to bear: none once half of its tokens are gone, so that
/// retries end where everything fails.
#[derive(Debug)]
pub(crate) struct RetryBudget {
    tenths: AtomicU32,
}

/// The attempts at one call.
pub(crate) struct Attempts<'a> {
    retry: Retry,
    budget: &'a RetryBudget,
    made: u32,
}

/// What the server says about another attempt.
#[derive(Debug, PartialEq, Eq)]
enum Pushback {
    Silent,
    After(Duration),
    Never,
}

impl RetryBudget {
    /// Takes note of a call that did not fail, or not in a way that a retry mends.
    pub fn succeeded(&self) {
        // Most of the time it is full: a look is cheaper than a write.
        if self.tenths.load(Ordering::Relaxed) < FULL {
            let more = |it: u32| (it < FULL).then_some(it + 1);
            let _ = self.tenths.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        }
    }

    /// Takes note of a failure that a retry might mend. True when a retry is within the budget.
    pub fn failed(&self) -> bool {
        let less = |it: u32| Some(it.saturating_sub(FAILURE));
        let before = self.tenths.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        before.unwrap_or_default().saturating_sub(FAILURE) > FULL / 2
    }
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self { tenths: AtomicU32::new(FULL) }
    }
}

impl<'a> Attempts<'a> {
    pub fn new(retry: Retry, budget: &'a RetryBudget) -> Self {
        Self { retry, budget, made: 0 }
    }

    /// The pause before the next attempt; none when this answer is the call's.
    pub fn pause_after(
        &mut self,
        answer: &Result<Response<Body>, Error>,
        now: impl FnOnce() -> Instant,
    ) -> Option<Duration> {
        self.made += 1;
        let Some(pushback) = failure(answer) else {
            self.budget.succeeded();
            return None;
        };
        let within_budget = self.budget.failed();
        let Retry::Idempotent { deadline } = self.retry else { return None };
        if !within_budget || self.made >= ATTEMPTS {
            return None;
        }
        let pause = match pushback {
            Pushback::Silent => longest_pause(self.made).mul_f64(fastrand::f64()),
            Pushback::After(pause) => pause,
            Pushback::Never => return None,
        };
        (now().into_std() + pause < deadline).then_some(pause)
    }

    /// Tells the server of the attempts before this one, if there were any, and how much time is
    /// left.
    pub fn mark(&self, headers: &mut HeaderMap, now: impl FnOnce() -> Instant) {
        if self.made == 0 {
            return;
        }
        headers.insert(PREVIOUS_ATTEMPTS, HeaderValue::from(self.made));
        if let Retry::Idempotent { deadline } = self.retry
            && headers.contains_key(TIMEOUT)
        {
            let left = deadline.saturating_duration_since(now().into_std()).as_millis();
            let left = format!("{}m", left.clamp(1, 99_999_999));
            headers.insert(TIMEOUT, HeaderValue::from_str(&left).expect("digits and a letter"));
        }
    }
}

/// What the server says about a retry, where the call failed as a retry might mend: UNAVAILABLE,
/// and before anything of an answer arrived. A service whose circuit is open is left alone.
fn failure(answer: &Result<Response<Body>, Error>) -> Option<Pushback> {
    match answer {
        Ok(response) => is_unavailable(response).then(|| pushback(response.headers())),
        Err(Error::Unreachable { .. } | Error::Lost { .. }) => Some(Pushback::Silent),
        Err(_) => None,
    }
}

/// A response without messages has its status among the headers. Without a gRPC status the one of
/// HTTP stands for it, as gRPC's mapping of HTTP statuses says.
fn is_unavailable(response: &Response<Body>) -> bool {
    match response.headers().get(STATUS) {
        Some(status) => status == UNAVAILABLE,
        None => matches!(
            response.status(),
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        ),
    }
}

fn pushback(headers: &HeaderMap) -> Pushback {
    let Some(value) = headers.get(PUSHBACK) else { return Pushback::Silent };
    match value.to_str().ok().and_then(|it| it.parse::<i32>().ok()).map(u64::try_from) {
        Some(Ok(milliseconds)) => Pushback::After(Duration::from_millis(milliseconds)),
        _ => Pushback::Never,
    }
}

fn longest_pause(made: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << made.saturating_sub(1).min(6)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Answer = Result<Response<Body>, Error>;

    fn idempotent(seconds: u64) -> Retry {
        let deadline = std::time::Instant::now() + Duration::from_secs(seconds);
        Retry::Idempotent { deadline }
    }

    fn answer(headers: &[(HeaderName, &'static str)]) -> Answer {
        let mut response = Response::new(Body::empty());
        for (name, value) in headers {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        Ok(response)
    }

    fn unavailable() -> Answer {
        answer(&[(STATUS, UNAVAILABLE)])
    }

    fn pauses(retry: Retry, answer: &Answer) -> Vec<Duration> {
        let budget = RetryBudget::default();
        let mut attempts = Attempts::new(retry, &budget);
        std::iter::from_fn(|| attempts.pause_after(answer, Instant::now)).take(9).collect()
    }

    #[test]
    fn a_call_is_attempted_three_times_at_most_and_each_pause_is_short() {
        for _ in 0..100 {
            let pauses = pauses(idempotent(60), &unavailable());
            assert_eq!(pauses.len(), 2);
            assert!(pauses[0] <= Duration::from_millis(25), "{pauses:?}");
            assert!(pauses[1] <= Duration::from_millis(50), "{pauses:?}");
        }
        assert_eq!(longest_pause(99), LONGEST_PAUSE);
    }

    #[test]
    fn only_an_idempotent_call_that_was_unavailable_is_made_again() {
        let retried = |answer: &Answer| !pauses(idempotent(60), answer).is_empty();
        assert!(pauses(Retry::Never, &unavailable()).is_empty());
        assert!(!retried(&answer(&[])));
        assert!(!retried(&answer(&[(STATUS, "4")])));
        let open = Error::Open { service: "clinical", retry_after: Duration::from_secs(1) };
        assert!(!retried(&Err(open)));
        for (status, mends) in [(200, false), (400, false), (500, false), (429, true), (502, true)]
        {
            let mut answer = Response::new(Body::empty());
            *answer.status_mut() = StatusCode::from_u16(status).unwrap();
            assert_eq!(retried(&Ok(answer)), mends, "{status}");
        }
    }

    #[test]
    fn no_attempt_begins_past_the_deadline() {
        assert!(pauses(idempotent(0), &unavailable()).is_empty());
        let late = answer(&[(STATUS, UNAVAILABLE), (PUSHBACK, "60001")]);
        assert!(pauses(idempotent(60), &late).is_empty());
    }

    #[test]
    fn the_server_says_when_and_whether() {
        let told =
            |text| pauses(idempotent(60), &answer(&[(STATUS, UNAVAILABLE), (PUSHBACK, text)]));
        assert_eq!(told("0"), [Duration::ZERO; 2]);
        assert_eq!(told("300"), [Duration::from_millis(300); 2]);
        for never in ["-1", "soon", "", "99999999999", "1.5"] {
            assert!(told(never).is_empty(), "{never:?}");
        }
    }

    #[test]
    fn an_attempt_tells_of_those_before_it_and_of_the_time_that_is_left() {
        let budget = RetryBudget::default();
        let mut attempts = Attempts::new(idempotent(2), &budget);
        attempts.pause_after(&unavailable(), Instant::now);
        let mut headers = HeaderMap::new();
        attempts.mark(&mut headers, Instant::now);
        assert_eq!(headers[PREVIOUS_ATTEMPTS], "1");
        assert!(!headers.contains_key(TIMEOUT));
        headers.insert(TIMEOUT, HeaderValue::from_static("9000m"));
        attempts.mark(&mut headers, || Instant::now() + Duration::from_secs(1));
        let left: u32 = headers[TIMEOUT].to_str().unwrap().trim_end_matches('m').parse().unwrap();
        assert!((900..=1000).contains(&left), "{left}");
    }

    #[test]
    fn a_budget_half_spent_allows_no_retry_until_successes_fill_it() {
        let budget = RetryBudget::default();
        let allowed: Vec<_> = (0..6).map(|_| budget.failed()).collect();
        assert_eq!(allowed, [true, true, true, true, false, false]);
        (0..20).for_each(|_| budget.succeeded());
        assert!(!budget.failed());
        (0..11).for_each(|_| budget.succeeded());
        assert!(budget.failed());
    }

    proptest! {
        #[test]
        fn the_budget_is_that_of_the_rule(outcomes in prop::collection::vec(any::<bool>(), 0..300)) {
            let budget = RetryBudget::default();
            let mut tenths = 100i32;
            for failed in outcomes {
                if failed {
                    tenths = (tenths - 10).max(0);
                    prop_assert_eq!(budget.failed(), tenths > 50);
                } else {
                    tenths = (tenths + 1).min(100);
                    budget.succeeded();
                }
            }
        }
    }
}
