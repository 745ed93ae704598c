//! The sentence: begin, lock, decide, record, commit.
//!
//! One transaction leaves the row, its event and its audit entry, or none of them. A transaction
//! without a record has no `commit`: it does not compile. Postgres refuses it as well.

use std::marker::PhantomData;

use contract::{Audit, CallerKind, Event, EventType};
use sqlx::{PgConnection, Postgres, Transaction};
use tonic::{Response, metadata::MetadataValue};
use uuid::Uuid;

use crate::{Brand, Call, Context, Db, Error, Reply, Result, Time, Wake, idempotency};

/// Names the header that proves to checkpoint 5 that an audit row was written: its id.
pub const RECEIPT: &str = "loop-receipt";

/// A transaction within one brand. `S` is what it may do next: read and lock (`Clean`), or commit
/// what was recorded (`Recorded`).
#[must_use = "a transaction that is dropped changes nothing"]
#[derive(Debug)]
pub struct Tx<S> {
    inner: Transaction<'static, Postgres>,
    origin: Origin,
    now: Time,
    wake: Wake,
    state: S,
}

/// Nothing was changed yet.
#[derive(Debug)]
pub struct Clean;

/// The row, the event and the audit entry are written.
#[derive(Debug)]
pub struct Recorded<R> {
    row: R,
    receipt: Uuid,
}

/// A domain type that knows its own row. Implemented once, in the service's store.
pub trait Row {
    fn write(&self, pen: Pen<'_>) -> impl Future<Output = Result<()>> + Send;
}

/// The right to write a row. Only [`Tx::record`] hands one out.
#[derive(Debug)]
pub struct Pen<'a> {
    conn: &'a mut PgConnection,
    brand: &'a Brand,
    sealed: PhantomData<()>,
}

impl Pen<'_> {
    pub fn conn(&mut self) -> &mut PgConnection {
        self.conn
    }

    pub fn brand(&self) -> &str {
        self.brand.as_str()
    }
}

/// What a decision produced: the new state, the entity it concerns, and the fact to tell others.
#[derive(Debug)]
pub struct Change<R> {
    row: R,
    entity_type: &'static str,
    entity_id: String,
    event: Option<Outgoing>,
    details: serde_json::Value,
}

impl<R: Row> Change<R> {
    pub fn of(row: R, entity_type: &'static str, entity_id: impl ToString) -> Self {
        let entity_id = entity_id.to_string();
        let details = serde_json::Value::Object(serde_json::Map::new());
        Self { row, entity_type, entity_id, event: None, details }
    }

    pub fn told_by<E: Event>(mut self, event: &E) -> Self {
        let payload = event.encode_to_vec();
        self.event = Some(Outgoing { kind: E::TYPE, key: event.key().to_owned(), payload });
        self
    }

    /// What the audit entry says beside the ids: codes and counts, never protected values.
    pub fn details(mut self, details: serde_json::Value) -> Self {
        self.details = details;
        self
    }
}

/// A decision to leave everything as it is, which the audit log must still tell: a retry that
/// found its work done, a refusal that is an answer.
#[derive(Debug)]
pub struct Unchanged;

impl Row for Unchanged {
    async fn write(&self, _: Pen<'_>) -> Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct Outgoing {
    kind: &'static EventType,
    key: String,
    payload: Vec<u8>,
}

/// On whose behalf a transaction runs, and how its audit entry is named.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub brand: Brand,
    pub actor_type: &'static str,
    pub actor_id: String,
    pub actor_brand: Option<String>,
    pub event_type: String,
    /// Names of the events that may be told; `None` for the platform's own work.
    pub emits: Option<&'static [&'static str]>,
    pub correlation_id: String,
    pub causation_id: Option<String>,
    pub traceparent: Option<String>,
    pub details: Vec<(&'static str, String)>,
    pub idempotency: Option<idempotency::Claim>,
}

impl Origin {
    fn of(context: &Context) -> Result<Self> {
        let Audit::Write(event_type) = context.method.audit else {
            return Err(Error::internal(anyhow::anyhow!(
                "{} writes, but its contract declares no audit of a write",
                context.method.path
            )));
        };
        let mut details = vec![("client_id", context.caller.client_id.to_string())];
        details.extend(context.acting_user.clone().map(|it| ("acting_user", it)));
        Ok(Self {
            brand: context.brand.clone(),
            actor_type: context.caller.kind.as_str(),
            actor_id: context.caller.subject.clone(),
            actor_brand: context.caller.brand.as_ref().map(ToString::to_string),
            event_type: event_type.to_owned(),
            emits: Some(context.method.emits),
            correlation_id: context.request_id.0.to_string(),
            causation_id: None,
            traceparent: context.traceparent.clone(),
            details,
            idempotency: context.idempotency.clone(),
        })
    }

    /// The platform's own work: seeds, sweeps.
    pub(crate) fn system(brand: Brand, event_type: &str) -> Self {
        Self {
            brand,
            actor_type: "system",
            actor_id: "loop".into(),
            actor_brand: None,
            event_type: event_type.to_owned(),
            emits: None,
            correlation_id: Uuid::now_v7().to_string(),
            causation_id: None,
            traceparent: None,
            details: Vec::new(),
            idempotency: None,
        }
    }
}

impl Db {
    /// Opens the transaction of a mutating call, in its brand.
    pub async fn begin<T>(&self, call: &Call<T>) -> Result<Tx<Clean>> {
        self.begin_context(&call.context).await
    }

    pub async fn begin_context(&self, context: &Context) -> Result<Tx<Clean>> {
        self.begin_origin(Origin::of(context)?).await
    }

    /// A change that a person makes on a page of ours, outside any method: its audit entry names
    /// `event_type` and the person.
    pub async fn begin_person(
        &self,
        brand: Brand,
        user_id: &str,
        event_type: &str,
    ) -> Result<Tx<Clean>> {
        let origin = Origin::system(brand, event_type);
        let actor_brand = Some(origin.brand.to_string());
        let (actor_type, actor_id) = (CallerKind::User.as_str(), user_id.to_owned());
        self.begin_origin(Origin { actor_type, actor_id, actor_brand, ..origin }).await
    }

    /// The platform's own work within a brand, audited under `event_type` as `system`.
    pub async fn begin_system(&self, brand: Brand, event_type: &str) -> Result<Tx<Clean>> {
        self.begin_origin(Origin::system(brand, event_type)).await
    }

    pub(crate) async fn begin_origin(&self, origin: Origin) -> Result<Tx<Clean>> {
        let mut inner = self.open(&origin.brand, "BEGIN").await?;
        let (now, wake) = (self.clock().now(), self.wake().clone());
        if let Some(claim) = &origin.idempotency {
            idempotency::claim(&mut inner, &origin.brand, claim, now).await?;
        }
        Ok(Tx { inner, now, wake, origin, state: Clean })
    }
}

impl<S> Tx<S> {
    /// The time of this transaction. Domain code never reads a clock.
    pub fn now(&self) -> Time {
        self.now
    }

    pub fn brand(&self) -> &str {
        self.origin.brand.as_str()
    }
}

impl Tx<Clean> {
    /// For reads and locks. A change made here without [`Tx::record`] is refused by Postgres.
    pub fn conn(&mut self) -> &mut PgConnection {
        &mut self.inner
    }

    /// Writes a change: its row, its event, its audit entry, inseparably.
    pub async fn record<R: Row>(mut self, change: Change<R>) -> Result<Tx<Recorded<R>>> {
        let Change { row, entity_type, entity_id, event, details } = change;
        self.check_declared(event.as_ref())?;
        row.write(Pen { conn: &mut self.inner, brand: &self.origin.brand, sealed: PhantomData })
            .await?;
        let receipt = Uuid::now_v7();
        let entry = Entry { id: receipt, entity_type, entity_id, details: self.details(details) };
        match event {
            Some(event) => self.write_entry_and_event(entry, event).await?,
            None => self.write_entry(entry).await?,
        }
        let Self { inner, origin, now, wake, .. } = self;
        Ok(Tx { inner, origin, now, wake, state: Recorded { row, receipt } })
    }

    /// Ends a transaction that changed nothing that the audit log should tell: bookkeeping only.
    pub(crate) async fn commit_bookkeeping(self) -> Result<()> {
        Ok(self.inner.commit().await?)
    }

    /// What a method tells is in its contract; what is not there is told to nobody.
    fn check_declared(&self, event: Option<&Outgoing>) -> Result<()> {
        match (event, self.origin.emits) {
            (Some(event), Some(declared)) if !declared.contains(&event.kind.name) => {
                Err(Error::internal(anyhow::anyhow!(
                    "{} tells {}, which its contract does not declare",
                    self.origin.event_type,
                    event.kind.name
                )))
            }
            _ => Ok(()),
        }
    }

    fn details(&self, mut details: serde_json::Value) -> serde_json::Value {
        if let Some(object) = details.as_object_mut() {
            for (key, value) in &self.origin.details {
                object.entry(*key).or_insert_with(|| value.clone().into());
            }
        }
        details
    }

    async fn write_entry(&mut self, entry: Entry) -> Result<()> {
        let statement = sqlx::query(
            "INSERT INTO audit_log (brand_id, id, occurred_at, actor_type, actor_id,
                 actor_brand_id, event_type, entity_type, entity_id, request_id, trace_id, details)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        );
        let statement = entry.bind(statement, &self.origin, self.now);
        statement.execute(&mut *self.inner).await?;
        Ok(())
    }

    /// One statement for all three: the aggregate's version is bumped, and so locked, before its
    /// outbox row draws a number. The relay's ordering rests on that.
    async fn write_entry_and_event(&mut self, entry: Entry, event: Outgoing) -> Result<()> {
        let statement = sqlx::query(
            "WITH bumped AS (
                 INSERT INTO aggregates (brand_id, aggregate, key, version)
                 VALUES ($1, $13, $14, 1)
                 ON CONFLICT (brand_id, aggregate, key)
                 DO UPDATE SET version = aggregates.version + 1
                 RETURNING version
             ), told AS (
                 INSERT INTO outbox (brand_id, event_id, name, aggregate, key, version, occurred_at,
                     correlation_id, causation_id, traceparent, payload)
                 SELECT $1, $15, $16, $13, $14, version, $3, $10, $17, $11, $18 FROM bumped
             )
             INSERT INTO audit_log (brand_id, id, occurred_at, actor_type, actor_id,
                 actor_brand_id, event_type, entity_type, entity_id, request_id, trace_id, details)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        );
        entry
            .bind(statement, &self.origin, self.now)
            .bind(event.kind.aggregate)
            .bind(event.key)
            .bind(Uuid::now_v7())
            .bind(event.kind.name)
            .bind(&self.origin.causation_id)
            .bind(event.payload)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }
}

struct Entry {
    id: Uuid,
    entity_type: &'static str,
    entity_id: String,
    details: serde_json::Value,
}

type Statement<'q> = sqlx::query::Query<'q, Postgres, sqlx::postgres::PgArguments>;

impl Entry {
    /// Parameters 1 to 12 of both statements.
    fn bind<'q>(self, statement: Statement<'q>, origin: &'q Origin, now: Time) -> Statement<'q> {
        statement
            .bind(origin.brand.as_str())
            .bind(self.id)
            .bind(now)
            .bind(origin.actor_type)
            .bind(&origin.actor_id)
            .bind(&origin.actor_brand)
            .bind(&origin.event_type)
            .bind(self.entity_type)
            .bind(self.entity_id)
            .bind(&origin.correlation_id)
            .bind(&origin.traceparent)
            .bind(self.details)
    }
}

impl<R> Tx<Recorded<R>> {
    /// What was recorded.
    pub fn row(&self) -> &R {
        &self.state.row
    }

    /// Commits and answers with what `answer` makes of the row. Where the call carried an
    /// Idempotency-Key, the answer is stored in this same transaction.
    pub async fn commit<T: prost::Message>(mut self, answer: impl FnOnce(R) -> T) -> Reply<T> {
        let Recorded { row, receipt } = self.state;
        let answer = answer(row);
        if let Some(claim) = &self.origin.idempotency {
            let store = idempotency::store(
                &mut self.inner,
                &self.origin.brand,
                claim,
                receipt,
                self.now,
                &answer,
            );
            store.await?;
        }
        self.inner.commit().await.map_err(Error::from)?;
        self.wake.wake();
        let mut response = Response::new(answer);
        let receipt = MetadataValue::try_from(receipt.to_string()).expect("a UUID is ASCII");
        response.metadata_mut().insert(RECEIPT, receipt);
        Ok(response)
    }

    /// Commits work that answers nobody: reactions, seeds, sweeps.
    pub async fn commit_quietly(self) -> Result<R> {
        self.inner.commit().await?;
        self.wake.wake();
        Ok(self.state.row)
    }
}
