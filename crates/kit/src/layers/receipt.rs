//! Checkpoint 5, audit: a method that declares a record must come back with its receipt.
//!
//! The entry itself is written in the transaction of the change, by [`crate::Tx::record`]. This
//! layer is what notices a handler that went another way: the caller gets a 500, and an alarm rings.

use contract::{Audit, Method};
use http::{Request, Response};
use tonic::body::Body;

use super::{Next, failed, refuse};
use crate::{Error, tx::RECEIPT};

/// The receipt of an answer that was reworded on its way, as at the edge.
#[derive(Clone, Debug)]
pub struct Receipt(pub String);

/// Refuses an answer that should have left an audit entry and shows none.
pub async fn receipt((): (), request: Request<Body>, next: Next) -> Response<Body> {
    let method = request.extensions().get::<&'static Method>().copied();
    let response = next.run(request).await;
    let Some(method) = method else { return alarm("a request without a method") };
    let shown = response.headers().contains_key(RECEIPT)
        || response.extensions().get::<Receipt>().is_some();
    if method.audit == Audit::None || failed(&response) || shown {
        response
    } else {
        alarm(method.path)
    }
}

fn alarm(what: &str) -> Response<Body> {
    tracing::error!(
        alarm = "audit_receipt_missing",
        method = what,
        "answered without an audit entry"
    );
    refuse(Error::internal(anyhow::anyhow!("{what} left no audit entry")))
}
