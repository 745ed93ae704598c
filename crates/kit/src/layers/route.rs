//! Finds what guards a request: its method's contract, or, for a page, the page itself.

use http::{Request, Response};
use tonic::{Code, body::Body};

use super::{Methods, Next, refuse};
use crate::Error;

/// The two ways on from here.
#[derive(Clone)]
pub struct Routes {
    pub methods: Methods,
    pub pages: &'static [&'static str],
    /// HTML pages: no contract guards them; they read their own session.
    pub page: Next,
}

/// A method goes on to admission, a page past it, everything else nowhere.
pub async fn route(routes: Routes, mut request: Request<Body>, admitted: Next) -> Response<Body> {
    let path = request.uri().path();
    if let Some(method) = routes.methods.get(path).copied() {
        request.extensions_mut().insert(method);
        admitted.run(request).await
    } else if routes.pages.contains(&path) {
        routes.page.run(request).await
    } else {
        refuse(Error::new(Code::Unimplemented, "METHOD_UNKNOWN", "no such method"))
    }
}
