//! A layer that sees a request on its way in and its answer on its way out, and costs no future of
//! its own.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures::future::BoxFuture;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tonic::body::Body;
use tower::{Layer, Service};

use super::Below;

/// What such a layer does.
pub trait Passage: Clone + Send + Sync + 'static {
    /// What it keeps of a request until the answer comes.
    type Kept: Send;

    /// Sees a request on its way in.
    fn inward(&self, request: &mut Request<Body>) -> Self::Kept;

    /// Lets an answer out, as it is or changed.
    fn outward(kept: Self::Kept, response: Response<Body>) -> Outward;
}

/// An answer on its way out. Mostly it need not wait, and then nothing is allocated.
pub enum Outward {
    Now(Response<Body>),
    Later(BoxFuture<'static, Response<Body>>),
}

/// The layer of a passage.
#[derive(Clone, Debug)]
pub struct Through<P>(P);

/// What stands behind a passage.
#[derive(Clone, Debug)]
pub struct Behind<P, S> {
    passage: P,
    inner: S,
}

pin_project! {
    /// A request that has gone in, until its answer has come out.
    #[project = PassingState]
    pub enum Passing<P: Passage, F> {
        In { #[pin] inner: F, kept: Option<P::Kept> },
        Out { answer: BoxFuture<'static, Response<Body>> },
    }
}

/// Lets requests and answers through a passage.
pub fn through<P: Passage>(passage: P) -> Through<P> {
    Through(passage)
}

impl<P: Passage, S: Below> Layer<S> for Through<P> {
    type Service = Behind<P, S>;

    fn layer(&self, inner: S) -> Behind<P, S> {
        Behind { passage: self.0.clone(), inner }
    }
}

impl<P: Passage, S: Below> Service<Request<Body>> for Behind<P, S> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Passing<P, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let kept = Some(self.passage.inward(&mut request));
        Passing::In { inner: self.inner.call(request), kept }
    }
}

impl<P, F> Future for Passing<P, F>
where
    P: Passage,
    F: Future<Output = Result<Response<Body>, Infallible>>,
{
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = match self.as_mut().project() {
            PassingState::Out { answer } => return answer.as_mut().poll(context).map(Ok),
            PassingState::In { inner, kept } => {
                let Ok(response) = ready!(inner.poll(context));
                let kept = kept.take().expect("an answer comes out once");
                match P::outward(kept, response) {
                    Outward::Now(response) => return Poll::Ready(Ok(response)),
                    Outward::Later(answer) => answer,
                }
            }
        };
        self.set(Self::Out { answer });
        self.poll(context)
    }
}
