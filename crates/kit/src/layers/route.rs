//! Finds what guards a request: its method's contract, or, for a page, the page itself.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use http::{Request, Response};
use mesh::App;
use tonic::{Code, body::Body};
use tower::{Layer, Service, ServiceExt as _};

use super::{Answering, Methods, Refusal as _};
use crate::Error;

#[derive(Clone, Debug)]
pub struct Routes {
    pub methods: Methods,
    pub pages: &'static [&'static str],
}

/// An HTML page: not a method, so no contract guards it; it reads its own session.
#[derive(Clone, Copy, Debug)]
struct Page;

impl<S> Layer<S> for Routes {
    type Service = Routing<S>;

    fn layer(&self, inner: S) -> Routing<S> {
        Routing { routes: self.clone(), inner }
    }
}

#[derive(Clone, Debug)]
pub struct Routing<S> {
    routes: Routes,
    inner: S,
}

impl<S> Service<Request<Body>> for Routing<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering<Response<Body>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let path = request.uri().path();
        if let Some(method) = self.routes.methods.get(path).copied() {
            request.extensions_mut().insert(method);
        } else if self.routes.pages.contains(&path) {
            request.extensions_mut().insert(Page);
        } else {
            let error = Error::new(Code::Unimplemented, "METHOD_UNKNOWN", "no such method");
            return Box::pin(async { Ok(Response::refuse(error)) });
        }
        Box::pin(self.inner.clone().oneshot(request))
    }
}

/// Sends pages past the admission layers and everything else through them.
#[derive(Clone)]
pub struct Split {
    pub pages: App,
    pub admitted: App,
}

impl Service<Request<Body>> for Split {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering<Response<Body>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let is_page = request.extensions().get::<Page>().is_some();
        let way = if is_page { &self.pages } else { &self.admitted };
        Box::pin(way.clone().oneshot(request))
    }
}
