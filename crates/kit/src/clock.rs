//! The present, as a value that can be set.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

pub type Time = chrono::DateTime<chrono::Utc>;

/// The system's clock, or one that a test moves.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    fixed: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// A clock that stands at `time` until it is moved.
    pub fn fixed(time: Time) -> Self {
        Self { fixed: Some(Arc::new(AtomicI64::new(time.timestamp_micros()))) }
    }

    /// Microsecond precision, as Postgres keeps it: what is written is what is read back.
    pub fn now(&self) -> Time {
        let micros = match &self.fixed {
            Some(fixed) => fixed.load(Ordering::SeqCst),
            None => chrono::Utc::now().timestamp_micros(),
        };
        Time::from_timestamp_micros(micros).unwrap_or_default()
    }

    /// Moves a fixed clock. The system's cannot be moved.
    pub fn advance(&self, by: std::time::Duration) {
        if let Some(fixed) = &self.fixed {
            fixed.fetch_add(by.as_micros() as i64, Ordering::SeqCst);
        }
    }
}

/// A time on the wire.
pub fn timestamp(time: Time) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.timestamp(),
        nanos: time.timestamp_subsec_nanos() as i32,
    }
}

/// A time from the wire, if it is one (years 1 to 9999).
pub fn time(stamp: &prost_types::Timestamp) -> Option<Time> {
    Time::from_timestamp(stamp.seconds, u32::try_from(stamp.nanos).ok()?)
}
