//! What the stack is made of: a layer is one async function around all that lies below it.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tonic::{Status, body::Body};
use tower::{Layer, Service, ServiceExt as _};

use crate::Parts;

/// The answer to one request.
pub(crate) type Answering =
    Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// The rest of the stack. Shared, so that a clone costs the same however deep it is; a boxed
/// service would clone everything below it.
#[derive(Clone)]
pub(crate) struct Next(Arc<dyn Fn(Request<Body>) -> Answering + Send + Sync>);

/// A layer made of a function.
#[derive(Clone)]
pub(crate) struct Around<F> {
    parts: Arc<Parts>,
    function: F,
}

/// The layer that runs `function(parts, request, next)`.
pub(crate) fn around<F>(parts: &Arc<Parts>, function: F) -> Around<F> {
    Around { parts: parts.clone(), function }
}

impl Next {
    pub(crate) fn new<S>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
    {
        Self(Arc::new(move |request| Box::pin(service.clone().oneshot(request))))
    }

    /// The end of a stack: a function that answers or fails.
    pub(crate) fn end<F, A>(parts: &Arc<Parts>, function: F) -> Self
    where
        F: Fn(Arc<Parts>, Request<Body>) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Response<Body>, Status>> + Send + 'static,
    {
        let parts = parts.clone();
        Self(Arc::new(move |request| {
            let answer = function(parts.clone(), request);
            Box::pin(async { Ok(answer.await.unwrap_or_else(Status::into_http)) })
        }))
    }

    pub(crate) async fn run(&self, request: Request<Body>) -> Response<Body> {
        let Ok(response) = (self.0)(request).await;
        response
    }
}

impl Service<Request<Body>> for Next {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Answering {
        (self.0)(request)
    }
}

impl<F, A, S> Layer<S> for Around<F>
where
    F: Fn(Arc<Parts>, Request<Body>, Next) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    type Service = Next;

    fn layer(&self, inner: S) -> Next {
        let (Self { parts, function }, next) = (self.clone(), Next::new(inner));
        Next(Arc::new(move |request| {
            let answer = function(parts.clone(), request, next.clone());
            Box::pin(async { Ok(answer.await) })
        }))
    }
}
