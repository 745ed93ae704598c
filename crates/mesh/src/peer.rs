//! One peer: called with a message held whole, or as a tower service.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Status, body::Body};
use tower::{BoxError, Service, ServiceExt as _, util::BoxCloneSyncService};

use crate::{Error, Retry, SERVICE, remote::Remote};

/// A service with all its layers, as the process that runs it calls it.
pub type App = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// A way to one service. Marks every request with the service's name.
#[derive(Clone)]
pub struct Peer {
    name: &'static str,
    way: Way,
}

#[derive(Clone)]
enum Way {
    Local(Local),
    Remote(Arc<Remote>),
}

/// An app of this process.
#[derive(Clone)]
struct Local {
    app: App,
    runs: Runs,
}

#[derive(Clone)]
enum Runs {
    /// Where it is called from. Remembers the runtime that it was added in, if it was in one.
    Here(Option<Handle>),
    On(Handle),
}

impl Peer {
    pub(crate) fn local(name: &'static str, app: App) -> Self {
        let runs = Runs::Here(Handle::try_current().ok());
        Self { name, way: Way::Local(Local { app, runs }) }
    }

    pub(crate) fn remote(name: &'static str, remote: Remote) -> Self {
        Self { name, way: Way::Remote(Arc::new(remote)) }
    }

    /// The same peer for a runtime of its own: see [`Mesh::own_core`](crate::Mesh::own_core).
    pub(crate) fn own_core(&self) -> Self {
        let way = match &self.way {
            Way::Local(local) => Way::Local(local.own_core()),
            Way::Remote(remote) => Way::Remote(Arc::new(remote.anew())),
        };
        Self { name: self.name, way }
    }

    /// Calls with a request held whole, which may be sent again as `retry` says. `make` makes it
    /// for each attempt, each time the same: the first one, which mostly is the only one, costs no
    /// copy. How long to wait for an answer is the caller's to say, by dropping the future.
    ///
    /// # Errors
    ///
    /// Any [`Error`] of a peer that is not available.
    pub async fn call(
        &self,
        make: impl Fn() -> Request<Bytes>,
        retry: Retry,
    ) -> Result<Response<Body>, Error> {
        let make = || {
            let mut request = make();
            self.mark(&mut request);
            request
        };
        match &self.way {
            Way::Local(local) => {
                let request = make().map(|it| Body::new(Full::new(it)));
                Box::pin(local.call(self.name, request)).await
            }
            Way::Remote(remote) => remote.call(make, retry).await,
        }
    }

    /// Calls with a request whose body comes bit by bit. It is sent again only if nothing of it
    /// was sent.
    ///
    /// # Errors
    ///
    /// Any [`Error`] of a peer that is not available.
    pub async fn stream(&self, mut request: Request<Body>) -> Result<Response<Body>, Error> {
        self.mark(&mut request);
        match &self.way {
            Way::Local(local) => local.call(self.name, request).await,
            Way::Remote(remote) => remote.stream(request).await,
        }
    }

    fn mark<B>(&self, request: &mut Request<B>) {
        request.headers_mut().insert(SERVICE, HeaderValue::from_static(self.name));
    }
}

impl Local {
    fn own_core(&self) -> Self {
        let runs = match &self.runs {
            Runs::Here(Some(home)) => Runs::On(home.clone()),
            same => same.clone(),
        };
        Self { app: self.app.clone(), runs }
    }

    async fn call(
        &self,
        name: &'static str,
        request: Request<Body>,
    ) -> Result<Response<Body>, Error> {
        let answer = self.app.clone().oneshot(request);
        let Ok(response) = match &self.runs {
            Runs::Here(_) => answer.await,
            Runs::On(home) => {
                let task = AbortOnDropHandle::new(home.spawn(answer));
                task.await.map_err(|_| Error::Ended(name))?
            }
        };
        Ok(response)
    }
}

/// [`Peer::stream`] for tonic's clients. The error is a `tonic::Status` whose source is an [`Error`].
impl Service<Request<Body>> for Peer {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(())) // `call` waits on a clone of its own, so that one caller never blocks another.
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let peer = self.clone();
        Box::pin(async move { Ok(peer.stream(request).await.map_err(Status::from)?) })
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self.way {
            Way::Local(_) => "in this process",
            Way::Remote(_) => "remote",
        };
        f.debug_tuple("Peer").field(&self.name).field(&way).finish()
    }
}
