//! Rows of timelines.

use kit::{Pen, Reader, Result, Row, Time, Uuid};
use patient_graph_contract::v1::ListTimelineRequest;
use sqlx::FromRow;

use crate::domain::timeline::{Entry, EntryId};

impl Row for Entry {
    async fn write(&self, mut pen: Pen<'_>) -> Result<()> {
        let brand = pen.brand().to_owned();
        sqlx::query(
            "INSERT INTO patient_graph.timeline_events (brand_id, id, patient_id, event_type, title,
                 description, occurred_at, source_type, source_id, metadata, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(brand)
        .bind(self.id.uuid())
        .bind(&self.patient_id)
        .bind(&self.event_type)
        .bind(&self.title)
        .bind(&self.description)
        .bind(self.occurred_at)
        .bind(&self.source_type)
        .bind(&self.source_id)
        .bind(&self.metadata)
        .bind(self.created_at)
        .execute(pen.conn())
        .await?;
        Ok(())
    }
}

/// One page and the number of entries over all pages.
pub struct Page {
    pub entries: Vec<Entry>,
    pub total: i64,
}

/// A patient's entries, newest first. `offset` is bounded by the contract, so the scan is too.
pub async fn list(
    reader: &mut Reader,
    patient_id: &str,
    filter: &ListTimelineRequest,
) -> Result<Page> {
    let brand = reader.brand().to_owned();
    let total = sqlx::query_scalar(
        "SELECT count(*)
         FROM patient_graph.timeline_events
         WHERE brand_id = $1 AND patient_id = $2 AND ($3 = '' OR event_type = $3)",
    )
    .bind(&brand)
    .bind(patient_id)
    .bind(&filter.event_type)
    .fetch_one(reader.conn())
    .await?;
    let limit = if filter.limit == 0 { 20 } else { filter.limit };
    let rows: Vec<EntryRow> = sqlx::query_as(
        "SELECT id, patient_id, event_type, title, description, occurred_at, source_type, source_id,
                metadata, created_at
         FROM patient_graph.timeline_events
         WHERE brand_id = $1 AND patient_id = $2 AND ($3 = '' OR event_type = $3)
         ORDER BY occurred_at DESC, id DESC
         LIMIT $4 OFFSET $5",
    )
    .bind(&brand)
    .bind(patient_id)
    .bind(&filter.event_type)
    .bind(i64::from(limit))
    .bind(i64::from(filter.offset))
    .fetch_all(reader.conn())
    .await?;
    Ok(Page { entries: rows.into_iter().map(Into::into).collect(), total })
}

#[derive(FromRow)]
struct EntryRow {
    id: Uuid,
    patient_id: String,
    event_type: String,
    title: String,
    description: String,
    occurred_at: Time,
    source_type: String,
    source_id: String,
    metadata: serde_json::Value,
    created_at: Time,
}

impl From<EntryRow> for Entry {
    fn from(it: EntryRow) -> Self {
        Self {
            id: EntryId::of(it.id),
            patient_id: it.patient_id,
            event_type: it.event_type,
            title: it.title,
            description: it.description,
            occurred_at: it.occurred_at,
            source_type: it.source_type,
            source_id: it.source_id,
            metadata: it.metadata,
            created_at: it.created_at,
        }
    }
}
