//! Random schedules: any order, duplicates, crashes, two competing consumers.

use proptest::prelude::*;
use tokio::runtime::Runtime;
use type_contract::v1::Envelope;

use super::database::{Database, event, handle};
use crate::{Admission, contiguous, unpark};

const KEYS: [&str; 3] = ["a", "b", "c"];
const VERSIONS: u64 = 6;

/// One delivery to a consumer: of which event, and whether the consumer dies before its commit.
#[derive(Clone, Debug)]
struct Delivery {
    key: &'static str,
    version: u64,
    crash: bool,
}

/// Every event at least once, some more often, shuffled, divided between two consumers.
fn schedules() -> impl Strategy<Value = (Vec<Delivery>, Vec<Delivery>)> {
    let one = (0..KEYS.len(), 1..=VERSIONS, any::<bool>())
        .prop_map(|(key, version, crash)| Delivery { key: KEYS[key], version, crash });
    (proptest::collection::vec(one, 0..20), 0..40_usize)
        .prop_flat_map(|(extra, split)| {
            let every = KEYS.iter().flat_map(|&key| {
                (1..=VERSIONS).map(move |version| Delivery { key, version, crash: false })
            });
            let all: Vec<_> = every.chain(extra).collect();
            (Just(all).prop_shuffle(), Just(split))
        })
        .prop_map(|(mut all, split)| {
            let rest = all.split_off(split.min(all.len()));
            (all, rest)
        })
}

async fn consume(database: &Database, deliveries: &[Delivery]) {
    for delivery in deliveries {
        let event = event(delivery.key, delivery.version);
        if delivery.crash {
            let mut tx = database.begin().await;
            handle(&mut tx, &event).await.unwrap();
            tx.rollback().await.unwrap();
        } else {
            settle(database, event).await;
        }
    }
}

/// One delivery and whatever waited for it.
async fn settle(database: &Database, event: Envelope) {
    let mut next = Some(event);
    while let Some(event) = next {
        next = match database.deliver(&event).await.unwrap() {
            Admission::Apply => unpark(&mut *database.begin().await, &event).await.unwrap(),
            _ => None,
        };
    }
}

/// The periodic sweep, until it finds nothing.
async fn sweep(database: &Database) {
    loop {
        let found = contiguous(&mut *database.begin().await, 4).await.unwrap();
        if found.is_empty() {
            return;
        }
        for event in found {
            settle(database, event).await;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 20, ..Default::default() })]

    #[test]
    fn every_schedule_applies_each_version_once_and_in_order((left, right) in schedules()) {
        Runtime::new().unwrap().block_on(async {
            let database = Database::create().await;
            tokio::join!(consume(&database, &left), consume(&database, &right));
            sweep(&database).await;
            for key in KEYS {
                let expected: Vec<i64> = (1..=VERSIONS.cast_signed()).collect();
                prop_assert_eq!(database.effects(key).await, expected, "key {}", key);
            }
            prop_assert_eq!(database.parked().await, 0);
            Ok(())
        })?;
    }
}
