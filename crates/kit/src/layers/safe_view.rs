//! Checkpoint 4, PHI safe-view: what the layers below say of a request comes from here.
//!
//! From this layer on a request carries a [`SafeView`], made of ids, codes and the contract's own
//! words. Logs, spans, errors and metrics take it and nothing else; a protected value has no way in.

use std::{
    convert::Infallible,
    fmt,
    task::{Context, Poll},
};

use contract::{CallerKind, Method};
use http::Request;
use tower::{Layer, Service, ServiceExt as _};

use super::{Answering, Refusal};
use crate::{Brand, Caller, Error, RequestId};

/// What may be said of a request: none of its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafeView {
    pub method: &'static str,
    pub request_id: RequestId,
    pub client_id: String,
    pub brand: Brand,
    pub caller: CallerKind,
}

/// A request that has its safe view.
pub trait View {
    fn safe_view(&self) -> Option<&SafeView>;
}

impl<B> View for Request<B> {
    fn safe_view(&self) -> Option<&SafeView> {
        self.extensions().get()
    }
}

impl fmt::Display for SafeView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, request_id, client_id, brand, caller } = self;
        write!(f, "{method} {} {client_id} {brand} {}", request_id.0, caller.as_str())
    }
}

#[derive(Clone, Copy, Debug)]
pub struct SafeViews;

impl<S> Layer<S> for SafeViews {
    type Service = Viewing<S>;

    fn layer(&self, inner: S) -> Viewing<S> {
        Viewing { inner }
    }
}

#[derive(Clone, Debug)]
pub struct Viewing<S> {
    inner: S,
}

impl<S, B> Service<Request<B>> for Viewing<S>
where
    S: Service<Request<B>, Error = Infallible> + Clone + Send + 'static,
    S::Response: Refusal + Send,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = S::Response;
    type Error = Infallible;
    type Future = Answering<S::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let inner = self.inner.clone();
        Box::pin(async move {
            match view(&request) {
                Some(view) => {
                    tracing::debug!(
                        method = view.method,
                        request_id = &*view.request_id.0,
                        client_id = view.client_id,
                        brand_id = view.brand.as_str(),
                        caller = view.caller.as_str(),
                        "admitted"
                    );
                    request.extensions_mut().insert(view);
                    inner.oneshot(request).await
                }
                None => {
                    Ok(S::Response::refuse(Error::unauthenticated("the request was not admitted")))
                }
            }
        })
    }
}

fn view<B>(request: &Request<B>) -> Option<SafeView> {
    let extensions = request.extensions();
    let caller = extensions.get::<Caller>()?;
    Some(SafeView {
        method: extensions.get::<&'static Method>()?.path,
        request_id: extensions.get::<RequestId>()?.clone(),
        client_id: caller.client_id.clone(),
        brand: extensions.get::<Brand>()?.clone(),
        caller: caller.kind,
    })
}
