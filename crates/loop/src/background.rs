//! What runs beside the calls: relays, reactions, seals.

use std::{sync::Arc, time::Duration};

use audit::{Board, Sealer, SealingKey};
use bus::Relay;
use kit::Platform;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::process::Backends;

/// How often a log that grew is sealed.
const SEAL_EVERY: Duration = Duration::from_secs(1);

/// How often parked events are looked at: whose turn came while nobody looked, or never comes.
const RESUME_EVERY: Duration = Duration::from_secs(1);

/// Everything one service needs.
pub fn run(backends: &Backends, platform: Platform, tasks: &TaskTracker, stop: &CancellationToken) {
    relay(backends, &platform, tasks, stop);
    seal(backends, &platform, tasks, stop);
    react(backends, platform, tasks, stop);
}

/// Sends what the service's outbox gains to both buses.
pub fn relay(
    backends: &Backends,
    platform: &Platform,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) {
    let service = platform.service;
    if service.package.events.is_empty() {
        return;
    }
    let relay = Relay {
        service: service.name.into(),
        schema: service.schema.into(),
        database: platform.db.roles().options("drain"),
        fast: backends.fast.clone(),
        durable: backends.durable.clone(),
    };
    tasks.spawn(relay.run(stop.clone()));
}

fn seal(backends: &Backends, platform: &Platform, tasks: &TaskTracker, stop: &CancellationToken) {
    // All chains of a process witness each other.
    static BOARD: std::sync::LazyLock<Arc<Board>> = std::sync::LazyLock::new(Arc::default);
    let schema = platform.service.schema.parse().expect("a service's schema is a plain name");
    let sealer = Sealer {
        pool: platform.db.roles().pool("audit", 1),
        schema,
        key: Arc::new(sealing_key(backends)),
        board: BOARD.clone(),
    };
    tasks.spawn(sealer.run(SEAL_EVERY, stop.clone().cancelled_owned()));
}

/// The key that signs seals, derived like every other secret.
pub fn sealing_key(backends: &Backends) -> SealingKey {
    SealingKey::from_seed(backends.key.derive("audit seal"))
}

/// Applies others' events, from whichever bus brings them first.
fn react(backends: &Backends, platform: Platform, tasks: &TaskTracker, stop: &CancellationToken) {
    let service = platform.service;
    let mut aggregates: Vec<_> =
        service.subscriptions.iter().map(|it| it.event.aggregate).collect();
    aggregates.sort_unstable();
    aggregates.dedup();
    if aggregates.is_empty() {
        return;
    }
    tasks.spawn(resume(platform.clone(), stop.clone()));
    let (fast, durable, stop) = (backends.fast.clone(), backends.durable.clone(), stop.clone());
    tasks.spawn(async move {
        let mut pause = Duration::from_millis(100);
        loop {
            let platform = platform.clone();
            let handle = move |envelope| {
                let platform = platform.clone();
                async move { kit::consume(&platform, envelope).await }
            };
            let fed = bus::consume(
                service.name,
                &aggregates,
                &fast,
                durable.clone(),
                handle,
                stop.clone(),
            );
            match fed.await {
                Ok(()) => return,
                Err(cause) => {
                    tracing::warn!(service = service.name, %cause, "the feed starts again")
                }
            }
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
            pause = (pause * 2).min(Duration::from_secs(5));
        }
    });
}

/// Takes up what a crash between two transactions left parked, and asks for what is missing.
async fn resume(platform: Platform, stop: CancellationToken) {
    loop {
        for looked in [kit::resume(&platform).await, kit::repair(&platform).await] {
            if let Err(error) = looked {
                let service = platform.service.name;
                tracing::warn!(service, reason = error.reason(), "parked events wait");
            }
        }
        if stop.run_until_cancelled(tokio::time::sleep(RESUME_EVERY)).await.is_none() {
            return;
        }
    }
}
