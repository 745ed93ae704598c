//! Every layer a call to a service passes, outermost first. This is the only stack.
//!
//! The edge stands on the same checkpoints ([`Introspect`], [`Scope`], [`BrandScope`],
//! [`PhiSafeView`], [`ReceiptShown`]); only how it routes and how it words a refusal are its own.

mod access;
mod admission;
mod deadline;
mod idempotency;
mod panic;
mod passage;
mod receipt;
mod request;
mod route;
mod safe_view;
mod stack;

use std::{collections::HashMap, sync::Arc};

use contract::Method;
use http::{HeaderName, Response};
use mesh::App;
use tonic::{Status, body::Body};
use tower::{ServiceBuilder, util::BoxCloneSyncService};

pub use admission::{Admit, Admitted, BrandScope, Check, Finding, Introspect, Scope, admit};
pub use panic::{Guarded, PanicGuard};
pub use passage::{Behind, Outward, Passage, Passing, Through, through};
pub use receipt::{Receipt, ReceiptShown, owes_receipt};
pub use safe_view::{PhiSafeView, SafeView};
pub use stack::{Answering, Around, Below, Next, around};

use crate::{Db, Error, Introspector};

/// The methods of a service by gRPC path.
pub(crate) type Methods = Arc<HashMap<&'static str, &'static Method>>;

/// The stack of one service. Two builders, not one: rustc is super-linear in the depth of one.
pub(crate) fn stack(
    routes: App,
    methods: Methods,
    pages: &'static [&'static str],
    introspector: Introspector,
    db: Db,
) -> App {
    let page = Next::new(routes.clone());
    let admitted = ServiceBuilder::new()
        .layer(admit(Introspect(introspector))) // 1: who is calling?
        .layer(admit(Scope)) // 2: may they?
        .layer(admit(BrandScope)) // 3: in which tenant?
        .layer(admit(PhiSafeView)) // 4: only the safe view can reach a log or a span from here.
        .layer(through(ReceiptShown)) // 5: a write must prove its audit entry.
        .layer(around(db.clone(), access::access)) // A protected read is recorded, or not answered.
        .layer(around(db, idempotency::idempotency)) // Innermost: a replay was authorized anew.
        .service(routes);
    let outer = ServiceBuilder::new()
        .layer(around((), request::request)) // First: every outcome has an id, a span, a log line.
        .layer(PanicGuard) // A panic is one failed call, not a dead process.
        .layer(around(route::Routes { methods, pages, page }, route::route)) // What guards it?
        .layer(around((), deadline::deadline)) // Before any work is paid for.
        .service(admitted);
    BoxCloneSyncService::new(outer)
}

/// A failure on its way out.
fn refuse(error: Error) -> Response<Body> {
    Status::from(error).into_http()
}

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// A gRPC failure that was known before the answer began stands in its headers.
fn failed(response: &Response<Body>) -> bool {
    response.headers().get(GRPC_STATUS).is_some_and(|it| it != "0")
}
