//! Rate limits: so many calls in any window of time, and a lockout for who does not back off.
//!
//! The limit is a **sliding window log**: it keeps the time of each admitted call, and has no
//! error but the millisecond in which times are kept. In no span as long as the window are more
//! than `limit` calls admitted, and a call is refused only if `limit` were. It costs about ten
//! bytes of Redis per admitted call in the window. A refused call costs the caller no room.
//!
//! More than ten refusals within one window lock the caller out for 15 minutes, then for 1 hour,
//! then for 4 hours each time. The count of lockouts starts afresh when none began for 24 hours
//! after the end of the last. Calls during a lockout are refused and change nothing.

use std::time::{Duration, SystemTime};

use crate::{Backend, Cache, Result, milliseconds};

/// Whether a call may go on, and what to tell its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the call is within the limit. It has been counted if so.
    pub allowed: bool,
    /// How many more calls would be allowed at this moment.
    pub remaining: u32,
    /// How long to wait before a call can be allowed again. Zero for an allowed call.
    pub retry_after: Duration,
    /// How long until the whole limit is free again, if no more calls are made.
    pub reset_after: Duration,
    /// The end of a lockout, by the clock of Redis or of the embedded backend.
    pub locked_until: Option<SystemTime>,
}

impl Cache {
    /// Counts a call under `key` and says whether it is one of at most `limit` in `window`.
    /// Atomic: concurrent callers are never admitted beyond the limit.
    ///
    /// A key goes with one limit and one window, so it names the rule as well as the caller:
    /// `token:client_123`. `window` counts in whole milliseconds, at least one. A `limit` of
    /// zero refuses every call.
    ///
    /// The embedded backend keeps about 20,000 callers, and forgets whose window ends soonest
    /// when there are more.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::Error::Unavailable): the call may have been counted.
    pub async fn allow(&self, key: &str, limit: u32, window: Duration) -> Result<Verdict> {
        let window = milliseconds(window);
        match &self.backend {
            Backend::Redis(redis) => {
                let keys =
                    ["admitted", "refused", "lockout"].map(|of| self.key(of, key.as_bytes()));
                // A large future, and one that waits: the usual one is neither.
                Box::pin(redis.allow(&keys, limit, window)).await
            }
            Backend::Embedded(embedded) => {
                Ok(embedded.allow(&self.key("rate", key.as_bytes()), limit, window))
            }
        }
    }

    /// The same where nobody has to be waited for: in the embedded backend. `None` elsewhere, and
    /// nothing is counted then.
    pub fn allow_here(&self, key: &str, limit: u32, window: Duration) -> Option<Verdict> {
        let Backend::Embedded(embedded) = &self.backend else { return None };
        Some(embedded.allow(&self.key("rate", key.as_bytes()), limit, milliseconds(window)))
    }
}
