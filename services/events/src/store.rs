//! All the SQL of this service. The bus writes deliveries; here they are only read.

use events_contract::v1::ListDeliveriesRequest;
use kit::{Reader, Result, Time, Uuid};
use sqlx::FromRow;

#[derive(Clone, Debug, FromRow)]
pub struct Delivery {
    pub event_id: Uuid,
    pub name: String,
    pub producer: String,
    pub consumer: String,
    pub state: State,
    pub attempts: i32,
    pub occurred_at: Time,
    pub delivered_at: Option<Time>,
    pub correlation_id: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum State {
    Pending,
    Delivered,
    Dead,
}

/// A delivery's place in the list: newest event first.
pub type Place = (Time, Uuid, String);

pub async fn deliveries(
    reader: &mut Reader,
    filter: &ListDeliveriesRequest,
    after: Option<Place>,
    limit: i64,
) -> Result<Vec<Delivery>> {
    let (occurred_at, event_id, consumer) = match after {
        Some((occurred_at, event_id, consumer)) => {
            (Some(occurred_at), Some(event_id), Some(consumer))
        }
        None => (None, None, None),
    };
    let rows = sqlx::query_as(
        "SELECT event_id, name, producer, consumer, state, attempts, occurred_at, delivered_at,
                correlation_id
         FROM events.deliveries
         WHERE brand_id = $1
           AND ($2 = '' OR event_id::text = $2)
           AND ($3 = '' OR name = $3)
           AND ($4 = '' OR consumer = $4)
           AND ($5::timestamptz IS NULL OR (occurred_at, event_id, consumer) < ($5, $6, $7))
         ORDER BY occurred_at DESC, event_id DESC, consumer DESC
         LIMIT $8",
    )
    .bind(reader.brand().to_owned())
    .bind(&filter.event_id)
    .bind(&filter.name)
    .bind(&filter.consumer)
    .bind(occurred_at)
    .bind(event_id)
    .bind(consumer)
    .bind(limit)
    .fetch_all(reader.conn())
    .await?;
    Ok(rows)
}
