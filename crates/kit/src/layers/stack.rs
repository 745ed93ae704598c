//! What a stack is made of: a layer is one async function around all that lies below it.

use std::{
    any::Any,
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use futures::{FutureExt as _, future::Either};
use http::{Request, Response};
use tonic::{Status, body::Body};
use tower::{Layer, Service, ServiceExt as _, util::Oneshot};

/// The answer to one request. A failure is an answer too: a gRPC status.
pub type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// The rest of a stack. Shared, so that a clone costs the same however deep it is; a boxed
/// service would clone everything below it.
#[derive(Clone)]
pub struct Next(Arc<dyn Fn(Request<Body>) -> Answering + Send + Sync>);

/// A layer made of a function and the state it stands on.
#[derive(Clone, Debug)]
pub struct Around<P, F> {
    state: P,
    function: F,
}

/// What may stand below a layer.
pub trait Below:
    Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
    /// The answer to a request, begun at once where the service is ready.
    fn answer(&self, request: Request<Body>) -> Either<Self::Future, Oneshot<Self, Request<Body>>> {
        let mut service = self.clone();
        // A service of a stack is ready at once. One that is not is waited for.
        match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(_) => Either::Left(service.call(request)),
            Poll::Pending => Either::Right(service.oneshot(request)),
        }
    }
}

impl<S> Below for S where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// The layer that runs `function(state, request, next)`.
pub fn around<P, F>(state: P, function: F) -> Around<P, F> {
    Around { state, function }
}

impl Next {
    pub fn new(service: impl Below) -> Self {
        // What is one already is not boxed again, for every request.
        if let Some(next) = (&service as &dyn Any).downcast_ref::<Self>() {
            return next.clone();
        }
        Self(Arc::new(move |request| Box::pin(service.answer(request))))
    }

    /// The rest of a stack as a function that chooses what answers.
    pub fn choice<P: Send + Sync + 'static>(
        state: P,
        function: impl Fn(&P, Request<Body>) -> Answering + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move |request| function(&state, request)))
    }

    /// The end of a stack: a function that answers or fails.
    pub fn end<P, F, A>(state: P, function: F) -> Self
    where
        P: Clone + Send + Sync + 'static,
        F: Fn(P, Request<Body>) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Response<Body>, Status>> + Send + 'static,
    {
        Self(Arc::new(move |request| {
            // Mapped, not awaited: an async block would hold the future twice.
            let answer = function(state.clone(), request);
            Box::pin(answer.map(|it| Ok(it.unwrap_or_else(Status::into_http))))
        }))
    }

    /// The answer to a request.
    pub fn answer(&self, request: Request<Body>) -> Answering {
        (self.0)(request)
    }

    /// The same, to be awaited in the middle of a layer.
    pub async fn run(&self, request: Request<Body>) -> Response<Body> {
        let Ok(response) = self.answer(request).await;
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
        self.answer(request)
    }
}

impl<P, F, A, S> Layer<S> for Around<P, F>
where
    P: Clone + Send + Sync + 'static,
    F: Fn(P, Request<Body>, Next) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
    S: Below,
{
    type Service = Next;

    fn layer(&self, inner: S) -> Next {
        let (Self { state, function }, next) = (self.clone(), Next::new(inner));
        Next(Arc::new(move |request| {
            Box::pin(function(state.clone(), request, next.clone()).map(Ok))
        }))
    }
}
