//! Whether an event's turn has come.

use sqlx::PgConnection;
use type_contract::v1::Envelope;

use crate::position::{Place, lock};
use crate::{Error, Result, parking};

/// What becomes of a delivered event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Its turn: write the effect in this transaction. The position has moved.
    Apply,
    /// Its effect is already there.
    Duplicate,
    /// Too early. The event is kept in this transaction until the ones before it came.
    Parked,
    /// A dead letter of the key comes first. The event is kept, here or as that dead letter.
    Blocked,
}

/// Judges `version` by the last one applied, `position`. Versions are gapless from 1.
pub fn decide(position: u64, version: u64) -> Admission {
    match version {
        _ if version <= position => Admission::Duplicate,
        _ if version - 1 == position => Admission::Apply,
        _ => Admission::Parked,
    }
}

/// Admits an event to the open transaction, which holds the key's position until it ends.
///
/// Unless it errs, the caller commits and acknowledges, whatever the answer. A key that is new
/// starts at version 1: history reaches it by the durable bus or from the producer, or
/// [`start_at`](crate::start_at) skips it. After the producer was restored (a new epoch), a known
/// key parks everything until `start_at` says where the new epoch goes on: its versions name other
/// events than before.
///
/// # Errors
///
/// [`Error::Malformed`] for an event without a version or one no producer made;
/// [`Error::Database`].
pub async fn admit(conn: &mut PgConnection, envelope: &Envelope) -> Result<Admission> {
    let place = Place::of(envelope)?;
    if place.version == 0 {
        return Err(Error::Malformed("version"));
    }
    let position = lock(conn, &place).await?;
    let admission = match position.version {
        Some(applied) => decide(applied, envelope.version),
        None => Admission::Parked,
    };
    match admission {
        Admission::Apply if position.blocked => block(conn, &place, envelope).await,
        Admission::Apply => advance(conn, &place).await.map(|()| Admission::Apply),
        Admission::Duplicate => Ok(Admission::Duplicate),
        Admission::Parked | Admission::Blocked => {
            parking::park(conn, &place, envelope).await?;
            Ok(if position.blocked { Admission::Blocked } else { Admission::Parked })
        }
    }
}

/// Keeps an event whose turn it would be, unless it is the dead letter itself.
async fn block(
    conn: &mut PgConnection,
    place: &Place<'_>,
    envelope: &Envelope,
) -> Result<Admission> {
    let dead: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM dead_letters
                        WHERE brand_id = $1 AND event_id = $2 AND state = 'blocked')",
    )
    .bind(place.brand_id)
    .bind(place.event_id)
    .fetch_one(&mut *conn)
    .await?;
    if !dead {
        parking::park(conn, place, envelope).await?;
    }
    Ok(Admission::Blocked)
}

/// Moves the position to the event, and ends its waiting and its failing.
async fn advance(conn: &mut PgConnection, place: &Place<'_>) -> Result<()> {
    sqlx::query(
        "WITH unparked AS (
             DELETE FROM parked_events
             WHERE brand_id = $1 AND producer = $2 AND aggregate = $3 AND key = $4 AND epoch = $5
               AND version = $6),
         resolved AS (
             UPDATE dead_letters SET state = 'resolved', updated_at = now()
             WHERE brand_id = $1 AND event_id = $7 AND state <> 'resolved')
         UPDATE stream_positions SET version = $6
         WHERE brand_id = $1 AND producer = $2 AND aggregate = $3 AND key = $4 AND epoch = $5",
    )
    .bind(place.brand_id)
    .bind(place.producer)
    .bind(place.aggregate)
    .bind(place.key)
    .bind(place.epoch)
    .bind(place.version)
    .bind(place.event_id)
    .execute(conn)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_next_version_is_applied() {
        assert_eq!(decide(0, 1), Admission::Apply);
        assert_eq!(decide(4, 4), Admission::Duplicate);
        assert_eq!(decide(4, 5), Admission::Apply);
        assert_eq!(decide(4, 6), Admission::Parked);
        assert_eq!(decide(u64::MAX, u64::MAX), Admission::Duplicate);
    }

    proptest! {
        #[test]
        fn a_position_divides_the_versions_in_three(position: u64, version: u64) {
            let expected = match position.checked_add(1) {
                Some(next) if version > next => Admission::Parked,
                Some(next) if version == next => Admission::Apply,
                _ => Admission::Duplicate,
            };
            prop_assert_eq!(decide(position, version), expected);
        }
    }
}
