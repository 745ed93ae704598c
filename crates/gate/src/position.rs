//! How far the consumer has applied one aggregate of one producer.

use sqlx::PgConnection;
use type_contract::v1::Envelope;
use uuid::Uuid;

use crate::{Error, Result};

/// Lets the key of `envelope` begin after `version`, in the epoch of `envelope`: the effect of every
/// version up to it counts as applied.
///
/// For a consumer that took its state from elsewhere, and for an operator who decided how to go on
/// after the producer was restored. What was parked for the key is handed out by
/// [`contiguous`](crate::contiguous) next.
///
/// # Errors
///
/// [`Error::Malformed`] when `version` or `envelope` is none; [`Error::Database`].
pub async fn start_at(conn: &mut PgConnection, envelope: &Envelope, version: u64) -> Result<()> {
    let place = Place::of(envelope)?;
    sqlx::query(
        "WITH passed AS (
             DELETE FROM parked_events
             WHERE brand_id = $1 AND producer = $2 AND aggregate = $3 AND key = $4 AND epoch = $5
               AND version <= $6)
         INSERT INTO stream_positions (brand_id, producer, aggregate, key, epoch, version)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (brand_id, producer, aggregate, key, epoch)
         DO UPDATE SET version = EXCLUDED.version",
    )
    .bind(place.brand_id)
    .bind(place.producer)
    .bind(place.aggregate)
    .bind(place.key)
    .bind(place.epoch)
    .bind(stored_version(version)?)
    .execute(conn)
    .await?;
    Ok(())
}

/// An envelope's place in its stream, as the tables hold it.
pub(crate) struct Place<'a> {
    pub brand_id: &'a str,
    pub producer: &'a str,
    pub aggregate: &'a str,
    pub key: &'a str,
    pub epoch: i32,
    pub version: i64,
    pub event_id: Uuid,
}

impl<'a> Place<'a> {
    pub fn of(envelope: &'a Envelope) -> Result<Self> {
        Ok(Self {
            brand_id: &envelope.brand_id,
            producer: &envelope.producer,
            aggregate: &envelope.aggregate,
            key: &envelope.key,
            epoch: i32::try_from(envelope.epoch).map_err(|_| Error::Malformed("epoch"))?,
            version: stored_version(envelope.version)?,
            event_id: envelope.event_id.parse().map_err(|_| Error::Malformed("event_id"))?,
        })
    }
}

/// Where a key stands, its row locked until the transaction ends.
pub(crate) struct Position {
    /// `None`: the producer was restored, and nobody decided yet where to go on.
    pub version: Option<u64>,
    /// Whether an event of the key is a dead letter that the others must wait for.
    pub blocked: bool,
}

/// Locks the position of the key, and makes one if the key is new.
pub(crate) async fn lock(conn: &mut PgConnection, place: &Place<'_>) -> Result<Position> {
    if let Some(position) = lock_existing(conn, place).await? {
        return Ok(position);
    }
    // Waits for a competing consumer that is inserting the same row.
    sqlx::query(
        "INSERT INTO stream_positions (brand_id, producer, aggregate, key, epoch, version)
         VALUES ($1, $2, $3, $4, $5, 0) ON CONFLICT DO NOTHING",
    )
    .bind(place.brand_id)
    .bind(place.producer)
    .bind(place.aggregate)
    .bind(place.key)
    .bind(place.epoch)
    .execute(&mut *conn)
    .await?;
    let position = lock_existing(conn, place).await?;
    position.ok_or(Error::Database(sqlx::Error::RowNotFound))
}

/// Locks the rows of all epochs, so that consumers of different epochs wait for each other too.
async fn lock_existing(conn: &mut PgConnection, place: &Place<'_>) -> Result<Option<Position>> {
    let rows: Vec<(i32, i64, bool)> = sqlx::query_as(
        "SELECT epoch, version, EXISTS (
             SELECT FROM dead_letters d
             WHERE d.brand_id = $1 AND d.producer = $2 AND d.aggregate = $3 AND d.key = $4
               AND d.state = 'blocked' AND d.version > 0)
         FROM stream_positions p
         WHERE p.brand_id = $1 AND p.producer = $2 AND p.aggregate = $3 AND p.key = $4
         ORDER BY epoch DESC FOR UPDATE OF p",
    )
    .bind(place.brand_id)
    .bind(place.producer)
    .bind(place.aggregate)
    .bind(place.key)
    .fetch_all(conn)
    .await?;
    let Some(&(epoch, version, blocked)) = rows.first() else { return Ok(None) };
    // Another epoch's versions name other events. Also an older epoch's: the producer has taken
    // those back.
    let version = (epoch == place.epoch).then(|| version.cast_unsigned());
    Ok(Some(Position { version, blocked }))
}

fn stored_version(version: u64) -> Result<i64> {
    i64::try_from(version).map_err(|_| Error::Malformed("version"))
}
