//! Every layer a request passes, outermost first. This is the only stack.
//!
//! The five checkpoints are those of every service, from `kit`: what is let in here is asked
//! again where it arrives.

pub(crate) mod coding;
mod limits;
mod oauth_client;
mod panic;
mod rate;
mod requests;
mod routes;
pub(crate) mod shed;
pub(crate) mod wording;

use std::sync::Arc;

use http::Response;
use kit::layers::{BrandScope, Check, Introspect, Next, Scope, admit, around, receipt, safe_view};
use tonic::{Status, body::Body};
use tower::{Layer as _, ServiceBuilder};

use crate::{Parts, call, page, record::Record};

pub(crate) use limits::{Allowance, body_too_large};
pub(crate) use rate::RateLimit;

/// The whole gateway.
pub(crate) fn stack(parts: &Arc<Parts>) -> Next {
    outer(parts, admitted(parts), pages(parts))
}

/// What every request passes, before it is known who sent it.
pub(crate) fn outer(parts: &Arc<Parts>, admitted: Next, pages: Next) -> Next {
    ServiceBuilder::new()
        .layer(around(parts.clone(), requests::requests)) // First: every outcome has an id and a log line.
        .layer(around(parts.clone(), coding::coding)) // What is worded may be compressed.
        .layer(around(parts.clone(), wording::wording)) // Refusals get the caller's form, here only.
        .map_response(|it: Response<_>| it.map(Body::new)) // The panic guard has its own bodies.
        .layer(panic::layer()) // A panic is one failed request, not a dead process.
        .layer(around(parts.clone(), limits::limits)) // Malformed, too large or too slow: no further.
        .service(routes::router(parts, admitted, pages)) // Which method, and what guards it?
}

/// What a request for a method passes.
pub(crate) fn admitted(parts: &Arc<Parts>) -> Next {
    let admission = ServiceBuilder::new()
        .layer(around(parts.clone(), oauth_client::name)) // Whom to count. A slow form takes no room.
        .layer(around(parts.clone(), shed::shed)) // Before any work is paid for.
        .layer(around(Noted(Introspect(parts.introspector.clone())), admit)) // 1: who is calling?
        .layer(around(Scope, admit)) // 2: may they?
        .layer(around(Noted(BrandScope), admit)) // 3: in which tenant?
        .layer(around(RateLimit(parts.clone()), admit)); // By client and class, so not before them.
    let inner = ServiceBuilder::new()
        .layer(around((), safe_view)) // 4: from here only the safe view can reach a log or a span.
        .layer(around((), receipt)); // 5: a write must come back with proof of its audit entry.
    // Two builders, not one: rustc is super-linear in the depth of one stack.
    admission.service(Next::new(inner.service(Next::end(parts.clone(), call::call))))
}

/// What a request for a page passes: it has its own session, so no token is asked for.
pub(crate) fn pages(parts: &Arc<Parts>) -> Next {
    let guarded = around(RateLimit(parts.clone()), admit); // By address.
    let shed = around(parts.clone(), shed::shed); // Before any work is paid for.
    shed.layer(guarded.layer(Next::end(parts.clone(), page::pass)))
}

/// A failure on its way out: a gRPC status, which the wording layer turns into HTTP.
pub(crate) fn refuse(error: impl Into<Status>) -> Response<Body> {
    error.into().into_http()
}

/// A checkpoint whose finding the log line tells, whatever the ones below it say.
#[derive(Clone, Debug)]
pub(crate) struct Noted<C>(pub(crate) C);

impl<C: Check> Check for Noted<C> {
    async fn check(
        &self,
        headers: &http::HeaderMap,
        extensions: &mut http::Extensions,
    ) -> kit::Result<()> {
        self.0.check(headers, extensions).await?;
        Record::of(extensions).note(extensions);
        Ok(())
    }
}
