//! Events whose effect could not be written.

use prost::Message;
use sqlx::PgConnection;
use type_contract::v1::Envelope;
use uuid::Uuid;

use crate::position::{Place, lock, start_at};
use crate::{Result, parking};

/// After how many failures an event blocks its key, unless the handler says otherwise.
pub const ATTEMPTS: u32 = 8;

/// Longer errors are cut, in characters.
const ERROR_LENGTH: usize = 500;

/// What a failure leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Try again after a pause: do not acknowledge.
    Retry { attempts: u32 },
    /// Tried often enough. The event is a dead letter and the later ones of its key wait for it:
    /// acknowledge, and tell an operator.
    Blocked,
    /// Applied or skipped meanwhile: acknowledge.
    Settled,
}

/// Counts a failed attempt, in a transaction of its own after the effect was rolled back.
///
/// At `limit` attempts ([`ATTEMPTS`] as a rule, at least 1) the event blocks its key, until
/// [`retry`] or [`skip`]. An event without a version blocks nothing but itself.
///
/// `error` is shown to operators: the error's kind and code, never a value of the event or of a
/// person. It is cut after 500 characters.
///
/// # Errors
///
/// [`Error::Malformed`](crate::Error::Malformed) for an envelope no producer made;
/// [`Error::Database`](crate::Error::Database).
pub async fn fail(
    conn: &mut PgConnection,
    envelope: &Envelope,
    error: &str,
    limit: u32,
) -> Result<Failure> {
    let place = Place::of(envelope)?;
    if place.version > 0 {
        let position = lock(conn, &place).await?;
        if position.version.is_some_and(|applied| envelope.version <= applied) {
            return Ok(Failure::Settled);
        }
    }
    count(conn, &place, envelope, error, limit).await
}

async fn count(
    conn: &mut PgConnection,
    place: &Place<'_>,
    envelope: &Envelope,
    error: &str,
    limit: u32,
) -> Result<Failure> {
    let counted: Option<(i32, bool)> = sqlx::query_as(
        "INSERT INTO dead_letters AS d
             (brand_id, producer, aggregate, key, version, event_id, name, envelope, error,
              attempts, state)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,
                 1, CASE WHEN 1 >= $10 THEN 'blocked' ELSE 'failing' END)
         ON CONFLICT (brand_id, event_id) DO UPDATE
         SET attempts = CASE d.state WHEN 'resolved' THEN 1 ELSE d.attempts + 1 END,
             state = CASE WHEN d.state = 'blocked' THEN 'blocked'
                          WHEN d.state = 'failing' AND d.attempts + 1 >= $10 THEN 'blocked'
                          ELSE 'failing' END,
             error = EXCLUDED.error,
             updated_at = now()
         WHERE d.state <> 'skipped'
         RETURNING attempts, state = 'blocked'",
    )
    .bind(place.brand_id)
    .bind(place.producer)
    .bind(place.aggregate)
    .bind(place.key)
    .bind(place.version)
    .bind(place.event_id)
    .bind(&envelope.name)
    .bind(envelope.encode_to_vec())
    .bind(error.chars().take(ERROR_LENGTH).collect::<String>())
    .bind(i32::try_from(limit).unwrap_or(i32::MAX))
    .fetch_optional(conn)
    .await?;
    Ok(match counted {
        None => Failure::Settled,
        Some((_, true)) => Failure::Blocked,
        Some((attempts, false)) => Failure::Retry { attempts: attempts.cast_unsigned() },
    })
}

/// An operator lets a dead letter of the brand be tried again, from no attempts on. Returns the event
/// for the handler; `None` when it is no dead letter.
///
/// A crash before the handler ends loses nothing: an event with a version is parked, so that
/// [`contiguous`](crate::contiguous) hands it out; one without stays a dead letter until
/// [`claim`](crate::claim) resolves it.
///
/// # Errors
///
/// [`Error::Database`](crate::Error::Database), [`Error::Stored`](crate::Error::Stored).
pub async fn retry(conn: &mut PgConnection, event_id: Uuid) -> Result<Option<Envelope>> {
    let Some(envelope) = settle(conn, event_id, "failing").await? else { return Ok(None) };
    if envelope.version > 0 {
        parking::park(conn, &Place::of(&envelope)?, &envelope).await?;
    }
    Ok(Some(envelope))
}

/// An operator gives a dead letter of the brand up, for ever; false when there is none. Its effect is
/// never written, and the later versions of its key go on.
///
/// # Errors
///
/// [`Error::Database`](crate::Error::Database), [`Error::Stored`](crate::Error::Stored).
pub async fn skip(conn: &mut PgConnection, event_id: Uuid) -> Result<bool> {
    let Some(envelope) = settle(conn, event_id, "skipped").await? else { return Ok(false) };
    if envelope.version > 0 {
        start_at(conn, &envelope, envelope.version).await?;
    }
    Ok(true)
}

/// Takes a blocked dead letter to another state and returns its event. The position is locked first,
/// as everywhere, so that the two never wait for each other.
async fn settle(conn: &mut PgConnection, event_id: Uuid, state: &str) -> Result<Option<Envelope>> {
    let stored: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT envelope FROM dead_letters WHERE event_id = $1")
            .bind(event_id)
            .fetch_optional(&mut *conn)
            .await?;
    let Some(stored) = stored else { return Ok(None) };
    let envelope = Envelope::decode(stored.as_slice())?;
    if envelope.version > 0 {
        lock(conn, &Place::of(&envelope)?).await?;
    }
    let settled = sqlx::query(
        // Nothing but its state keeps an event without a version.
        "UPDATE dead_letters
         SET state = CASE WHEN version = 0 AND $2 = 'failing' THEN state ELSE $2 END,
             attempts = 0, updated_at = now()
         WHERE event_id = $1 AND state = 'blocked'",
    )
    .bind(event_id)
    .bind(state)
    .execute(conn)
    .await?;
    Ok((settled.rows_affected() == 1).then_some(envelope))
}
