//! A panic is one failed request, not a dead process.

use std::{
    any::Any,
    convert::Infallible,
    future::{Ready, ready},
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Context, Poll},
};

use futures::{
    FutureExt as _,
    future::{CatchUnwind, Either, Map},
};
use http::{Request, Response};
use tonic::body::Body;
use tower::{Layer, Service};

use super::{Below, refuse};
use crate::Error;

/// Answers with an internal error where what is below panics. The panic's own text may hold
/// anything, so it is not logged here; the panic hook prints its place.
#[derive(Clone, Copy, Debug)]
pub struct PanicGuard;

/// What stands behind the guard.
#[derive(Clone, Debug)]
pub struct Guarded<S>(S);

type Answer = Result<Response<Body>, Infallible>;
type Caught = Result<Answer, Box<dyn Any + Send>>;

impl<S: Below> Layer<S> for PanicGuard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded(inner)
    }
}

impl<S: Below> Service<Request<Body>> for Guarded<S> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future =
        Either<Map<CatchUnwind<AssertUnwindSafe<S::Future>>, fn(Caught) -> Answer>, Ready<Answer>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // What a request leaves behind half done, it alone has seen; what requests share is locked.
        match catch_unwind(AssertUnwindSafe(|| self.0.call(request))) {
            Ok(answer) => Either::Left(AssertUnwindSafe(answer).catch_unwind().map(settled)),
            Err(panic) => Either::Right(ready(settled(Err(panic)))),
        }
    }
}

fn settled(caught: Caught) -> Answer {
    caught.unwrap_or_else(|_| Ok(refuse(Error::internal(anyhow::anyhow!("a layer panicked")))))
}
