//! Checkpoint 5, audit: a method that declares a record must come back with its receipt.
//!
//! The entry itself is written in the transaction of the change, by [`crate::Tx::record`]. This
//! layer is what notices a handler that went another way: the caller gets a 500, and an alarm rings.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use contract::{Audit, Method};
use http::{HeaderMap, Request, Response};
use tower::{Layer, Service, ServiceExt as _};

use super::{Answering, Refusal};
use crate::{Error, tx::RECEIPT};

/// The receipt that a response carries, as it crosses surfaces that reword responses.
#[derive(Clone, Debug)]
pub struct Receipt(pub String);

#[derive(Clone, Copy, Debug)]
pub struct Receipts;

impl<S> Layer<S> for Receipts {
    type Service = Receipting<S>;

    fn layer(&self, inner: S) -> Receipting<S> {
        Receipting { inner }
    }
}

#[derive(Clone, Debug)]
pub struct Receipting<S> {
    inner: S,
}

impl<S, A, B> Service<Request<A>> for Receipting<S>
where
    S: Service<Request<A>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    Response<B>: Refusal,
    A: Send + 'static,
    B: Send + 'static,
{
    type Response = Response<B>;
    type Error = Infallible;
    type Future = Answering<Response<B>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let method = request.extensions().get::<&'static Method>().copied();
        let inner = self.inner.clone();
        Box::pin(async move {
            let response = inner.oneshot(request).await?;
            let Some(method) = method else {
                return Ok(refuse("a request without a method"));
            };
            let missing =
                method.audit != Audit::None && succeeded(&response) && !has_receipt(&response);
            Ok(if missing { refuse(method.path) } else { response })
        })
    }
}

fn refuse<B>(what: &str) -> Response<B>
where
    Response<B>: Refusal,
{
    tracing::error!(
        alarm = "audit_receipt_missing",
        method = what,
        "answered without an audit entry"
    );
    Response::<B>::refuse(Error::internal(anyhow::anyhow!("{what} left no audit entry")))
}

/// A gRPC failure is a 200 with `grpc-status` in its headers; over HTTP the status says it.
fn succeeded<B>(response: &Response<B>) -> bool {
    let failed = |headers: &HeaderMap| headers.get("grpc-status").is_some_and(|it| it != "0");
    response.status().is_success() && !failed(response.headers())
}

fn has_receipt<B>(response: &Response<B>) -> bool {
    response.headers().contains_key(RECEIPT) || response.extensions().get::<Receipt>().is_some()
}
