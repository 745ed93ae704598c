//! Look-ups under way: who needs what somebody already asks for waits for that answer.

use std::{
    collections::HashMap,
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use cache::Ticket;
use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared, WeakShared},
};

use super::Known;
use crate::{Error, Result};

type Answer = std::result::Result<Option<Arc<Known>>, Arc<Error>>;
type Flying = BoxFuture<'static, Answer>;

/// Look-ups under way, by token. A look-up that nobody waits for any longer ends.
#[derive(Clone, Default)]
pub(super) struct Flights(Arc<Inner>);

#[derive(Default)]
struct Inner {
    flights: Mutex<HashMap<[u8; 32], Flight>>,
    last: AtomicU64,
}

struct Flight {
    number: u64,
    ticket: Ticket,
    answer: WeakShared<Flying>,
}

/// Takes a flight off the list when it ends, answered or not.
struct Landing {
    flights: Flights,
    key: [u8; 32],
    number: u64,
}

impl Flights {
    /// The answer of a look-up under way whose ticket `is_valid`, or of a new one. Who waits for a
    /// failure of another's look-up gets a copy of it without the cause, which is logged once.
    pub async fn join<F>(
        &self,
        key: [u8; 32],
        is_valid: impl FnOnce(&Ticket) -> bool,
        ticket: Ticket,
        look_up: impl FnOnce() -> F + Send,
    ) -> Result<Option<Arc<Known>>>
    where
        F: Future<Output = Result<Option<Arc<Known>>>> + Send + 'static,
    {
        let answer = {
            let mut flights = self.enter();
            let under_way = flights.get(&key).filter(|it| is_valid(&it.ticket));
            match under_way.and_then(|it| it.answer.upgrade()) {
                Some(answer) => answer,
                None => {
                    let (number, answer) = self.launch(key, look_up());
                    let weak = answer.downgrade().expect("it has not been polled");
                    flights.insert(key, Flight { number, ticket, answer: weak });
                    answer
                }
            }
        };
        answer.await.map_err(|error| Arc::try_unwrap(error).unwrap_or_else(|error| error.again()))
    }

    fn launch<F>(&self, key: [u8; 32], look_up: F) -> (u64, Shared<Flying>)
    where
        F: Future<Output = Result<Option<Arc<Known>>>> + Send + 'static,
    {
        let number = self.0.last.fetch_add(1, Ordering::Relaxed);
        let landing = Landing { flights: self.clone(), key, number };
        let answer = async move {
            let _landing = landing;
            look_up.await.map_err(Arc::new)
        };
        (number, answer.boxed().shared())
    }

    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.enter().len()
    }

    // Nothing here can panic halfway through a change, so what a panic left behind is whole.
    fn enter(&self) -> MutexGuard<'_, HashMap<[u8; 32], Flight>> {
        self.0.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut flights = self.flights.enter();
        if flights.get(&self.key).is_some_and(|it| it.number == self.number) {
            flights.remove(&self.key);
        }
    }
}
