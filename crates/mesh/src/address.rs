//! One address of a service: its connections, its circuit, and what is in flight there.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::Either;
use http::{HeaderName, Request, Response, Uri, uri};
use tokio::time::Instant;
use tonic::body::Body;

use crate::{
    Error,
    body::{Load, Outgoing, Received},
    circuit::{Change, Circuit, Outcome, Ticket},
    connection::Unanswered,
    pool::{Lease, Pool, Unreachable, Way},
};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// Our own services put details into every error; a proxy that speaks for one that is gone does not.
const GRPC_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

pub(crate) struct Address {
    service: &'static str,
    authority: uri::Authority,
    /// `host:port`.
    name: Arc<str>,
    pool: Arc<Pool>,
    circuit: Mutex<Circuit>,
    load: Arc<AtomicUsize>,
}

/// Leave to send one request to an address, and its place in what is in flight there.
pub(crate) struct Admitted {
    verdict: Verdict,
    load: Load,
    at: Instant,
}

/// What the circuit waits to hear of one request. Dropped, it tells nothing of the address.
pub(crate) struct Verdict {
    address: Arc<Address>,
    ticket: Option<Ticket>,
}

/// How an attempt ended, and the request for another one.
pub(crate) struct Sent {
    pub answer: Result<Response<Body>, Error>,
    /// The request, if it came back unsent.
    pub request: Option<Box<Request<Outgoing>>>,
    /// Set when the service certainly has not looked at the request. Whether that is a failure of
    /// the address shows when the request has found no other way.
    pub unprocessed: Option<Verdict>,
}

impl Address {
    /// The address `http://host:port` of a service.
    pub fn new(service: &'static str, uri: &Uri) -> Result<Self, Error> {
        let invalid = || Error::Address(uri.to_string());
        let authority = uri.authority().ok_or_else(invalid)?;
        if uri.scheme() != Some(&uri::Scheme::HTTP) || authority.as_str().contains('@') {
            return Err(invalid());
        }
        let port = authority.port_u16().unwrap_or(80);
        Ok(Self::of(service, authority.clone(), format!("{}:{port}", authority.host()).into()))
    }

    /// The same address without its connections and its past.
    pub fn anew(&self) -> Self {
        Self::of(self.service, self.authority.clone(), self.name.clone())
    }

    fn of(service: &'static str, authority: uri::Authority, name: Arc<str>) -> Self {
        let (pool, circuit, load) = (Pool::new(name.clone()), Mutex::default(), Arc::default());
        Self { service, authority, name, pool, circuit, load }
    }

    /// Requests in flight: each from its admission to the end of its response's body.
    pub fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    /// The time until the circuit lets a request through: none if it does now.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        self.circuit().wait(now)
    }

    /// True while connecting has just failed.
    pub fn is_down(&self, now: Instant) -> bool {
        self.pool.is_down(now)
    }

    /// Leave to send a request, or the time until it is worth asking again.
    pub fn admit(self: &Arc<Self>, now: Instant) -> Result<Admitted, Duration> {
        let ticket = self.circuit().admit(now)?;
        if ticket.is_probe {
            tracing::info!(service = self.service, address = &*self.name, "circuit half-open");
        }
        let load = Load::on(&self.load);
        let verdict = Verdict { address: self.clone(), ticket: Some(ticket) };
        Ok(Admitted { verdict, load, at: now })
    }

    fn end(&self, ticket: &Ticket, outcome: Outcome) {
        let change = self.circuit().end(ticket, outcome, Instant::now, fastrand::f64());
        let (service, address) = (self.service, &*self.name);
        match change {
            Some(Change::Opened(pause)) => {
                tracing::warn!(service, address, pause_ms = pause.as_millis(), "circuit open");
            }
            Some(Change::Closed) => tracing::info!(service, address, "circuit closed"),
            None => {}
        }
    }

    /// HTTP/2 wants the whole URI; callers know its path.
    fn at(&self, path: &Uri) -> Uri {
        let mut parts = uri::Parts::default();
        parts.scheme = Some(uri::Scheme::HTTP);
        parts.authority = Some(self.authority.clone());
        let path = path.path_and_query().cloned();
        parts.path_and_query = Some(path.unwrap_or(uri::PathAndQuery::from_static("/")));
        Uri::from_parts(parts).expect("scheme, authority and path make a URI")
    }

    // Nothing here can panic halfway through a change, so what a panic left behind is whole.
    fn circuit(&self) -> MutexGuard<'_, Circuit> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admitted {
    /// Sends the request once, now if there is a connection. It counts as in flight until the
    /// response's body has ended.
    pub fn send(self, mut request: Request<Outgoing>) -> impl Future<Output = Sent> {
        let Self { verdict, load, at } = self;
        *request.uri_mut() = verdict.address.at(request.uri());
        match verdict.address.pool.way(at) {
            Way::There(lease, false) => Either::Left(verdict.send(load, lease, request)),
            way => Either::Right(Box::pin(verdict.find(load, way, request))),
        }
    }
}

impl Verdict {
    pub fn address(&self) -> &Arc<Address> {
        &self.address
    }

    /// Sends the request when there is a connection.
    async fn find(mut self, load: Load, way: Way, request: Request<Outgoing>) -> Sent {
        match self.address.pool.clone().lease(way).await {
            Ok(lease) => self.send(load, lease, request).await,
            Err(Unreachable { cause, is_news }) => {
                self.reach(if is_news { Outcome::Failure } else { Outcome::Unknown });
                let address = self.address.name.clone();
                let answer = Err(Error::Unreachable { address, source: cause });
                Sent { answer, request: Some(Box::new(request)), unprocessed: Some(self) }
            }
        }
    }

    fn send(
        mut self,
        load: Load,
        lease: Lease,
        request: Request<Outgoing>,
    ) -> impl Future<Output = Sent> {
        let sending = lease.connection.send(request);
        let loads = [load, lease.load];
        async move {
            match sending.await {
                Ok((response, upload)) => {
                    self.reach(outcome(&response));
                    let (head, stream) = response.into_parts();
                    let body = Body::new(Received::new(&head.headers, stream, (loads, upload)));
                    let answer = Ok(Response::from_parts(head, body));
                    Sent { answer, request: None, unprocessed: None }
                }
                Err(it) => self.unanswered(*it),
            }
        }
    }

    pub fn reach(&mut self, outcome: Outcome) {
        if let Some(ticket) = self.ticket.take() {
            self.address.end(&ticket, outcome);
        }
    }

    fn unanswered(mut self, it: Unanswered) -> Sent {
        let answer = Err(Error::Lost { address: self.address.name.clone(), source: it.error });
        if it.unprocessed {
            let request = it.request.map(Box::new);
            return Sent { answer, request, unprocessed: Some(self) };
        }
        self.reach(Outcome::Failure);
        Sent { answer, request: None, unprocessed: None }
    }
}

impl Drop for Verdict {
    fn drop(&mut self) {
        self.reach(Outcome::Unknown);
    }
}

/// What the head of a response tells of its address: not whether the call went well, but whether
/// somebody was there to answer it.
fn outcome<B>(response: &Response<B>) -> Outcome {
    let headers = response.headers();
    let by_proxy = headers.get(GRPC_STATUS).is_some_and(|it| it == "14")
        && !headers.contains_key(GRPC_DETAILS);
    if response.status().is_server_error() || by_proxy {
        Outcome::Failure
    } else {
        Outcome::Success
    }
}
