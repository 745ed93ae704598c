//! Every layer a call to a service passes, outermost first. This is the only stack.
//!
//! The edge stands on the same checkpoints (`introspect`, `scope`, `brand`, `safe_view`,
//! `receipt`); only how it routes and how it words a refusal are its own.

mod access;
mod admission;
mod deadline;
mod idempotency;
mod panic;
mod receipt;
mod request;
mod route;
mod safe_view;

use std::{collections::HashMap, sync::Arc};

use contract::Method;
use http::{Request, Response};
use mesh::App;
use tonic::{Status, body::Body};
use tower::{ServiceBuilder, util::BoxCloneSyncService};

pub use admission::{Admission, BrandScope, Check, Introspect, Scope};
pub use receipt::{Receipt, Receipts};
pub use safe_view::{SafeView, SafeViews, View};

use crate::{Db, Error, Introspector};

/// The methods of a service by gRPC path.
pub(crate) type Methods = Arc<HashMap<&'static str, &'static Method>>;

/// How a surface words a refusal: gRPC here, JSON at the edge.
pub trait Refusal {
    fn refuse(error: Error) -> Self;
}

impl Refusal for Response<Body> {
    fn refuse(error: Error) -> Self {
        Status::from(error).into_http()
    }
}

/// The stack of one service.
pub(crate) fn stack(
    routes: App,
    methods: Methods,
    pages: &'static [&'static str],
    introspector: Introspector,
    db: Db,
) -> App {
    // Two builders, not one: rustc is super-linear in the depth of one stack.
    let inner = ServiceBuilder::new()
        .layer(Admission(Introspect(introspector))) // 1: who is calling?
        .layer(Admission(Scope)) // 2: may they?
        .layer(Admission(BrandScope)) // 3: in which tenant?
        .layer(SafeViews) // 4: from here only the safe view can reach a log or a span.
        .layer(Receipts) // 5: a write must prove its audit entry.
        .layer(access::AccessRecords(db.clone())) // A read of protected data is recorded, or not answered.
        .layer(idempotency::Replays(db)); // Innermost: a replayed answer was authorized anew.
    let outer = ServiceBuilder::new()
        .layer(request::Requests) // First: every outcome below has a request id, a span and a log line.
        .map_response(|it: Response<_>| it.map(Body::new)) // The panic guard wraps bodies in its own type.
        .layer(panic::layer()) // A panic is one failed call, not a dead process.
        .layer(route::Routes { methods, pages }) // Which method, and what guards it? Pages guard themselves.
        .layer(deadline::Deadlines); // Before any work is paid for.
    let pages_or_admitted =
        route::Split { pages: routes.clone(), admitted: boxed(inner.service(routes)) };
    boxed(outer.service(pages_or_admitted))
}

fn boxed<S>(service: S) -> App
where
    S: tower::Service<Request<Body>, Response = Response<Body>, Error = std::convert::Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
{
    BoxCloneSyncService::new(service)
}

/// A future of a layer here.
type Answering<R> =
    std::pin::Pin<Box<dyn Future<Output = Result<R, std::convert::Infallible>> + Send>>;
