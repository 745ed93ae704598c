//! Where a peer lives: in this process, or behind an address. Callers cannot tell the difference.

mod peer;
mod server;

use std::{
    collections::HashMap,
    sync::{Arc, RwLock},
    time::Duration,
};

use http::{HeaderName, Uri};
use tonic::transport::Endpoint;

pub use peer::{App, Peer};
pub use server::serve;

/// Names the service a request is for. Several services may share a process and an address, and
/// some methods are served by all of them.
pub const SERVICE: HeaderName = HeaderName::from_static("loop-service");

/// The peers of this process, by service name. Cheap to clone; peers may be added at any time.
#[derive(Clone, Debug, Default)]
pub struct Mesh {
    peers: Arc<RwLock<HashMap<&'static str, Peer>>>,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no address is known for the service {0}")]
    UnknownPeer(String),
    #[error("{address} is no address of a service: {source}")]
    Address { address: String, source: tonic::transport::Error },
}

impl Mesh {
    /// Adds a service that runs in this process.
    pub fn add_local(&self, name: &'static str, app: App) {
        self.insert(name, Peer::local(name, app));
    }

    /// Adds a service behind an address such as `http://10.0.0.7:7001`. Connects on first use and
    /// again after every loss.
    pub fn add_remote(&self, name: &'static str, address: &Uri) -> Result<(), Error> {
        let endpoint = Endpoint::from_shared(address.to_string())
            .map_err(|source| Error::Address { address: address.to_string(), source })?
            .connect_timeout(Duration::from_secs(2))
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(10))
            .keep_alive_timeout(Duration::from_secs(5))
            .keep_alive_while_idle(true)
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(8 << 20);
        self.insert(name, Peer::remote(name, endpoint.connect_lazy()));
        Ok(())
    }

    pub fn peer(&self, name: &str) -> Result<Peer, Error> {
        let peers = self.peers.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        peers.get(name).cloned().ok_or_else(|| Error::UnknownPeer(name.to_owned()))
    }

    fn insert(&self, name: &'static str, peer: Peer) {
        let mut peers = self.peers.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        peers.insert(name, peer);
    }
}
