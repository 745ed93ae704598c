//! Checkpoint 4, PHI safe-view: what the layers below say of a request comes from here.
//!
//! From this layer on a request carries a [`SafeView`], made of ids, codes and the contract's own
//! words. Logs, spans, errors and metrics take it and nothing else; a protected value has no way in.

use contract::{CallerKind, Method};
use http::{Request, Response};
use tonic::body::Body;

use super::{Next, refuse};
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

/// Gives an admitted request its safe view, and says it once.
pub async fn safe_view((): (), mut request: Request<Body>, next: Next) -> Response<Body> {
    let Some(view) = view(&request) else {
        return refuse(Error::unauthenticated("the request was not admitted"));
    };
    tracing::debug!(
        method = view.method,
        request_id = &*view.request_id.0,
        client_id = view.client_id,
        brand_id = view.brand.as_str(),
        caller = view.caller.as_str(),
        "admitted"
    );
    request.extensions_mut().insert(view);
    next.run(request).await
}

fn view(request: &Request<Body>) -> Option<SafeView> {
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
