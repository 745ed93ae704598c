//! A service behind one or several addresses: which of them is asked, and what is sent again.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use tokio::time::Instant;
use tonic::body::Body;

use crate::{
    Error, Retry,
    address::{Address, Admitted, Sent},
    body::Outgoing,
    circuit::Outcome,
    retry::{Attempts, RetryBudget},
};

/// How often a request that certainly was not processed is sent again.
const RESENDS: usize = 2;

pub(crate) struct Remote {
    service: &'static str,
    addresses: Box<[Arc<Address>]>,
    budget: RetryBudget,
}

impl Remote {
    pub fn new(service: &'static str, addresses: impl Iterator<Item = Address>) -> Self {
        let addresses = addresses.map(Arc::new).collect();
        Self { service, addresses, budget: RetryBudget::default() }
    }

    /// The same service over connections of its own.
    pub fn anew(&self) -> Self {
        Self::new(self.service, self.addresses.iter().map(|it| it.anew()))
    }

    /// Sends the request that `make` makes, which may go again as `retry` says, by the rules of
    /// gRFC A6.
    pub async fn call(
        &self,
        make: impl Fn() -> Request<Bytes>,
        retry: Retry,
    ) -> Result<Response<Body>, Error> {
        let mut attempts = Attempts::new(retry, &self.budget);
        loop {
            let request = || {
                let mut request = make().map(Outgoing::Whole);
                attempts.mark(request.headers_mut(), Instant::now);
                request
            };
            let answer = self.send(request(), || Some(request())).await;
            let pause = attempts.pause_after(&answer, Instant::now);
            let Some(pause) = pause else { return answer };
            drop(answer);
            tokio::time::sleep(pause).await;
        }
    }

    /// Sends a request whose body cannot be had twice.
    pub fn stream(
        &self,
        request: Request<Body>,
    ) -> impl Future<Output = Result<Response<Body>, Error>> {
        self.send(request.map(Outgoing::Stream), || None)
    }

    /// Sends a request, and the one that came back or is made `anew` where that certainly is not a
    /// second time.
    fn send(
        &self,
        request: Request<Outgoing>,
        anew: impl Fn() -> Option<Request<Outgoing>>,
    ) -> impl Future<Output = Result<Response<Body>, Error>> {
        let sending = self.admitted(&[]).map(|it| it.send(request));
        async move {
            let sent = sending?.await;
            match sent.unprocessed {
                None => sent.answer,
                Some(_) => Box::pin(self.resend(sent, anew)).await,
            }
        }
    }

    /// Sends again what came back, or what is made anew.
    async fn resend(
        &self,
        mut sent: Sent,
        anew: impl Fn() -> Option<Request<Outgoing>>,
    ) -> Result<Response<Body>, Error> {
        let mut tried = Vec::new();
        while let Some(mut verdict) = sent.unprocessed {
            let unsent = sent.request.map(|it| *it);
            let again = if tried.len() < RESENDS { unsent.or_else(&anew) } else { None };
            let Some(again) = again else {
                verdict.reach(Outcome::Failure);
                break;
            };
            tried.push(verdict.address().clone());
            drop(verdict);
            sent = self.admitted(&tried)?.send(again).await;
        }
        sent.answer
    }

    fn admitted(&self, tried: &[Arc<Address>]) -> Result<Admitted, Error> {
        let now = Instant::now();
        let mut soonest = None::<Duration>;
        // Another request may take the leave that was seen: no more often than there are addresses.
        for _ in &self.addresses {
            match self.choose(tried, now).admit(now) {
                Ok(admitted) => return Ok(admitted),
                Err(wait) => soonest = Some(soonest.map_or(wait, |it| it.min(wait))),
            }
        }
        let retry_after = soonest.unwrap_or_default();
        Err(Error::Open { service: self.service, retry_after })
    }

    /// Of two addresses drawn at random the less busy one. What is down or was tried in vain
    /// is drawn only if there is nothing else; then what the circuit opens to soonest.
    fn choose(&self, tried: &[Arc<Address>], now: Instant) -> &Arc<Address> {
        if let [only] = &*self.addresses {
            return only;
        }
        let ready = || self.addresses.iter().filter(|it| it.wait(now).is_none());
        let is_tried = |it: &Arc<Address>| tried.iter().any(|other| Arc::ptr_eq(it, other));
        lighter(ready().filter(|it| !is_tried(it) && !it.is_down(now)))
            .or_else(|| lighter(ready()))
            .or_else(|| self.addresses.iter().min_by_key(|it| it.wait(now)))
            .expect("a service has an address")
    }
}

/// The less busy of two candidates drawn at random (power of two choices).
fn lighter<'a>(candidates: impl Iterator<Item = &'a Arc<Address>>) -> Option<&'a Arc<Address>> {
    let mut drawn = [None; 2];
    for (seen, candidate) in candidates.enumerate() {
        let place = if seen < 2 { seen } else { fastrand::usize(..=seen) };
        if let Some(place) = drawn.get_mut(place) {
            *place = Some(candidate);
        }
    }
    let [Some(one), Some(other)] = drawn else { return drawn[0] };
    let (one, other) = if fastrand::bool() { (one, other) } else { (other, one) };
    Some(if other.load() < one.load() { other } else { one })
}
