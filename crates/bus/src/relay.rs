//! The relay: sends what a service's outbox gained to both buses.
//!
//! A task in the service's own process. Of all processes of a service one leads on each bus: it holds
//! an advisory lock on its own connection, and every move of its cursor names the fencing number it
//! took, so a leader that lost its lock unawares can only repeat events, not lose any.
//!
//! The cursor moves after the bus has the events. A crash in between repeats them. The durable bus
//! gets every event, however long that takes. The fast bus is only a hint: when it is down its cursor
//! moves on all the same, and the durable bus delivers.
//!
//! Run it against the primary only. A replica may show commits in another order.

mod outbox;

use std::sync::Arc;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use type_contract::v1::Envelope;

use crate::backoff::Backoff;
use crate::durable::{DurableBus, Put};
use crate::fast::{Fast, Wakes};
use crate::{Error, Result};

use outbox::{Cursor, Page};

/// Rows in one page.
const PAGE: i64 = 1_000;

/// How soon a leader looks again after it sent something, without being woken.
const BUSY: Duration = Duration::from_millis(5);

/// How seldom a leader looks at an idle outbox.
const IDLE: Duration = Duration::from_millis(200);

/// How often a follower tries to lead.
const STANDBY: Duration = Duration::from_millis(100);

/// A database that takes longer for one statement is taken for gone.
const STATEMENT: Duration = Duration::from_secs(150);

const TROUBLE: Backoff = Backoff { first: Duration::from_millis(50), last: Duration::from_secs(5) };

/// What relays one service's outbox.
#[derive(Clone)]
pub struct Relay {
    /// The producer, as envelopes name it: "patient-graph".
    pub service: String,
    /// Its schema: "patient_graph".
    pub schema: String,
    /// How to connect as the schema's drain role, directly: an advisory lock does not survive a
    /// pooler.
    pub database: PgConnectOptions,
    pub fast: Fast,
    pub durable: Arc<dyn DurableBus>,
}

impl Relay {
    /// Relays until `shutdown`, whatever fails meanwhile. Stopping in the middle of a page is safe.
    pub async fn run(self, shutdown: CancellationToken) {
        let relaying = async {
            tokio::join!(
                self.relay(Outlet::Fast(&self.fast)),
                self.relay(Outlet::Durable(self.durable.as_ref())),
            )
        };
        shutdown.run_until_cancelled(relaying).await;
    }

    /// Leads on one bus, again and again.
    async fn relay(&self, outlet: Outlet<'_>) {
        let mut failures = 0;
        loop {
            let started = Instant::now();
            let Err(error) = self.lead(&outlet).await;
            // A leader that has worked for a while starts afresh.
            failures = if started.elapsed() > TROUBLE.last { 1 } else { failures + 1 };
            let (service, bus) = (&self.service, outlet.bus());
            tracing::warn!(service, bus, error = %Chain(&error), "the relay starts again");
            sleep(TROUBLE.delay(failures)).await;
        }
    }

    /// Waits to lead, then sends page after page until something fails.
    async fn lead(&self, outlet: &Outlet<'_>) -> Result<Never> {
        let mut conn = within(self.connect(), STATEMENT).await?;
        let mut cursor = self.elect(&mut conn, outlet.bus()).await?;
        let mut wakes = self.fast.woken(&self.service).await?;
        let mut pace = Pace(BUSY);
        loop {
            let page = within(cursor.read(&mut conn, &self.service, PAGE), STATEMENT).await?;
            let sent = page.envelopes.len();
            let page = outlet.send(page).await;
            if let Some(place) = page.place {
                within(cursor.advance(&mut conn, place), STATEMENT).await?;
            }
            if !page.more {
                pace.pause(sent, &mut wakes).await;
            }
        }
    }

    async fn connect(&self) -> Result<PgConnection> {
        let options = self.database.clone().options([
            ("search_path", self.schema.as_str()),
            // The planner would rather read the whole outbox while its statistics are young.
            ("enable_seqscan", "off"),
            ("statement_timeout", "120s"),
            // Losing the last moves of a cursor repeats events; the election raises it again.
            ("synchronous_commit", "off"),
        ]);
        Ok(options.connect().await?)
    }

    async fn elect(&self, conn: &mut PgConnection, bus: &'static str) -> Result<Cursor> {
        while !within(outbox::try_lock(conn, &self.schema, bus), STATEMENT).await? {
            sleep(STANDBY).await;
        }
        let cursor = within(Cursor::take(conn, bus), STATEMENT).await?;
        tracing::info!(service = self.service, bus, fence = cursor.fence(), "the relay leads");
        Ok(cursor)
    }
}

enum Never {}

/// Where a cursor's events go.
enum Outlet<'a> {
    Fast(&'a Fast),
    Durable(&'a dyn DurableBus),
}

impl Outlet<'_> {
    fn bus(&self) -> &'static str {
        match self {
            Self::Fast(_) => "fast",
            Self::Durable(_) => "durable",
        }
    }

    /// Sends the page, and says where the cursor stands then.
    async fn send(&self, page: Page) -> Page {
        match self {
            Self::Fast(fast) => match fast.publish(&page.envelopes).await {
                Ok(()) => page,
                Err(error) => {
                    tracing::debug!(%error, "the fast bus misses events");
                    page.skip_ahead()
                }
            },
            Self::Durable(durable) => {
                put_all(*durable, &page.envelopes).await;
                page
            }
        }
    }
}

/// Puts until the bus has every event, then returns.
async fn put_all(durable: &dyn DurableBus, envelopes: &[Envelope]) {
    let mut left = envelopes.to_vec();
    let mut failures = 0;
    while !left.is_empty() {
        match durable.put(&left).await {
            Ok(puts) => left = refused(left, &puts),
            Err(error) => tracing::warn!(error = %Chain(&error), "the durable bus took nothing"),
        }
        if !left.is_empty() {
            failures += 1;
            sleep(TROUBLE.delay(failures)).await;
        }
    }
}

/// Those the bus did not accept. An event without an answer counts as refused.
fn refused(envelopes: Vec<Envelope>, puts: &[Put]) -> Vec<Envelope> {
    let mut left = Vec::new();
    for (place, envelope) in envelopes.into_iter().enumerate() {
        match puts.get(place) {
            Some(Put::Accepted) => {}
            Some(Put::Refused(reason)) => {
                let event_id = &envelope.event_id;
                tracing::warn!(%event_id, reason, "the durable bus refused an event");
                left.push(envelope);
            }
            None => left.push(envelope),
        }
    }
    left
}

/// How long a leader waits, by how much there is to do.
struct Pace(Duration);

impl Pace {
    async fn pause(&mut self, sent: usize, wakes: &mut Wakes) {
        self.0 = if sent > 0 { BUSY } else { (self.0 * 2).min(IDLE) };
        let end = Instant::now() + self.0;
        tokio::select! {
            () = wakes.next() => self.0 = BUSY,
            () = sleep_until(end) => {}
        }
    }
}

async fn within<T>(work: impl Future<Output = Result<T>>, limit: Duration) -> Result<T> {
    let done = timeout(limit, work).await;
    done.map_err(|_| Error::Unavailable("the database does not answer".to_owned()))?
}

/// An error with its causes.
pub(crate) struct Chain<'a>(pub &'a Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = std::error::Error::source(self.0);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
