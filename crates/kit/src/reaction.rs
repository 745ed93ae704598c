//! Reactions to events: exactly once in effect, in order, by the version gate.

use std::panic::AssertUnwindSafe;

use contract::Event;
use futures::FutureExt as _;
use gate::Admission;
use records_contract::v1::{FetchEventsRequest, records_service_client::RecordsServiceClient};
use sqlx::PgConnection;
use type_contract::v1::Envelope;

use crate::{
    Brand, Change, Error, Platform, Result, Row, Time,
    tx::{Clean, Origin, Tx},
};

/// Attempts before a handler's failure blocks the key and waits for a person.
const ATTEMPTS: u32 = 8;

/// How long a gap may stand before its events are asked for.
const GAP_AGE_SECONDS: f64 = 0.25;

/// Parked events that one look takes up.
const RESUME_AT_ONCE: u32 = 100;

/// One event, admitted by the gate, and the transaction in which its effect commits together with
/// its position.
#[derive(Debug)]
pub struct Reaction {
    envelope: Envelope,
    tx: Tx<Clean>,
}

impl Reaction {
    /// The event itself, of the type that was subscribed to.
    pub fn event<E: Event>(&self) -> Result<E> {
        E::decode(&self.envelope.payload[..]).map_err(Error::internal)
    }

    pub fn event_id(&self) -> &str {
        &self.envelope.event_id
    }

    pub fn occurred_at(&self) -> Time {
        self.envelope.occurred_at.as_ref().and_then(crate::time).unwrap_or_default()
    }

    pub fn now(&self) -> Time {
        self.tx.now()
    }

    pub fn conn(&mut self) -> &mut PgConnection {
        self.tx.conn()
    }

    /// Commits the effect, its audit entry and the position.
    pub async fn record<R: Row>(self, change: Change<R>) -> Result<()> {
        self.tx.record(change).await?.commit_quietly().await?;
        Ok(())
    }

    /// Commits the position alone: the event asks nothing of this service.
    pub async fn skip(self) -> Result<()> {
        self.tx.commit_bookkeeping().await
    }
}

/// Applies one delivered event and whatever had waited for it. Safe to call with the same event
/// any number of times, by any number of processes at once. `Err`: deliver it again later.
pub async fn consume(platform: &Platform, delivered: Envelope) -> Result<()> {
    let mut next = Some(delivered);
    while let Some(envelope) = next.take() {
        if let Err(error) = apply(platform, &envelope).await {
            fail(platform, &envelope, &error).await?;
            return Err(error);
        }
        next = unpark(platform, &envelope).await?;
    }
    Ok(())
}

/// Applies parked events whose turn has come: what a crash between two transactions left, and what
/// waited for a dead letter that a person has settled. `Err`: one of them failed; the others were
/// taken up all the same.
pub async fn resume(platform: &Platform) -> Result<()> {
    let waiting = {
        let mut drain = platform.db.drain().acquire().await?;
        gate::contiguous(&mut drain, RESUME_AT_ONCE).await?
    };
    let mut outcome = Ok(());
    for envelope in waiting {
        outcome = outcome.and(consume(platform, envelope).await);
    }
    outcome
}

/// Closes gaps: asks the producers' own outboxes for events that both buses should have brought by
/// now. What a producer no longer has stays awaited. `Err`: one gap could not be asked for; the others
/// were all the same.
pub async fn repair(platform: &Platform) -> Result<()> {
    let gaps = {
        let mut drain = platform.db.drain().acquire().await?;
        gate::gaps(&mut drain, GAP_AGE_SECONDS, RESUME_AT_ONCE).await?
    };
    let mut outcome = Ok(());
    for gap in gaps {
        outcome = outcome.and(pull(platform, gap).await);
    }
    outcome
}

async fn pull(platform: &Platform, gap: gate::Gap) -> Result<()> {
    tracing::info!(
        service = platform.service.name,
        producer = gap.producer,
        aggregate = gap.aggregate,
        version = gap.version,
        "a gap is pulled from the producer"
    );
    let brand = Brand::new(gap.brand_id.as_str())?;
    let peer = platform.peers.in_brand(&gap.producer, &brand).await?;
    let request = FetchEventsRequest {
        aggregate: gap.aggregate,
        key: gap.key,
        from_version: gap.version as u64,
        limit: RESUME_AT_ONCE,
    };
    let answer = RecordsServiceClient::new(peer).fetch_events(request).await;
    for envelope in answer.map_err(crate::from_peer)?.into_inner().events {
        consume(platform, envelope).await?;
    }
    Ok(())
}

async fn apply(platform: &Platform, envelope: &Envelope) -> Result<()> {
    let mut tx = begin(platform, envelope).await?;
    match gate::admit(tx.conn(), envelope).await? {
        Admission::Apply => {}
        Admission::Duplicate | Admission::Parked | Admission::Blocked => {
            return tx.commit_bookkeeping().await;
        }
    }
    let subscription =
        platform.service.subscriptions.iter().find(|it| it.event.name == envelope.name);
    let reaction = Reaction { envelope: envelope.clone(), tx };
    match subscription {
        // A panic is a failure like any other: counted, and in the end a dead letter.
        Some(subscription) => AssertUnwindSafe((subscription.react)(platform.clone(), reaction))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err(Error::internal(anyhow::anyhow!("a reaction panicked")))),
        // Another event of an aggregate that is subscribed to: its version still counts.
        None => reaction.skip().await,
    }
}

async fn unpark(platform: &Platform, applied: &Envelope) -> Result<Option<Envelope>> {
    let mut tx = begin(platform, applied).await?;
    Ok(gate::unpark(tx.conn(), applied).await?)
}

async fn fail(platform: &Platform, envelope: &Envelope, error: &Error) -> Result<()> {
    let mut tx = begin(platform, envelope).await?;
    // The reason is a constant of ours; the message could hold what a handler was given.
    let failure = gate::fail(tx.conn(), envelope, error.reason(), ATTEMPTS).await?;
    tx.commit_bookkeeping().await?;
    tracing::warn!(
        service = platform.service.name,
        event = envelope.name,
        event_id = envelope.event_id,
        reason = error.reason(),
        ?failure,
        "a reaction failed"
    );
    Ok(())
}

async fn begin(platform: &Platform, envelope: &Envelope) -> Result<Tx<Clean>> {
    let brand = Brand::new(envelope.brand_id.as_str())?;
    let event_type = format!("{}.reacted", envelope.name);
    let origin = Origin {
        correlation_id: envelope.correlation_id.clone(),
        causation_id: Some(envelope.event_id.clone()),
        traceparent: Some(envelope.traceparent.clone()).filter(|it| !it.is_empty()),
        details: vec![("event_id", envelope.event_id.clone())],
        ..Origin::system(brand, &event_type)
    };
    platform.db.begin_origin(origin).await
}
