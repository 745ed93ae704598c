//! The connections to one address: opened when there is need, one dial at a time.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use tokio::time::Instant;

use crate::{body::Load, connection::Connection};

/// Connections to one address. Beyond them requests wait for each other's streams.
const CONNECTIONS: usize = 4;

/// The pause after the second failed dial in a row; the first is followed by another at once.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause. No longer than a circuit's shortest, so that a probe may always dial.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// All who need the connection that is being dialled wait for the same dial.
type Dial = Shared<BoxFuture<'static, Result<Arc<Connection>, Arc<io::Error>>>>;

pub(crate) struct Pool {
    address: Arc<str>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connections: Vec<Arc<Connection>>,
    dial: Option<Dial>,
    failure: Option<Failure>,
}

/// Dials that failed since one succeeded.
struct Failure {
    dials: u32,
    cause: Arc<io::Error>,
    retry_at: Instant,
}

/// Room on a connection for one request.
pub(crate) struct Lease {
    pub connection: Arc<Connection>,
    pub load: Load,
}

/// No connection is to be had now.
pub(crate) struct Unreachable {
    pub cause: Arc<io::Error>,
    /// False when somebody else dialled, or nobody did: it tells nothing new.
    pub is_news: bool,
}

/// A way to a lease.
pub(crate) enum Way {
    /// On a connection, which is worth a second look if it was idle.
    There(Lease, bool),
    Dial {
        dial: Dial,
        is_own: bool,
    },
    None(Arc<io::Error>),
}

impl Pool {
    /// Connections to `host:port`, none of them open yet.
    pub fn new(address: Arc<str>) -> Arc<Self> {
        Arc::new(Self { address, state: Mutex::default() })
    }

    /// True while it is too early to dial again and nothing is open.
    pub fn is_down(&self, now: Instant) -> bool {
        let state = self.state();
        state.connections.is_empty() && state.failure.as_ref().is_some_and(|it| now < it.retry_at)
    }

    /// Room on the least busy connection, or on a new one if all are full, by the way that was
    /// found first.
    pub async fn lease(self: Arc<Self>, mut way: Way) -> Result<Lease, Unreachable> {
        loop {
            match way {
                Way::There(lease, false) => return Ok(lease),
                Way::There(lease, true) => {
                    // Lets the runtime see whether the connection has ended meanwhile.
                    tokio::task::yield_now().await;
                    if lease.connection.is_open() {
                        return Ok(lease);
                    }
                }
                Way::Dial { dial, is_own } => match dial.await {
                    Ok(connection) if is_own => return Ok(Lease::on(connection, Instant::now()).0),
                    Ok(_) => {}
                    Err(cause) => {
                        return self.least_busy().ok_or(Unreachable { cause, is_news: is_own });
                    }
                },
                Way::None(cause) => return Err(Unreachable { cause, is_news: false }),
            }
            way = self.way(Instant::now());
        }
    }

    /// The way to a lease, which may be there already.
    pub fn way(self: &Arc<Self>, now: Instant) -> Way {
        let mut state = self.state();
        state.connections.retain(|it| it.is_open());
        let least_busy = state.connections.iter().min_by_key(|it| it.load());
        if let Some(connection) = least_busy
            && (connection.has_room() || state.connections.len() == CONNECTIONS)
        {
            let (lease, was_idle) = Lease::on(connection.clone(), now);
            return Way::There(lease, was_idle);
        }
        // A dial that has an answer and still stands here ended with its runtime.
        if let Some(dial) = state.dial.as_ref().filter(|it| it.peek().is_none()) {
            return Way::Dial { dial: dial.clone(), is_own: false };
        }
        if let Some(failure) = state.failure.as_ref().filter(|it| now < it.retry_at) {
            let cause = failure.cause.clone();
            return match least_busy {
                Some(connection) => Way::There(Lease::on(connection.clone(), now).0, false),
                None => Way::None(cause),
            };
        }
        let dial = self.clone().dial();
        state.dial = Some(dial.clone());
        Way::Dial { dial, is_own: true }
    }

    /// Dials in a task, so that the dial outlives a caller who leaves.
    fn dial(self: Arc<Self>) -> Dial {
        let dialled = tokio::spawn(async move {
            let dialled = Connection::dial(&self.address).await;
            self.state().dialled(dialled)
        });
        dialled.map(|it| it.unwrap_or_else(|ended| Err(Arc::new(ended.into())))).boxed().shared()
    }

    fn least_busy(&self) -> Option<Lease> {
        let state = self.state();
        let connection = state.connections.iter().min_by_key(|it| it.load())?;
        Some(Lease::on(connection.clone(), Instant::now()).0)
    }

    // Nothing here can panic halfway through a change, so what a panic left behind is whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn dialled(
        &mut self,
        dialled: io::Result<Connection>,
    ) -> Result<Arc<Connection>, Arc<io::Error>> {
        self.dial = None;
        match dialled {
            Ok(connection) => {
                let connection = Arc::new(connection);
                self.connections.push(connection.clone());
                self.failure = None;
                Ok(connection)
            }
            Err(cause) => {
                let dials = self.failure.as_ref().map_or(0, |it| it.dials) + 1;
                let retry_at = Instant::now() + pause(dials, fastrand::f64());
                let cause = Arc::new(cause);
                self.failure = Some(Failure { dials, cause: cause.clone(), retry_at });
                Err(cause)
            }
        }
    }
}

impl Lease {
    /// Takes up room, and tells whether the connection was idle.
    fn on(connection: Arc<Connection>, now: Instant) -> (Self, bool) {
        let (load, was_idle) = connection.occupy(now);
        (Self { connection, load }, was_idle)
    }
}

/// How long to wait after so many failed dials: between half and all of the doubled time.
fn pause(dials: u32, jitter: f64) -> Duration {
    let Some(doublings) = dials.checked_sub(2) else { return Duration::ZERO };
    let whole = FIRST_PAUSE.saturating_mul(1 << doublings.min(8)).min(LONGEST_PAUSE);
    whole.mul_f64(0.5 + jitter / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_dial_is_repeated_at_once_and_later_ones_ever_more_slowly() {
        let milliseconds = |dials| pause(dials, 1.0).as_millis();
        assert_eq!([1, 2, 3, 4, 6, 7, 99].map(milliseconds), [0, 50, 100, 200, 800, 1000, 1000]);
        assert_eq!(pause(3, 0.0), Duration::from_millis(50));
    }
}
