//! The rules of a rate limit, pure: times come in, a verdict comes out.
//!
//! `scripts/allow.lua` follows the same steps for Redis; a test compares the two.

use std::collections::VecDeque;
use std::time::{Duration, UNIX_EPOCH};

use crate::Verdict;

/// How many refusals within one window are forgiven. One more is a lockout.
pub(crate) const STRIKES: usize = 10;

/// How long the first lockout, the second, and every later one lasts, in milliseconds.
pub(crate) const LOCKOUTS: [u64; 3] = [15 * 60_000, 60 * 60_000, 4 * 60 * 60_000];

/// How long after a lockout the count of lockouts starts afresh, in milliseconds.
pub(crate) const FORGIVEN_AFTER: u64 = 24 * 60 * 60_000;

/// What is remembered of one caller. Times are milliseconds since 1970, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Window {
    admitted: VecDeque<u64>,
    refused: VecDeque<u64>,
    lockouts: usize,
    locked_until: u64,
}

impl Window {
    /// Counts a call at `now` against `limit` calls in `window` milliseconds.
    pub(crate) fn admit(&mut self, limit: u32, window: u64, now: u64) -> Verdict {
        forget(&mut self.admitted, window, now);
        forget(&mut self.refused, window, now);
        let locked = now < self.locked_until;
        let allowed = !locked && self.admitted.len() < limit as usize;
        if allowed {
            self.admitted.push_back(now);
        } else if !locked {
            self.strike(now);
        }
        self.verdict(allowed, limit, window, now)
    }

    /// When nothing of this is worth remembering any more.
    pub(crate) fn forgotten_at(&self, window: u64) -> u64 {
        let newest = self.admitted.back().max(self.refused.back()).copied().unwrap_or(0);
        let forgiven = if self.lockouts > 0 { self.locked_until + FORGIVEN_AFTER } else { 0 };
        forgiven.max(newest + window)
    }

    fn strike(&mut self, now: u64) {
        self.refused.push_back(now);
        if self.refused.len() <= STRIKES {
            return;
        }
        self.refused.clear();
        if now >= self.locked_until + FORGIVEN_AFTER {
            self.lockouts = 0;
        }
        self.locked_until = now + LOCKOUTS[self.lockouts.min(LOCKOUTS.len() - 1)];
        self.lockouts += 1;
    }

    fn verdict(&self, allowed: bool, limit: u32, window: u64, now: u64) -> Verdict {
        let locked = now < self.locked_until;
        let lock_ends = if locked { self.locked_until } else { now };
        let free = self.admitted.back().map_or(now, |newest| newest + window);
        let retry = if allowed { now } else { self.room_at(limit, window, now).max(lock_ends) };
        let room = (limit as usize).saturating_sub(self.admitted.len());
        Verdict {
            allowed,
            remaining: if locked { 0 } else { room as u32 },
            retry_after: Duration::from_millis(retry.saturating_sub(now)),
            reset_after: Duration::from_millis(free.max(lock_ends) - now),
            locked_until: locked.then(|| UNIX_EPOCH + Duration::from_millis(self.locked_until)),
        }
    }

    /// When the admitted calls are fewer than `limit`.
    fn room_at(&self, limit: u32, window: u64, now: u64) -> u64 {
        match self.admitted.len().checked_sub(limit as usize) {
            None => now,
            Some(last_to_leave) => self.admitted.get(last_to_leave).unwrap_or(&now) + window,
        }
    }
}

fn forget(times: &mut VecDeque<u64>, window: u64, now: u64) {
    while times.front().is_some_and(|time| time + window <= now) {
        times.pop_front();
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOON: u64 = 1_800_000_000_000;
    const MINUTE: u64 = 60_000;

    /// The verdict on the last of the calls at these times.
    fn calls(limit: u32, times: &[u64]) -> Verdict {
        calls_in(MINUTE, limit, times)
    }

    fn calls_in(window: u64, limit: u32, times: &[u64]) -> Verdict {
        let mut caller = Window::default();
        let verdicts = times.iter().map(|&now| caller.admit(limit, window, now));
        verdicts.last().unwrap()
    }

    /// When each lockout began, if a caller calls eleven times more than `limit` at each time.
    fn lockouts(times: &[u64]) -> Vec<u64> {
        let mut window = Window::default();
        let locked = times.iter().map(|&now| {
            let last = (0..12).map(|_| window.admit(1, MINUTE, now)).last().unwrap();
            last.retry_after.as_millis() as u64
        });
        locked.collect()
    }

    #[test]
    fn room_comes_back_when_the_oldest_call_leaves_the_window() {
        let verdict = calls(2, &[NOON, NOON + 10, NOON + 20]);
        assert!(!verdict.allowed);
        assert_eq!(verdict.retry_after, Duration::from_millis(MINUTE - 20));
        assert_eq!(verdict.reset_after, Duration::from_millis(MINUTE - 10));
        assert!(!calls(2, &[NOON, NOON + 10, NOON + MINUTE - 1]).allowed);
        assert!(calls(2, &[NOON, NOON + 10, NOON + MINUTE]).allowed);
    }

    #[test]
    fn ten_refusals_are_forgiven_and_the_eleventh_locks() {
        let locked_until = Some(UNIX_EPOCH + Duration::from_millis(NOON + LOCKOUTS[0]));
        assert_eq!(calls(1, &[NOON; 11]).locked_until, None);
        assert_eq!(calls(1, &[NOON; 12]).locked_until, locked_until);
    }

    #[test]
    fn refusals_spread_over_more_than_a_window_do_not_lock() {
        let mut times = vec![NOON; 11];
        times.extend([NOON + MINUTE; 11]);
        assert_eq!(calls(1, &times).locked_until, None);
    }

    #[test]
    fn lockouts_grow_and_start_afresh_after_a_day_of_peace() {
        let [first, second, later] = LOCKOUTS;
        let mut times = vec![NOON];
        for length in [first, second, later] {
            times.push(times.last().unwrap() + length);
        }
        times.push(times.last().unwrap() + later + FORGIVEN_AFTER);
        assert_eq!(lockouts(&times), [first, second, later, later, first]);
    }

    #[test]
    fn calls_during_a_lockout_do_not_prolong_it() {
        let mut times = vec![NOON; 12];
        times.extend([NOON + LOCKOUTS[0] - 1; 50]);
        assert_eq!(calls(1, &times).retry_after, Duration::from_millis(1));
        times.push(NOON + LOCKOUTS[0]);
        assert!(calls(1, &times).allowed);
    }

    #[test]
    fn a_lowered_limit_waits_for_enough_calls_to_leave() {
        let mut window = Window::default();
        for call in 0..5 {
            window.admit(5, MINUTE, NOON + call);
        }
        let verdict = window.admit(2, MINUTE, NOON + 5);
        assert_eq!(verdict.retry_after, Duration::from_millis(MINUTE + 3 - 5));
    }

    /// Steps between calls, from a burst to a day and more.
    pub(crate) fn steps() -> impl Strategy<Value = Vec<u64>> {
        let step = prop_oneof![
            20 => 0..2u64,
            1 => MINUTE / 3..MINUTE,
            1 => Just(MINUTE),
            1 => Just(LOCKOUTS[0]),
            1 => Just(LOCKOUTS[2] + FORGIVEN_AFTER),
        ];
        prop::collection::vec(step, 1..150)
    }

    /// Shorter than a lockout, and longer.
    pub(crate) fn windows() -> impl Strategy<Value = u64> {
        prop_oneof![Just(MINUTE), Just(LOCKOUTS[0] * 2)]
    }

    fn times(steps: &[u64]) -> Vec<u64> {
        let clock = steps.iter().scan(NOON, |now, step| {
            *now += step;
            Some(*now)
        });
        clock.collect()
    }

    proptest! {
        #[test]
        fn a_call_is_admitted_exactly_if_the_window_has_room(
            limit in 0..5u32, window in windows(), steps in steps(),
        ) {
            let mut caller = Window::default();
            let (mut admitted, mut refused, mut locked_until) = (vec![], vec![], 0);
            for now in times(&steps) {
                let recent = |times: &[u64]| times.iter().filter(|t| **t + window > now).count();
                let locked = now < locked_until;
                let room = (limit as usize).saturating_sub(recent(&admitted));
                let verdict = caller.admit(limit, window, now);
                prop_assert_eq!(verdict.allowed, !locked && room > 0);
                if verdict.allowed {
                    admitted.push(now);
                    prop_assert_eq!(verdict.remaining as usize, room - 1);
                } else if !locked {
                    refused.push(now);
                }
                if !locked && recent(&refused) > STRIKES {
                    refused.clear();
                    prop_assert!(verdict.retry_after.as_millis() >= u128::from(LOCKOUTS[0]));
                    let end = verdict.locked_until.unwrap().duration_since(UNIX_EPOCH).unwrap();
                    locked_until = end.as_millis() as u64;
                }
                prop_assert_eq!(verdict.locked_until.is_some(), now < locked_until);
            }
        }

        #[test]
        fn waiting_as_told_is_enough_and_less_is_not(
            limit in 1..5u32, window in windows(), steps in steps(),
        ) {
            let mut times = times(&steps);
            let verdict = calls_in(window, limit, &times);
            prop_assert_eq!(verdict.allowed, verdict.retry_after.is_zero());
            if !verdict.allowed {
                let free = times.last().unwrap() + verdict.retry_after.as_millis() as u64;
                times.push(free - 1);
                prop_assert!(!calls_in(window, limit, &times).allowed);
                *times.last_mut().unwrap() = free;
                prop_assert!(calls_in(window, limit, &times).allowed);
            }
        }

        #[test]
        fn a_caller_forgotten_at_the_end_makes_no_difference(
            limit in 0..4u32, window in windows(), steps in steps(),
        ) {
            let (mut kept, mut forgotten) = (Window::default(), Window::default());
            for now in times(&steps) {
                if forgotten.forgotten_at(window) <= now {
                    forgotten = Window::default();
                }
                let expected = kept.admit(limit, window, now);
                prop_assert_eq!(forgotten.admit(limit, window, now), expected);
            }
        }
    }
}
