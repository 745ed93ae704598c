//! What every service can tell of its own records: its audit log and its outbox.

use contract::Method;
use records_contract::v1::{
    self as pb,
    records_service_server::{RecordsService, RecordsServiceServer},
};
use sqlx::FromRow;
use tonic::{Request, Response, async_trait};
use type_contract::v1::Envelope;
use uuid::Uuid;

use crate::{Call, Db, Platform, Reply, Result, Time, timestamp};

pub(crate) const METHODS: &[Method] = pb::METHODS;

pub(crate) fn server(platform: Platform) -> RecordsServiceServer<impl RecordsService> {
    RecordsServiceServer::new(Rpc { db: platform.db, service: platform.service.name })
}

struct Rpc {
    db: Db,
    service: &'static str,
}

#[async_trait]
impl RecordsService for Rpc {
    async fn list_audit_entries(
        &self,
        request: Request<pb::ListAuditEntriesRequest>,
    ) -> Reply<pb::ListAuditEntriesResponse> {
        let call = Call::of(request)?;
        let rows = audit_rows(&self.db, &call).await?;
        let total = rows.first().map_or(0, |it| it.total);
        let entries = rows.into_iter().map(Into::into).collect();
        Ok(Response::new(pb::ListAuditEntriesResponse { entries, total: total as i32 }))
    }

    async fn fetch_events(
        &self,
        request: Request<pb::FetchEventsRequest>,
    ) -> Reply<pb::FetchEventsResponse> {
        let call = Call::of(request)?;
        let rows = outbox_rows(&self.db, &call).await?;
        let events = rows.into_iter().map(|it| it.envelope(self.service, call.brand().as_str()));
        Ok(Response::new(pb::FetchEventsResponse { events: events.collect() }))
    }
}

#[derive(FromRow)]
struct AuditRow {
    id: Uuid,
    occurred_at: Time,
    actor_type: String,
    actor_id: String,
    event_type: String,
    entity_type: Option<String>,
    entity_id: Option<String>,
    brand_id: String,
    request_id: Option<String>,
    details: serde_json::Value,
    total: i64,
}

async fn audit_rows(db: &Db, call: &Call<pb::ListAuditEntriesRequest>) -> Result<Vec<AuditRow>> {
    let filter = &call.body;
    let limit = if filter.limit == 0 { 20 } else { filter.limit };
    let mut reader = db.read(call).await?;
    let rows = sqlx::query_as(
        "SELECT id, occurred_at, actor_type, actor_id, event_type, entity_type, entity_id,
                brand_id, request_id, details, count(*) OVER () AS total
         FROM audit_log
         WHERE brand_id = $1
           AND ($2 = '' OR actor_id = $2)
           AND ($3 = '' OR event_type = $3)
           AND ($4 = '' OR entity_type = $4)
           AND ($5 = '' OR entity_id = $5)
           AND ($6::timestamptz IS NULL OR occurred_at >= $6)
           AND ($7::timestamptz IS NULL OR occurred_at < $7)
         ORDER BY occurred_at DESC, id DESC
         LIMIT $8",
    )
    .bind(call.brand().as_str())
    .bind(&filter.actor_id)
    .bind(&filter.event_type)
    .bind(&filter.entity_type)
    .bind(&filter.entity_id)
    .bind(filter.since.as_ref().and_then(crate::time))
    .bind(filter.until.as_ref().and_then(crate::time))
    .bind(i64::from(limit))
    .fetch_all(reader.conn())
    .await?;
    Ok(rows)
}

impl From<AuditRow> for pb::AuditEntry {
    fn from(it: AuditRow) -> Self {
        Self {
            id: it.id.to_string(),
            occurred_at: Some(timestamp(it.occurred_at)),
            actor_type: it.actor_type,
            actor_id: it.actor_id,
            event_type: it.event_type,
            entity_type: it.entity_type.unwrap_or_default(),
            entity_id: it.entity_id.unwrap_or_default(),
            brand_id: it.brand_id,
            request_id: it.request_id.unwrap_or_default(),
            details: it.details.to_string(),
        }
    }
}

#[derive(FromRow)]
struct OutboxRow {
    seq: i64,
    event_id: Uuid,
    name: String,
    aggregate: String,
    key: String,
    version: i64,
    occurred_at: Time,
    correlation_id: String,
    causation_id: Option<String>,
    traceparent: Option<String>,
    payload: Vec<u8>,
    epoch: i32,
}

async fn outbox_rows(db: &Db, call: &Call<pb::FetchEventsRequest>) -> Result<Vec<OutboxRow>> {
    let wanted = &call.body;
    let limit = if wanted.limit == 0 { 100 } else { wanted.limit };
    let mut reader = db.read(call).await?;
    let rows = sqlx::query_as(
        "SELECT seq, event_id, name, aggregate, key, version, occurred_at, correlation_id,
                causation_id, traceparent, payload,
                (SELECT coalesce(max(stream_epoch), 1) FROM relay_cursors) AS epoch
         FROM outbox
         WHERE brand_id = $1 AND aggregate = $2 AND key = $3 AND version >= $4
         ORDER BY version
         LIMIT $5",
    )
    .bind(call.brand().as_str())
    .bind(&wanted.aggregate)
    .bind(&wanted.key)
    .bind(wanted.from_version as i64)
    .bind(i64::from(limit))
    .fetch_all(reader.conn())
    .await?;
    Ok(rows)
}

impl OutboxRow {
    fn envelope(self, producer: &str, brand: &str) -> Envelope {
        Envelope {
            event_id: self.event_id.to_string(),
            name: self.name,
            producer: producer.to_owned(),
            epoch: self.epoch as u32,
            aggregate: self.aggregate,
            key: self.key,
            version: self.version as u64,
            brand_id: brand.to_owned(),
            outbox_seq: self.seq,
            occurred_at: Some(timestamp(self.occurred_at)),
            correlation_id: self.correlation_id,
            causation_id: self.causation_id.unwrap_or_default(),
            traceparent: self.traceparent.unwrap_or_default(),
            payload: self.payload,
        }
    }
}
