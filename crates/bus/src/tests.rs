//! The relay, the buses and the consumer on a real PostgreSQL and a real NATS.

mod consumer;
pub(crate) mod database;
mod end_to_end;
mod fast;
mod queue;
mod relay;

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Asks until the answer is yes; fails after two minutes.
async fn eventually<F: Future<Output = bool>>(what: &str, ask: impl Fn() -> F) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !ask().await {
        assert!(Instant::now() < deadline, "not within 120 s: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}
