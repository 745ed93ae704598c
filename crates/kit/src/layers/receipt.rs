//! Checkpoint 5, audit: a method that declares a record must come back with its receipt.
//!
//! The entry itself is written in the transaction of the change, by [`crate::Tx::record`]. This
//! layer is what notices a handler that went another way: the caller gets a 500, and an alarm rings.

use contract::{Audit, Method};
use http::{HeaderMap, Request, Response};
use tonic::body::Body;

use super::{Outward, Passage, failed, refuse};
use crate::{Error, tx::RECEIPT};

/// The receipt of an answer that was reworded on its way, as at the edge.
#[derive(Clone, Debug)]
pub enum Receipt {
    Shown(String),
    /// The service has not answered yet. Whoever carries its answer asks [`owes_receipt`] then.
    Due,
}

/// Whether an answer with these headers should have shown a receipt and does not. Rings the alarm.
pub fn owes_receipt(method: &Method, headers: &HeaderMap) -> bool {
    let owes = method.audit != Audit::None && !headers.contains_key(RECEIPT);
    if owes {
        ring(method.path);
    }
    owes
}

/// Checkpoint 5 as a layer: refuses an answer that should have left an audit entry and shows none.
#[derive(Clone, Debug)]
pub struct ReceiptShown;

impl Passage for ReceiptShown {
    type Kept = Option<&'static Method>;

    fn inward(&self, request: &mut Request<Body>) -> Self::Kept {
        request.extensions().get::<&'static Method>().copied()
    }

    fn outward(method: Self::Kept, response: Response<Body>) -> Outward {
        let Some(method) = method else { return alarm("a request without a method") };
        let shown = || {
            response.headers().contains_key(RECEIPT)
                || response.extensions().get::<Receipt>().is_some()
        };
        if method.audit == Audit::None || failed(&response) || shown() {
            Outward::Now(response)
        } else {
            alarm(method.path)
        }
    }
}

fn ring(what: &str) {
    tracing::error!(
        alarm = "audit_receipt_missing",
        method = what,
        "answered without an audit entry"
    );
}

fn alarm(what: &str) -> Outward {
    ring(what);
    Outward::Now(refuse(Error::internal(anyhow::anyhow!("{what} left no audit entry"))))
}
