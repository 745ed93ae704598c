//! One peer as a tower service.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{HeaderValue, Request, Response};
use tonic::{body::Body, transport::Channel};
use tower::{BoxError, Service, ServiceExt as _, util::BoxCloneSyncService};

use crate::SERVICE;

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
    Local(App),
    Remote(Channel),
}

impl Peer {
    pub(crate) fn local(name: &'static str, app: App) -> Self {
        Self { name, way: Way::Local(app) }
    }

    pub(crate) fn remote(name: &'static str, channel: Channel) -> Self {
        Self { name, way: Way::Remote(channel) }
    }
}

impl Service<Request<Body>> for Peer {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(())) // `call` waits on a clone of its own, so that one caller never blocks another.
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        request.headers_mut().insert(SERVICE, HeaderValue::from_static(self.name));
        match &self.way {
            Way::Local(app) => {
                let answer = app.clone().oneshot(request);
                Box::pin(async { Ok(answer.await?) })
            }
            Way::Remote(channel) => {
                let answer = channel.clone().oneshot(request);
                Box::pin(async { Ok(answer.await?) })
            }
        }
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
