//! Events that came too early, kept until their turn.

use prost::Message;
use sqlx::PgConnection;
use type_contract::v1::Envelope;

use crate::Result;
use crate::position::Place;

/// The event that waited for `applied`, if there is one.
///
/// It stays parked until its own [`admit`](crate::admit) applies it and that transaction commits,
/// so a crash in between loses nothing. Call this in the transaction that applied `applied`, or in a
/// later one; then admit what it returns in the next transaction (one event, one transaction, so
/// that a failing event does not take its predecessor's effect along). Two consumers may get the
/// same event: the gate lets one apply it.
///
/// # Errors
///
/// [`Error::Database`](crate::Error::Database), [`Error::Stored`](crate::Error::Stored).
pub async fn unpark(conn: &mut PgConnection, applied: &Envelope) -> Result<Option<Envelope>> {
    let place = Place::of(applied)?;
    let stored: Option<Vec<u8>> = sqlx::query_scalar(
        "SELECT envelope FROM parked_events
         WHERE brand_id = $1 AND producer = $2 AND aggregate = $3 AND key = $4 AND epoch = $5
           AND version = $6 + 1",
    )
    .bind(place.brand_id)
    .bind(place.producer)
    .bind(place.aggregate)
    .bind(place.key)
    .bind(place.epoch)
    .bind(place.version)
    .fetch_optional(conn)
    .await?;
    Ok(stored.as_deref().map(Envelope::decode).transpose()?)
}

/// Parked events of the brand whose turn has come, the longest parked first, at most `limit`.
///
/// Finds what a crash between an apply and its [`unpark`] left behind, what waited for a dead letter
/// that is settled now, and what [`start_at`](crate::start_at) let go. They stay parked until
/// admitted and applied.
///
/// # Errors
///
/// [`Error::Database`](crate::Error::Database), [`Error::Stored`](crate::Error::Stored).
pub async fn contiguous(conn: &mut PgConnection, limit: u32) -> Result<Vec<Envelope>> {
    let stored: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT e.envelope
         FROM parked_events e
         JOIN stream_positions p USING (brand_id, producer, aggregate, key, epoch)
         WHERE e.version = p.version + 1
           AND NOT EXISTS (
               SELECT FROM dead_letters d
               WHERE d.brand_id = e.brand_id AND d.producer = e.producer
                 AND d.aggregate = e.aggregate AND d.key = e.key
                 AND d.state = 'blocked' AND d.version > 0)
         ORDER BY e.parked_at LIMIT $1",
    )
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    stored.iter().map(|bytes| Ok(Envelope::decode(bytes.as_slice())?)).collect()
}

/// A key whose next event is missing while later ones wait.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Gap {
    pub brand_id: String,
    pub producer: String,
    pub aggregate: String,
    pub key: String,
    /// The first version that is missing.
    pub version: i64,
}

/// Gaps that have stood for at least `age_seconds`, the oldest first, at most `limit`: their events
/// may be asked for at the producer's own outbox.
///
/// # Errors
///
/// [`Error::Database`](crate::Error::Database).
pub async fn gaps(conn: &mut PgConnection, age_seconds: f64, limit: u32) -> Result<Vec<Gap>> {
    let gaps = sqlx::query_as(
        "SELECT e.brand_id, e.producer, e.aggregate, e.key,
                coalesce(max(p.version), 0) + 1 AS version
         FROM parked_events e
         LEFT JOIN stream_positions p USING (brand_id, producer, aggregate, key, epoch)
         WHERE NOT EXISTS (
               SELECT FROM dead_letters d
               WHERE d.brand_id = e.brand_id AND d.producer = e.producer
                 AND d.aggregate = e.aggregate AND d.key = e.key
                 AND d.state = 'blocked' AND d.version > 0)
         GROUP BY e.brand_id, e.producer, e.aggregate, e.key, e.epoch
         HAVING min(e.version) > coalesce(max(p.version), 0) + 1
            AND min(e.parked_at) < now() - make_interval(secs => $1)
         ORDER BY min(e.parked_at)
         LIMIT $2",
    )
    .bind(age_seconds)
    .bind(i64::from(limit))
    .fetch_all(conn)
    .await?;
    Ok(gaps)
}

/// Keeps the event. Parking it again changes nothing.
pub(crate) async fn park(
    conn: &mut PgConnection,
    place: &Place<'_>,
    envelope: &Envelope,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO parked_events
             (brand_id, producer, aggregate, key, epoch, version, event_id, envelope)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
    )
    .bind(place.brand_id)
    .bind(place.producer)
    .bind(place.aggregate)
    .bind(place.key)
    .bind(place.epoch)
    .bind(place.version)
    .bind(place.event_id)
    .bind(envelope.encode_to_vec())
    .execute(conn)
    .await?;
    Ok(())
}
