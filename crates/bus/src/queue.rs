//! The durable bus in a Postgres table, `events.deliveries`.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use prost::Message;
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use type_contract::v1::Envelope;
use uuid::Uuid;

use crate::durable::{DurableBus, Put, Receipt, Received, Routes};
use crate::{Error, Result};

/// How often an event is received before it is dead. High: the gate gives up on a failing handler
/// long before; this ends an event that kills its consumer.
const MAX_RECEIVES: i32 = 100;

/// How long a waiting receive stays blind to what other processes put.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// A durable bus in Postgres. Its pool connects as `events_bus`.
pub struct PostgresQueue {
    pool: PgPool,
    routes: Routes,
    /// Rings when this process puts.
    put: Notify,
}

impl PostgresQueue {
    /// A queue for each consumer in `routes`.
    pub fn new(pool: PgPool, routes: Routes) -> Self {
        Self { pool, routes, put: Notify::new() }
    }

    /// Forgets deliveries that were acknowledged more than 7 days ago, at most `limit`. Returns how
    /// many; call again while it returns `limit`.
    ///
    /// # Errors
    ///
    /// [`Error::Database`].
    pub async fn purge(&self, limit: u32) -> Result<u64> {
        let purged = sqlx::query(
            "DELETE FROM events.deliveries WHERE (consumer, event_id) IN (
                 SELECT consumer, event_id FROM events.deliveries
                 WHERE state = 'delivered' AND delivered_at < now() - interval '7 days'
                 ORDER BY delivered_at LIMIT $1 FOR UPDATE SKIP LOCKED)",
        )
        .bind(i64::from(limit))
        .execute(&self.pool)
        .await?;
        Ok(purged.rows_affected())
    }

    /// One row for each event and consumer, in one statement. A row that is there stays as it is,
    /// unless it is dead: then it gets another life.
    async fn store(&self, envelopes: &[Envelope]) -> Result<Vec<Put>> {
        let rows = Rows::of(envelopes, &self.routes)?;
        sqlx::query(
            "INSERT INTO events.deliveries AS d
                 (brand_id, event_id, consumer, name, producer, aggregate, key, version,
                  occurred_at, correlation_id, envelope)
             SELECT * FROM unnest(
                 $1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                 $8::bigint[], $9::timestamptz[], $10::text[], $11::bytea[])
             ON CONFLICT (consumer, event_id) DO UPDATE
             SET state = 'pending', attempts = 0, visible_at = now()
             WHERE d.state = 'dead'",
        )
        .bind(rows.brand_id)
        .bind(rows.event_id)
        .bind(rows.consumer)
        .bind(rows.name)
        .bind(rows.producer)
        .bind(rows.aggregate)
        .bind(rows.key)
        .bind(rows.version)
        .bind(rows.occurred_at)
        .bind(rows.correlation_id)
        .bind(rows.envelope)
        .execute(&self.pool)
        .await?;
        self.put.notify_waiters();
        Ok(vec![Put::Accepted; envelopes.len()])
    }

    async fn take(
        &self,
        consumer: &str,
        max: usize,
        visibility: Duration,
    ) -> Result<Vec<Received>> {
        let mut rows: Vec<Due> = sqlx::query_as(
            "WITH due AS (
                 SELECT consumer, event_id FROM events.deliveries
                 WHERE consumer = $1 AND state = 'pending' AND visible_at <= now()
                 ORDER BY visible_at, occurred_at, version
                 LIMIT $2 FOR UPDATE SKIP LOCKED)
             UPDATE events.deliveries d
             SET attempts = d.attempts + 1,
                 visible_at = now() + make_interval(secs => $3),
                 state = CASE WHEN d.attempts >= $4 THEN 'dead' ELSE 'pending' END
             FROM due WHERE d.consumer = due.consumer AND d.event_id = due.event_id
             RETURNING d.event_id, d.envelope, d.attempts, d.state = 'dead', d.occurred_at,
                       d.version",
        )
        .bind(consumer)
        .bind(i64::try_from(max).unwrap_or(i64::MAX))
        .bind(visibility.as_secs_f64())
        .bind(MAX_RECEIVES)
        .fetch_all(&self.pool)
        .await?;
        rows.sort_by_key(|&(.., occurred_at, version)| (occurred_at, version));
        rows.into_iter().filter_map(|row| received(consumer, row).transpose()).collect()
    }

    /// Polls, because another process may put; the bell shortens it for this one.
    async fn take_within(
        &self,
        consumer: &str,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Received>> {
        let end = Instant::now() + wait;
        loop {
            let put = self.put.notified();
            tokio::pin!(put);
            // From here on a bell is heard, so none is lost between the look and the wait.
            put.as_mut().enable();
            let received = self.take(consumer, max, visibility).await?;
            if !received.is_empty() || Instant::now() >= end {
                return Ok(received);
            }
            let _ = timeout_at(end.min(Instant::now() + POLL_INTERVAL), put).await;
        }
    }

    async fn acknowledge(&self, receipts: &[Receipt]) -> Result<()> {
        let mut consumers = Vec::with_capacity(receipts.len());
        let mut event_ids = Vec::with_capacity(receipts.len());
        for receipt in receipts {
            consumers.push(receipt.consumer.as_str());
            event_ids.push(Handle::parse(&receipt.handle)?.event_id);
        }
        sqlx::query(
            "UPDATE events.deliveries d SET state = 'delivered', delivered_at = now()
             FROM unnest($1::text[], $2::uuid[]) AS done (consumer, event_id)
             WHERE d.consumer = done.consumer AND d.event_id = done.event_id
               AND d.state <> 'delivered'",
        )
        .bind(consumers)
        .bind(event_ids)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    async fn show_after(&self, receipt: &Receipt, delay: Duration) -> Result<()> {
        let handle = Handle::parse(&receipt.handle)?;
        sqlx::query(
            "UPDATE events.deliveries SET visible_at = now() + make_interval(secs => $4)
             WHERE consumer = $1 AND event_id = $2 AND attempts = $3 AND state = 'pending'",
        )
        .bind(&receipt.consumer)
        .bind(handle.event_id)
        .bind(handle.attempts)
        .bind(delay.as_secs_f64())
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

impl DurableBus for PostgresQueue {
    fn put<'a>(&'a self, envelopes: &'a [Envelope]) -> BoxFuture<'a, Result<Vec<Put>>> {
        self.store(envelopes).boxed()
    }

    fn receive<'a>(
        &'a self,
        consumer: &'a str,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> BoxFuture<'a, Result<Vec<Received>>> {
        self.take_within(consumer, max, wait, visibility).boxed()
    }

    fn delete<'a>(&'a self, receipts: &'a [Receipt]) -> BoxFuture<'a, Result<()>> {
        self.acknowledge(receipts).boxed()
    }

    fn extend<'a>(
        &'a self,
        receipt: &'a Receipt,
        visibility: Duration,
    ) -> BoxFuture<'a, Result<()>> {
        self.show_after(receipt, visibility).boxed()
    }

    fn release<'a>(&'a self, receipt: &'a Receipt, delay: Duration) -> BoxFuture<'a, Result<()>> {
        self.show_after(receipt, delay).boxed()
    }
}

/// `event_id, envelope, attempts, dead, occurred_at, version`
type Due = (Uuid, Vec<u8>, i32, bool, DateTime<Utc>, i64);

/// `None` for an event that just died.
fn received(consumer: &str, due: Due) -> Result<Option<Received>> {
    let (event_id, envelope, attempts, dead, ..) = due;
    if dead {
        tracing::error!(consumer, %event_id, attempts, "a delivery is dead: never acknowledged");
        return Ok(None);
    }
    let handle = Handle { event_id, attempts };
    let receipt = Receipt { consumer: consumer.to_owned(), handle: handle.print() };
    let envelope = Envelope::decode(envelope.as_slice())?;
    Ok(Some(Received { envelope, receipt, attempts: attempts.cast_unsigned() }))
}

/// What a receipt says: which event, and the how manieth receipt of it.
#[derive(Debug, PartialEq)]
struct Handle {
    event_id: Uuid,
    attempts: i32,
}

impl Handle {
    fn print(&self) -> String {
        format!("{}/{}", self.event_id, self.attempts)
    }

    fn parse(text: &str) -> Result<Self> {
        let parts = text.split_once('/').and_then(|(event_id, attempts)| {
            Some(Self { event_id: event_id.parse().ok()?, attempts: attempts.parse().ok()? })
        });
        parts.ok_or(Error::Malformed("receipt"))
    }
}

/// The columns of the rows to store.
#[derive(Default)]
struct Rows<'a> {
    brand_id: Vec<&'a str>,
    event_id: Vec<Uuid>,
    consumer: Vec<&'a str>,
    name: Vec<&'a str>,
    producer: Vec<&'a str>,
    aggregate: Vec<&'a str>,
    key: Vec<&'a str>,
    version: Vec<i64>,
    occurred_at: Vec<DateTime<Utc>>,
    correlation_id: Vec<&'a str>,
    envelope: Vec<Vec<u8>>,
}

impl<'a> Rows<'a> {
    fn of(envelopes: &'a [Envelope], routes: &'a Routes) -> Result<Self> {
        let mut rows = Self::default();
        let mut seen = HashSet::new();
        for envelope in envelopes {
            let event_id: Uuid =
                envelope.event_id.parse().map_err(|_| Error::Malformed("event_id"))?;
            // Postgres refuses to update a row twice in one statement.
            if seen.insert(event_id) {
                for consumer in routes.consumers(&envelope.aggregate) {
                    rows.push(envelope, event_id, consumer)?;
                }
            }
        }
        Ok(rows)
    }

    fn push(&mut self, envelope: &'a Envelope, event_id: Uuid, consumer: &'a str) -> Result<()> {
        let version = envelope.version.try_into().map_err(|_| Error::Malformed("version"))?;
        self.brand_id.push(&envelope.brand_id);
        self.event_id.push(event_id);
        self.consumer.push(consumer);
        self.name.push(&envelope.name);
        self.producer.push(&envelope.producer);
        self.aggregate.push(&envelope.aggregate);
        self.key.push(&envelope.key);
        self.version.push(version);
        self.occurred_at.push(occurred_at(envelope)?);
        self.correlation_id.push(&envelope.correlation_id);
        self.envelope.push(envelope.encode_to_vec());
        Ok(())
    }
}

fn occurred_at(envelope: &Envelope) -> Result<DateTime<Utc>> {
    let time = envelope.occurred_at.unwrap_or_default();
    let nanos = time.nanos.try_into().ok();
    let time = nanos.and_then(|nanos| DateTime::from_timestamp(time.seconds, nanos));
    time.ok_or(Error::Malformed("occurred_at"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_reads_what_it_prints() {
        let handle = Handle { event_id: Uuid::from_u128(7), attempts: 3 };
        assert_eq!(Handle::parse(&handle.print()).unwrap(), handle);
        for text in ["", "7", "7/3", "00000000-0000-0000-0000-000000000007/x"] {
            assert!(Handle::parse(text).is_err(), "{text:?}");
        }
    }
}
