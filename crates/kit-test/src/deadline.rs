//! Waiting for what happens in the background: poll with a deadline, never sleep and hope.

use std::{
    future::Future,
    time::{Duration, Instant},
};

/// Polls until `probe` gives a value; panics after ten seconds, naming what was awaited.
pub async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    probe: impl FnMut() -> F,
) -> T {
    within(Duration::from_secs(10), what, probe).await
}

/// The same for what may take longer by design.
pub async fn within<T, F: Future<Output = Option<T>>>(
    patience: Duration,
    what: &str,
    mut probe: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(value) = probe().await {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
