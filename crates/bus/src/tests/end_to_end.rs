//! Writers, relays, both buses, consumers and the gate, with everything that can be killed killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gate::{Admission, admit, contiguous, unpark};
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use tokio::task::{JoinHandle, JoinSet, yield_now};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use type_contract::v1::Envelope;

use super::database::{AGGREGATE, CONSUMER, Database, PRODUCER, write};
use super::{eventually, fast};
use crate::{Fast, PostgresQueue, Relay, consume};

const WRITERS: u64 = 8;
const EVENTS: u64 = 500;
const KEYS: u64 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_effect_happens_once_and_in_order_whoever_dies() {
    let database = Arc::new(Database::create().await);
    let fast = fast::nats().await;
    let queue = Arc::new(database.queue().await);
    let consumer = database.pool_of("patient_graph_app", 12, CONSUMER).await;
    let writers = write_all(&database, &fast);
    let mut relays = [(); 2].map(|()| relay(&database, &fast, &queue));
    let mut consumers = [(); 2].map(|()| consume_all(&fast, &queue, &consumer));
    let random = Random::default();
    for done in kill_points(&random) {
        eventually("the effects go on", async || {
            sweep(&consumer).await;
            effects(&database).await.len() as u64 >= done
        })
        .await;
        let victim = random.index(2);
        consumers[victim].abort();
        consumers[victim] = consume_all(&fast, &queue, &consumer);
        relays[victim].abort();
        relays[victim] = relay(&database, &fast, &queue);
        show_hidden(&database).await;
    }
    writers.await.unwrap();
    check(&database).await;
    consumers.into_iter().chain(relays).for_each(|task| task.abort());
}

/// After how many effects a relay and a consumer are killed; the last number is all.
fn kill_points(random: &Random) -> Vec<u64> {
    let mut points = vec![50];
    while let Some(last) = points.last()
        && last + 300 < WRITERS * EVENTS
    {
        points.push(last + 50 + random.below(200));
    }
    points.push(WRITERS * EVENTS);
    points
}

/// Nothing twice, nothing missing, each key in order, nothing left over.
async fn check(database: &Database) {
    let expected: Vec<(String, i64)> =
        sqlx::query_as("SELECT key, version FROM clinical.outbox ORDER BY key, version")
            .fetch_all(&database.pool)
            .await
            .unwrap();
    assert_eq!(expected.len() as u64, WRITERS * EVENTS);
    assert_eq!(effects(database).await, expected);
    let parked: i64 = sqlx::query_scalar("SELECT count(*) FROM patient_graph.parked_events")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert_eq!(parked, 0);
}

/// In the order of each key's writing.
async fn effects(database: &Database) -> Vec<(String, i64)> {
    sqlx::query_as("SELECT key, version FROM patient_graph.effects ORDER BY key, n")
        .fetch_all(&database.pool)
        .await
        .unwrap()
}

/// What killed consumers held comes now and not in half a minute, and what others hold comes twice.
async fn show_hidden(database: &Database) {
    sqlx::query("UPDATE events.deliveries SET visible_at = now() WHERE state = 'pending'")
        .execute(&database.pool)
        .await
        .unwrap();
}

fn write_all(database: &Arc<Database>, fast: &Fast) -> JoinHandle<()> {
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (database, fast) = (database.clone(), fast.clone());
        writers.spawn(async move { write_events(&database, &fast, writer).await });
    }
    tokio::spawn(async move { writers.join_all().await.into_iter().collect() })
}

/// Transactions of one to three keys, some rolled back, some held open for a while.
async fn write_events(database: &Database, fast: &Fast, writer: u64) {
    let random = Random::seeded(writer);
    let mut left = EVENTS;
    while left > 0 {
        let mut keys: Vec<u64> = (0..=random.below(3)).map(|_| random.below(KEYS)).collect();
        // In one order for all, or they would wait for each other in a ring.
        keys.sort_unstable();
        keys.dedup();
        keys.truncate(usize::try_from(left).unwrap());
        let mut tx = database.pool.begin().await.unwrap();
        for key in &keys {
            write(&mut tx, &format!("key{key}")).await;
            if random.below(20) == 0 {
                sleep(Duration::from_millis(random.below(20))).await;
            }
        }
        if random.below(30) == 0 {
            tx.rollback().await.unwrap();
            continue;
        }
        tx.commit().await.unwrap();
        fast.wake(PRODUCER);
        left -= keys.len() as u64;
    }
}

fn relay(database: &Database, fast: &Fast, queue: &Arc<PostgresQueue>) -> JoinHandle<()> {
    let relay = Relay {
        service: PRODUCER.to_owned(),
        schema: PRODUCER.to_owned(),
        database: database.options("clinical_drain"),
        fast: fast.clone(),
        durable: queue.clone(),
    };
    tokio::spawn(relay.run(CancellationToken::new()))
}

fn consume_all(fast: &Fast, queue: &Arc<PostgresQueue>, pool: &PgPool) -> JoinHandle<()> {
    let (fast, queue, pool) = (fast.clone(), queue.clone(), pool.clone());
    tokio::spawn(async move {
        let handle = move |event| {
            let pool = pool.clone();
            async move { handle(&pool, event).await.map_err(|error| error.to_string()) }
        };
        let never = CancellationToken::new();
        consume(CONSUMER, &[AGGREGATE], &fast, queue, handle, never).await.unwrap();
    })
}

/// What a service does with an event, and with those that waited for it.
async fn handle(pool: &PgPool, event: Envelope) -> gate::Result<()> {
    let mut next = Some(event);
    while let Some(event) = next {
        let mut tx = begin(pool).await?;
        let admission = admit(&mut tx, &event).await?;
        if admission == Admission::Apply {
            apply(&mut tx, &event).await?;
        }
        next = match admission {
            Admission::Apply => unpark(&mut tx, &event).await?,
            _ => None,
        };
        tx.commit().await?;
    }
    Ok(())
}

async fn apply(conn: &mut PgConnection, event: &Envelope) -> gate::Result<()> {
    // A chance to be killed between the position and the effect.
    yield_now().await;
    sqlx::query("INSERT INTO effects (key, version) VALUES ($1, $2)")
        .bind(&event.key)
        .bind(event.version.cast_signed())
        .execute(conn)
        .await?;
    Ok(())
}

async fn sweep(pool: &PgPool) {
    let found = contiguous(&mut begin(pool).await.unwrap(), 100).await.unwrap();
    for event in found {
        handle(pool, event).await.unwrap();
    }
}

async fn begin(pool: &PgPool) -> gate::Result<Transaction<'static, Postgres>> {
    Ok(pool.begin_with("BEGIN; SELECT set_config('app.brand_id', 'loop', true)").await?)
}

/// A linear congruential generator: enough to choose victims.
struct Random(AtomicU64);

impl Default for Random {
    fn default() -> Self {
        Self::seeded(getrandom::u64().unwrap())
    }
}

impl Random {
    fn seeded(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    fn below(&self, end: u64) -> u64 {
        let step = |state: u64| state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let state = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |s| Some(step(s)));
        (step(state.unwrap()) >> 33) % end
    }

    fn index(&self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).unwrap()
    }
}
