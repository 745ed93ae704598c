//! How long to wait before trying again.

use std::time::Duration;

/// Doubles from `first` to `last`.
#[derive(Clone, Copy)]
pub(crate) struct Backoff {
    pub first: Duration,
    pub last: Duration,
}

impl Backoff {
    /// The pause after failure number `attempts` (from 1): between half and all of the doubled time,
    /// so that those who failed together do not return together.
    pub fn delay(self, attempts: u32) -> Duration {
        let doublings = attempts.saturating_sub(1).min(16);
        let whole = self.first.saturating_mul(1 << doublings).min(self.last);
        whole.mul_f64(0.5 + random_fraction() / 2.0)
    }
}

/// Evenly from 0 to below 1; 1 where the system has no randomness, as the longest pause is safe.
fn random_fraction() -> f64 {
    getrandom::u32().map_or(1.0, |random| f64::from(random) / 4_294_967_296.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_up_to_its_limit_and_varies_by_half() {
        let backoff =
            Backoff { first: Duration::from_millis(100), last: Duration::from_millis(1_000) };
        for (attempts, whole) in [(0, 100), (1, 100), (2, 200), (4, 800), (5, 1_000), (999, 1_000)]
        {
            let delay = backoff.delay(attempts);
            assert!(delay >= Duration::from_millis(whole) / 2, "{attempts}: {delay:?}");
            assert!(delay <= Duration::from_millis(whole), "{attempts}: {delay:?}");
        }
    }
}
