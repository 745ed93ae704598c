//! Events without a version, told apart by their id.

use sqlx::PgConnection;
use type_contract::v1::Envelope;

use crate::Result;
use crate::position::Place;

/// Claims an event for a handler: true for the transaction that may write the effect, false when
/// another one has. Waits for a competing transaction to end.
///
/// # Errors
///
/// [`Error::Malformed`](crate::Error::Malformed) for an event whose id is none,
/// [`Error::Database`](crate::Error::Database).
pub async fn claim(conn: &mut PgConnection, handler: &str, envelope: &Envelope) -> Result<bool> {
    let place = Place::of(envelope)?;
    let claimed: i64 = sqlx::query_scalar(
        "WITH claimed AS (
             INSERT INTO inbox (brand_id, handler, event_id) VALUES ($1, $2, $3)
             ON CONFLICT DO NOTHING RETURNING event_id),
         resolved AS (
             UPDATE dead_letters d SET state = 'resolved', updated_at = now()
             FROM claimed WHERE d.brand_id = $1 AND d.event_id = claimed.event_id)
         SELECT count(*) FROM claimed",
    )
    .bind(place.brand_id)
    .bind(handler)
    .bind(place.event_id)
    .fetch_one(conn)
    .await?;
    Ok(claimed == 1)
}
