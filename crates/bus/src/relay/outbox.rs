//! The snapshot-diff reader: which events the outbox gained since a snapshot.
//!
//! A cursor is a `pg_snapshot`. A row is new when it is committed and not visible in the cursor, so
//! each row is new exactly once, however late its transaction ends. Rows that become new together go
//! in order of `seq`: a transaction that changes an aggregate locks its version before it draws a
//! `seq`, so `seq` orders the events of an aggregate, and a transaction that saw another one's commit
//! is never new before it.

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use sqlx::{Connection, FromRow, PgConnection};
use type_contract::v1::Envelope;
use uuid::Uuid;

use crate::{Error, Result};

/// What is new since snapshot `$1`, with the snapshot that saw it; one statement is one snapshot. A
/// UNION ALL, as with an OR the planner reads the whole outbox.
pub(super) const NEW_ROWS: &str = "
    SELECT pg_current_snapshot()::text AS seen, q.* FROM (
        SELECT * FROM outbox WHERE xid >= (SELECT pg_snapshot_xmax($1::text::pg_snapshot))
        UNION ALL
        SELECT * FROM outbox
        WHERE xid = ANY (ARRAY(SELECT pg_snapshot_xip($1::text::pg_snapshot)))
    ) q ORDER BY seq LIMIT $2";

/// The next rows after `$1` of those that are new between snapshots `$2` and `$3`.
const BACKLOG: &str = "
    SELECT $3::text AS seen, * FROM outbox
    WHERE seq > $1
      AND NOT pg_visible_in_snapshot(xid, (SELECT $2::text::pg_snapshot))
      AND pg_visible_in_snapshot(xid, (SELECT $3::text::pg_snapshot))
    ORDER BY seq LIMIT $4";

/// The snapshot in which nothing is visible.
const NOTHING: &str = "1:1:";

/// Tries to become the only leader of the schema on the bus, for as long as the connection lives.
pub(super) async fn try_lock(conn: &mut PgConnection, schema: &str, bus: &str) -> Result<bool> {
    Ok(sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtextextended($1, 0))")
        .bind(format!("relay:{schema}:{bus}"))
        .fetch_one(conn)
        .await?)
}

/// How far a bus has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Everything visible here is sent.
    snapshot: String,
    /// Set while a backlog is sent in pages.
    backlog: Option<Backlog>,
}

/// Of what is visible in `target`, everything up to `last_seq` is sent too.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Backlog {
    target: String,
    last_seq: i64,
}

/// Events to send, and where the cursor stands once they are.
#[derive(Debug)]
pub(super) struct Page {
    pub envelopes: Vec<Envelope>,
    /// `None`: where it is.
    pub place: Option<Place>,
    /// Whether there is another page at once.
    pub more: bool,
}

impl Page {
    /// Counts everything that this page was a part of as sent.
    pub fn skip_ahead(self) -> Self {
        let place = self.place.map(|place| match place.backlog {
            Some(backlog) => Place { snapshot: backlog.target, backlog: None },
            None => place,
        });
        Self { place, more: false, ..self }
    }
}

/// One bus's cursor, in the hands of one leader.
#[derive(Debug)]
pub(super) struct Cursor {
    bus: &'static str,
    place: Place,
    fence: i64,
    epoch: i32,
}

impl Cursor {
    /// Takes the cursor over with a new fencing number, or makes it before the first row. What is
    /// there by then is a backlog from the start, as it may be long.
    ///
    /// A cursor from another database cluster means that this one was restored from a dump or
    /// upgraded: snapshots of the old one mean nothing here. Then all cursors start over, and the
    /// epoch rises. A restore within the same cluster (point in time) is not seen; whoever does it
    /// sets `system_identifier` to 0 in all cursors, to the same effect.
    pub async fn take(conn: &mut PgConnection, bus: &'static str) -> Result<Self> {
        let mut tx = conn.begin().await?;
        // A fencing number that a crash could take back would be given out twice.
        sqlx::query("SET LOCAL synchronous_commit = on").execute(&mut *tx).await?;
        let restored = sqlx::query(
            "UPDATE relay_cursors
             SET snapshot = $1::text::pg_snapshot, target = pg_current_snapshot(), last_seq = 0,
                 fence = fence + 1, stream_epoch = stream_epoch + 1, moved_at = now(),
                 system_identifier = (SELECT system_identifier FROM pg_control_system())
             WHERE system_identifier <> (SELECT system_identifier FROM pg_control_system())",
        )
        .bind(NOTHING)
        .execute(&mut *tx)
        .await?;
        if restored.rows_affected() > 0 {
            tracing::error!(bus, "the database was restored: its events are sent again");
        }
        let row: (String, Option<String>, i64, i64, i32) = sqlx::query_as(
            "INSERT INTO relay_cursors AS c
                 (bus, snapshot, target, fence, stream_epoch, system_identifier)
             SELECT $1, $2::text::pg_snapshot, pg_current_snapshot(), 1,
                    COALESCE((SELECT max(stream_epoch) FROM relay_cursors), 1),
                    (SELECT system_identifier FROM pg_control_system())
             ON CONFLICT (bus) DO UPDATE SET fence = c.fence + 1
             RETURNING snapshot::text, target::text, last_seq, fence, stream_epoch",
        )
        .bind(bus)
        .bind(NOTHING)
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        let (snapshot, target, last_seq, fence, epoch) = row;
        let backlog = target.map(|target| Backlog { target, last_seq });
        Ok(Self { bus, place: Place { snapshot, backlog }, fence, epoch })
    }

    pub fn fence(&self) -> i64 {
        self.fence
    }

    /// The next events, at most `limit`.
    pub async fn read(&self, conn: &mut PgConnection, service: &str, limit: i64) -> Result<Page> {
        let rows = self.rows(conn, limit).await?;
        let full = i64::try_from(rows.len()).is_ok_and(|rows| rows >= limit);
        // Behind the last page of a backlog may be what came since.
        let more = full || self.place.backlog.is_some();
        let place = match rows.last() {
            // One page of several: the end stays where the first page saw it.
            Some(row) if full => {
                let backlog = Backlog { target: row.seen.clone(), last_seq: row.seq };
                Some(Place { snapshot: self.place.snapshot.clone(), backlog: Some(backlog) })
            }
            Some(row) => Some(Place { snapshot: row.seen.clone(), backlog: None }),
            None => self.end_of_backlog(),
        };
        let envelopes = rows.into_iter().map(|row| self.envelope(row, service)).collect();
        Ok(Page { envelopes, place: place.filter(|place| *place != self.place), more })
    }

    /// Keeps `place`: what comes before it is sent.
    ///
    /// # Errors
    ///
    /// [`Error::Fenced`] when another leader took the cursor.
    pub async fn advance(&mut self, conn: &mut PgConnection, place: Place) -> Result<()> {
        let moved = sqlx::query(
            "UPDATE relay_cursors
             SET snapshot = $3::text::pg_snapshot, target = $4::text::pg_snapshot, last_seq = $5,
                 moved_at = now()
             WHERE bus = $1 AND fence = $2",
        )
        .bind(self.bus)
        .bind(self.fence)
        .bind(&place.snapshot)
        .bind(place.backlog.as_ref().map(|backlog| &backlog.target))
        .bind(place.backlog.as_ref().map_or(0, |backlog| backlog.last_seq))
        .execute(conn)
        .await?;
        if moved.rows_affected() == 0 {
            return Err(Error::Fenced);
        }
        self.place = place;
        Ok(())
    }

    async fn rows(&self, conn: &mut PgConnection, limit: i64) -> Result<Vec<Row>> {
        let snapshot = &self.place.snapshot;
        let rows = match &self.place.backlog {
            None => sqlx::query_as(NEW_ROWS).bind(snapshot).bind(limit).fetch_all(conn).await,
            Some(Backlog { target, last_seq }) => {
                let query = sqlx::query_as(BACKLOG).bind(last_seq).bind(snapshot).bind(target);
                query.bind(limit).fetch_all(conn).await
            }
        };
        Ok(rows?)
    }

    /// Without rows there is nothing to move past but a backlog that ended with its last page.
    fn end_of_backlog(&self) -> Option<Place> {
        let backlog = self.place.backlog.as_ref()?;
        Some(Place { snapshot: backlog.target.clone(), backlog: None })
    }

    fn envelope(&self, row: Row, service: &str) -> Envelope {
        Envelope {
            event_id: row.event_id.to_string(),
            name: row.name,
            producer: service.to_owned(),
            epoch: self.epoch.cast_unsigned(),
            aggregate: row.aggregate,
            key: row.key,
            version: row.version.cast_unsigned(),
            brand_id: row.brand_id,
            outbox_seq: row.seq,
            occurred_at: Some(timestamp(row.occurred_at)),
            correlation_id: row.correlation_id,
            causation_id: row.causation_id.unwrap_or_default(),
            traceparent: row.traceparent.unwrap_or_default(),
            payload: row.payload,
        }
    }
}

#[derive(FromRow)]
struct Row {
    seen: String,
    seq: i64,
    event_id: Uuid,
    name: String,
    aggregate: String,
    key: String,
    version: i64,
    brand_id: String,
    occurred_at: DateTime<Utc>,
    correlation_id: String,
    causation_id: Option<String>,
    traceparent: Option<String>,
    payload: Vec<u8>,
}

fn timestamp(time: DateTime<Utc>) -> Timestamp {
    Timestamp {
        seconds: time.timestamp(),
        // A leap second reads as the second before it, and its nanoseconds as too many.
        nanos: time.timestamp_subsec_nanos().min(999_999_999).cast_signed(),
    }
}
