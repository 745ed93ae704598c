//! Seals what was committed since the last seal, once or in the background.

use std::{error::Error as _, ops::RangeInclusive, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};

use crate::{
    Board, Claim, Error, Result, Schema, Seal, SealingKey, Snapshot, Witnesses, chain, latest_head,
    log::{self, Entry, Span},
    merkle::{self, Hash},
    seal::MAX_ROWS,
};

/// The longest pause after repeated failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Seals the log of one schema for as long as it runs. Any number may run: one seals at a time.
pub struct Sealer {
    /// Acts as the role `{schema}_audit`. The writer, never a replica: there commits may become
    /// visible in another order.
    pub pool: PgPool,
    pub schema: Schema,
    pub key: Arc<SealingKey>,
    pub board: Arc<Board>,
}

impl Sealer {
    /// Seals what there is, every so often, until `shutdown` ends. A failure is logged and tried
    /// again after a pause that doubles up to a minute. Dropping it loses nothing: a seal that was
    /// under way rolls back.
    pub async fn run(self, every: Duration, shutdown: impl Future<Output = ()>) {
        tokio::select! {
            () = shutdown => {}
            () = self.seal_forever(every) => {}
        }
    }

    async fn seal_forever(&self, every: Duration) {
        let mut pause = every;
        loop {
            pause = match self.seal_all().await {
                Ok(()) => every,
                Err(error) => {
                    let pause = (pause * 2).min(LONGEST_PAUSE.max(every));
                    let cause = error.source().map(tracing::field::display);
                    tracing::warn!(schema = %self.schema, %error, cause, ?pause, "not sealed");
                    pause
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Seals the backlog, and posts where the chain stands, whoever sealed it.
    async fn seal_all(&self) -> Result<()> {
        let witnesses = self.board.neighbours(&self.schema);
        let mut previous: Option<Seal> = None;
        while let Some(seal) = seal_once(&self.pool, &self.schema, &self.key, &witnesses).await? {
            // A window that was cut short of the present starts with a full seal.
            if !seal.is_full() && !previous.is_some_and(|previous| seal.continues(&previous)) {
                break;
            }
            previous = Some(seal);
        }
        if let Some(head) = latest_head(&self.pool, &self.schema).await? {
            self.board.post(&self.schema, head);
        }
        Ok(())
    }
}

/// Seals at most [`MAX_ROWS`] of the rows that are committed and not sealed. None if there are
/// none, or if another sealer is at it. `pool` acts as the role `{schema}_audit`.
///
/// Transactions commit in another order than they draw `seq`, so a seal does not take up where the
/// last one ended by `seq`: it takes what the present snapshot sees and the last seal's did not.
pub async fn seal_once(
    pool: &PgPool,
    schema: &Schema,
    key: &SealingKey,
    witnesses: &Witnesses,
) -> Result<Option<Seal>> {
    let mut tx = pool.begin().await?;
    log::plan_for_index_scans(&mut tx).await?;
    if !lead(&mut tx, schema).await? {
        return Ok(None);
    }
    let previous = chain::last(&mut tx, schema).await?;
    let (now, sealed_at) = moment(&mut tx).await?;
    let Some(batch) = next_batch(&mut tx, schema, previous.as_ref(), now).await? else {
        return Ok(None);
    };
    let leaves: Vec<Hash> = batch.entries.iter().map(|entry| entry.leaf).collect();
    let claim = Claim {
        schema: schema.clone(),
        n: previous.as_ref().map_or(1, |seal| seal.claim.n + 1),
        prev_head: previous.as_ref().map_or(Hash::ZERO, |seal| seal.head),
        root: merkle::root(&leaves),
        row_count: leaves.len() as i64,
        min_seq: batch.entries[0].seq,
        max_seq: batch.entries[leaves.len() - 1].seq,
        since: batch.since,
        until: batch.until,
        witnesses: witnesses.clone(),
        sealed_at,
    };
    let seal = claim.sign(key);
    chain::append(&mut tx, &seal, &leaves).await?;
    tx.commit().await?;
    Ok(Some(seal))
}

/// The rows of the next seal, at least one, and their window.
struct Batch {
    since: Snapshot,
    until: Snapshot,
    entries: Vec<Entry>,
}

impl Batch {
    async fn read(
        conn: &mut PgConnection,
        schema: &Schema,
        (since, until): (Snapshot, Snapshot),
        seqs: RangeInclusive<i64>,
    ) -> Result<Option<Self>> {
        let span = Span { since: &since, until: &until, seqs };
        let entries = log::entries(conn, schema, &span, MAX_ROWS as i64).await?;
        Ok((!entries.is_empty()).then_some(Self { since, until, entries }))
    }
}

/// What is left of the last seal's window, or else the next window. A window ends where about one
/// seal is full, at the end of a transaction, so that a backlog is read once and not once a seal.
async fn next_batch(
    conn: &mut PgConnection,
    schema: &Schema,
    previous: Option<&Seal>,
    now: Snapshot,
) -> Result<Option<Batch>> {
    let mut since = Snapshot::NOTHING;
    if let Some(previous) = previous {
        check_counter(previous, &now)?;
        let claim = &previous.claim;
        let window = (claim.since.clone(), claim.until.clone());
        let rest = Batch::read(conn, schema, window, previous.rest_of_window()).await?;
        if rest.is_some() {
            return Ok(rest);
        }
        since = claim.until.clone();
    }
    let until = match log::last_xid_that_fits(conn, schema, &since, &now).await? {
        Some(last) => now.through(last),
        None => now,
    };
    Batch::read(conn, schema, (since, until), i64::MIN..=i64::MAX).await
}

fn check_counter(previous: &Seal, now: &Snapshot) -> Result<()> {
    let (now, sealed) = (now.xmax(), previous.claim.until.xmax());
    if now < sealed {
        return Err(Error::CounterRewound { schema: previous.claim.schema.clone(), now, sealed });
    }
    Ok(())
}

/// The lock is held until the transaction ends, so the seal that is read next is the last one.
async fn lead(conn: &mut PgConnection, schema: &Schema) -> Result<bool> {
    let sql = "SELECT pg_try_advisory_xact_lock(hashtextextended('audit seal ' || $1, 0))";
    Ok(sqlx::query_scalar(sql).bind(schema.as_str()).fetch_one(conn).await?)
}

/// What is over by now, and the database's time. Later statements see more; they filter by this.
async fn moment(conn: &mut PgConnection) -> Result<(Snapshot, DateTime<Utc>)> {
    let sql = "SELECT pg_current_snapshot()::text, statement_timestamp()";
    let (snapshot, time): (String, _) = sqlx::query_as(sql).fetch_one(conn).await?;
    Ok((snapshot.parse()?, time))
}
