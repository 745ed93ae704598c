//! Every layer a request passes, outermost first. This is the only stack.
//!
//! The five checkpoints are those of every service, from `kit`: what is let in here is asked
//! again where it arrives.

pub(crate) mod coding;
pub(crate) mod cors;
mod limits;
mod oauth_client;
mod rate;
mod requests;
mod routes;
pub(crate) mod shed;
pub(crate) mod wording;

use std::sync::Arc;

use http::{Extensions, HeaderMap, Response};
use kit::layers::{
    BrandScope, Check, Finding, Introspect, Next, PanicGuard, PhiSafeView, ReceiptShown, Scope,
    admit, around, through,
};
use tonic::{Status, body::Body};
use tower::{Layer as _, ServiceBuilder};

use crate::{Parts, call, page, record::Record};

use coding::ContentCoding;
pub(crate) use limits::{Allowance, body_too_large};
pub(crate) use rate::RateLimit;
use routes::Ways;
use shed::Shed;
use wording::Wording;

/// The whole gateway.
pub(crate) fn stack(parts: &Arc<Parts>) -> Next {
    outer(parts, admitted(parts), pages(parts))
}

/// What every request passes, before it is known who sent it.
pub(crate) fn outer(parts: &Arc<Parts>, admitted: Next, pages: Next) -> Next {
    let named = named(parts, admitted.clone());
    let ways = Ways { admitted, named, pages };
    ServiceBuilder::new()
        .layer_fn(|it| requests::requests(parts, it)) // First: every outcome has an id and a log line.
        .layer(through(ContentCoding)) // What is worded may be compressed.
        .layer(through(Wording(parts.clone()))) // Refusals get the caller's form, here only.
        .layer(PanicGuard) // A panic is one failed request, not a dead process.
        .layer_fn(|it| limits::limits(parts, it)) // Malformed, too large or too slow: no further.
        .service(routes::router(parts, ways)) // Which method, and what guards it?
}

/// What a request for a method passes.
pub(crate) fn admitted(parts: &Arc<Parts>) -> Next {
    let caller = Noted(Introspect(parts.introspector.clone()));
    let admission = ServiceBuilder::new()
        .layer(admit(Shed(parts.clone()))) // Before any work is paid for.
        .layer(admit(cors::FromPage(caller))) // 1: who is calling? From whose page?
        .layer(admit(Scope)) // 2: may they?
        .layer(admit(Noted(BrandScope))) // 3: in which tenant?
        .layer(admit(RateLimit(parts.clone()))) // By client and class, so not before them.
        .layer(admit(PhiSafeView)); // 4: from here only the safe view can reach a log or a span.
    let receipt = through(ReceiptShown); // 5: a write must come back with proof of its audit entry.
    Next::new(admission.service(receipt.layer(Next::end(parts.clone(), call::call))))
}

/// What a request for a method that takes a form passes before: whom to count?
fn named(parts: &Arc<Parts>, admitted: Next) -> Next {
    around(parts.clone(), oauth_client::name).layer(admitted)
}

/// What a request for a page passes: it has its own session, so no token is asked for.
pub(crate) fn pages(parts: &Arc<Parts>) -> Next {
    let shed = admit(Shed(parts.clone())); // Before any work is paid for.
    let guarded = admit(RateLimit(parts.clone())); // By address.
    Next::new(shed.layer(guarded.layer(Next::end(parts.clone(), page::pass))))
}

/// A failure on its way out: a gRPC status, which the wording layer turns into HTTP.
pub(crate) fn refuse(error: impl Into<Status>) -> Response<Body> {
    error.into().into_http()
}

/// A checkpoint whose finding the log line tells, whatever the ones below it say.
#[derive(Clone, Debug)]
pub(crate) struct Noted<C>(pub(crate) C);

impl<C: Check> Check for Noted<C> {
    fn check(&self, headers: &HeaderMap, extensions: &mut Extensions) -> Finding {
        match self.0.check(headers, extensions) {
            Finding::Now(found) => {
                Record::of(extensions).note(extensions);
                Finding::Now(found)
            }
            Finding::Later(finding) => {
                let record = Record::of(extensions).clone();
                Finding::Later(Box::pin(async move {
                    let found = finding.await?;
                    record.note(&found);
                    Ok(found)
                }))
            }
        }
    }
}
