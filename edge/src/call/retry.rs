//! What is held whole on its way to a service: sent again where that does no harm.

use bytes::Bytes;
use contract::Idempotency;
use http::Response;
use kit::{Error, IDEMPOTENCY_KEY};
use mesh::Retry;
use tokio::time::Instant;
use tonic::{Status, body::Body};

use super::Ongoing;

impl Ongoing {
    /// Sends framed messages that are held whole to the method's service.
    pub(super) async fn send_whole(&self, frames: Bytes) -> Result<Response<Body>, Status> {
        let peer = self.parts.mesh.peer(self.called().method.service).map_err(Error::from)?;
        let time = self.time();
        let outgoing = || self.outgoing(frames.clone(), time.left);
        let answer = peer.call(outgoing, self.retry(time.until)).await;
        self.told(answer.map_err(Error::from)?)
    }

    /// A read may be made again; a write if the service gives its first answer again.
    fn retry(&self, until: Instant) -> Retry {
        let method = self.called().method;
        let is_keyed = || {
            method.idempotency != Idempotency::None
                && self.head.headers.contains_key(IDEMPOTENCY_KEY)
        };
        match !method.writes() || is_keyed() {
            true => Retry::Idempotent { deadline: until.into_std() },
            false => Retry::Never,
        }
    }
}
