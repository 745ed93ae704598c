//! Where a peer lives: in this process, or behind addresses. Callers cannot tell the difference.
//!
//! A call to a remote peer passes, from outer to inner: retries ([`Retry`]), the choice of an
//! address, that address's circuit, and one of its HTTP/2 connections.

mod address;
mod body;
mod circuit;
mod connection;
mod peer;
mod pool;
mod remote;
mod retry;
mod server;
#[cfg(test)]
mod tests;
mod upload;
mod wire;

use std::{
    collections::HashMap,
    io, slice,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use http::{HeaderName, Uri};
use tonic::Status;

pub use peer::{App, Peer};
pub use retry::Retry;
pub use server::serve;

use address::Address;
use remote::Remote;

/// Names the service a request is for. Several services may share a process and an address, and
/// some methods are served by all of them.
pub const SERVICE: HeaderName = HeaderName::from_static("loop-service");

/// Only this process says what is in it, so it is hashed fast.
type Peers = HashMap<&'static str, Peer, foldhash::fast::RandomState>;

/// The peers of this process, by service name. Cheap to clone; peers may be added at any time.
#[derive(Clone, Debug, Default)]
pub struct Mesh {
    peers: Arc<RwLock<Peers>>,
}

/// Why there is no response of a peer. All but the first two: it is not available now.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no address is known for the service {0}")]
    UnknownPeer(String),
    #[error("{0} is no address of a service: it must be http://host:port")]
    Address(String),
    /// No connection can be opened. Nothing was sent.
    #[error("{address} cannot be reached")]
    Unreachable { address: Arc<str>, source: Arc<io::Error> },
    /// The connection or the stream ended before a response: the call may have taken effect.
    #[error("{address} ended the connection")]
    Lost { address: Arc<str>, source: h2::Error },
    /// The last requests failed, and it is too early to try again. Nothing was sent.
    #[error("{service} has failed and is left alone for {} ms", .retry_after.as_millis())]
    Open { service: &'static str, retry_after: Duration },
    /// The service runs in this process, and its runtime stopped or it panicked.
    #[error("{0} has stopped")]
    Ended(&'static str),
}

impl Mesh {
    /// Adds a service that runs in this process.
    pub fn add_local(&self, name: &'static str, app: App) {
        self.insert(name, Peer::local(name, app));
    }

    /// Adds a service behind an address such as `http://10.0.0.7:7001`. Connects on first use and
    /// again after every loss.
    ///
    /// # Errors
    ///
    /// [`Error::Address`].
    pub fn add_remote(&self, name: &'static str, address: &Uri) -> Result<(), Error> {
        self.add_replicas(name, slice::from_ref(address))
    }

    /// Adds a service behind several addresses, each of which serves all of it. Of two drawn at
    /// random the one with fewer requests in flight is asked.
    ///
    /// # Errors
    ///
    /// [`Error::Address`]; [`Error::UnknownPeer`] if there is no address.
    pub fn add_replicas(&self, name: &'static str, addresses: &[Uri]) -> Result<(), Error> {
        if addresses.is_empty() {
            return Err(Error::UnknownPeer(name.to_owned()));
        }
        let addresses: Vec<_> =
            addresses.iter().map(|it| Address::new(name, it)).collect::<Result<_, _>>()?;
        self.insert(name, Peer::remote(name, Remote::new(name, addresses.into_iter())));
        Ok(())
    }

    pub fn peer(&self, name: &str) -> Result<Peer, Error> {
        let peers = self.peers.read().unwrap_or_else(PoisonError::into_inner);
        peers.get(name).cloned().ok_or_else(|| Error::UnknownPeer(name.to_owned()))
    }

    /// The peers of this moment for a thread with a runtime of its own. Remote peers get
    /// connections, circuits and budgets of their own, as a connection is driven by the runtime
    /// that opened it. Services of this process are called on the runtime that
    /// [`Mesh::add_local`] was called in, and their calls end when the caller leaves.
    #[must_use]
    pub fn own_core(&self) -> Self {
        let peers = self.peers.read().unwrap_or_else(PoisonError::into_inner);
        let own = peers.iter().map(|(name, peer)| (*name, peer.own_core())).collect();
        Self { peers: Arc::new(RwLock::new(own)) }
    }

    fn insert(&self, name: &'static str, peer: Peer) {
        let mut peers = self.peers.write().unwrap_or_else(PoisonError::into_inner);
        peers.insert(name, peer);
    }
}

/// UNAVAILABLE, in words that tell a stranger nothing; the error itself is the source.
impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let mut status = Self::unavailable("a service is not reachable");
        status.set_source(Arc::new(error));
        status
    }
}
