//! Finds what a request is for. Who asks for what does not exist learns nothing but that.

use std::sync::Arc;

use contract::{Method, Rate};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use tonic::body::Body;
use transcode::{Route, Status};

use super::refuse;
use crate::{
    Parts, grpc,
    home::Own,
    record::{Record, Target},
};
use kit::layers::Next;

/// What the gateway's own answers allow.
const READING: [http::Method; 2] = [http::Method::GET, http::Method::HEAD];

/// What pages allow: to be read, and to be sent a form.
const BROWSING: [http::Method; 3] = [http::Method::GET, http::Method::HEAD, http::Method::POST];

/// Sends a request to the gateway's own answers, to a page or through admission to a method.
pub(crate) fn router(parts: &Arc<Parts>, admitted: Next, pages: Next) -> Next {
    let ways = Arc::new((admitted, pages));
    Next::end(parts.clone(), move |parts, request| {
        let ways = ways.clone();
        async move { Ok(route(&parts, &ways.0, &ways.1, request).await) }
    })
}

async fn route(
    parts: &Parts,
    admitted: &Next,
    pages: &Next,
    mut request: Request<Body>,
) -> Response<Body> {
    let record = Record::of(request.extensions());
    let path = request.uri().path();
    if let Some(own) = Own::at(path) {
        let _ = record.target.set(Target::Own(own.path()));
        return match READING.contains(request.method()) {
            true => own.answer(parts, request.headers()).await,
            false => otherwise(parts, &request, &READING),
        };
    }
    if let Some(service) = parts.config.pages.get(path) {
        let _ = record.target.set(Target::Page(service));
        return match BROWSING.contains(request.method()) {
            true => pages.run(request).await,
            false => otherwise(parts, &request, &BROWSING),
        };
    }
    match parts.api.route(request.method(), path) {
        Route::Found(route) => {
            let method = parts.methods[route.method().grpc_path()];
            let _ = record.target.set(Target::Method { method, route });
            request.extensions_mut().insert(method);
            admitted.run(request).await
        }
        Route::OtherMethods(allowed) => otherwise(parts, &request, &allowed),
        Route::NotFound => refuse(grpc::status(&Status::no_route())),
    }
}

/// The path exists; the method is OPTIONS or one that it does not have.
fn otherwise(parts: &Parts, request: &Request<Body>, allowed: &[http::Method]) -> Response<Body> {
    if request.method() == http::Method::OPTIONS {
        return options(parts, request, allowed);
    }
    refuse(grpc::status(&Status::method_not_allowed(allowed)))
}

/// What may be asked of a path, and by a page of which other origin.
fn options(parts: &Parts, request: &Request<Body>, allowed: &[http::Method]) -> Response<Body> {
    let names: Vec<_> = allowed.iter().map(http::Method::as_str).collect();
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    let allow = HeaderValue::from_str(&names.join(", ")).expect("method names are ASCII");
    if asks_for_open(parts, request) {
        open_to_all_origins(headers);
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, allow.clone());
        let content_type = HeaderValue::from_static("content-type");
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, content_type);
    }
    headers.insert(header::ALLOW, allow);
    response
}

/// Whether this is the preflight of a request that any origin may send.
fn asks_for_open(parts: &Parts, request: &Request<Body>) -> bool {
    let asked = request.headers().get(header::ACCESS_CONTROL_REQUEST_METHOD);
    let asked = asked.and_then(|it| http::Method::from_bytes(it.as_bytes()).ok());
    let route = asked.map(|it| parts.api.route(&it, request.uri().path()));
    matches!(route, Some(Route::Found(it)) if is_open(parts.methods[it.method().grpc_path()]))
}

/// Whether pages of every origin may call: what the public may read, and the token endpoint,
/// where apps in a browser exchange their codes. None of it looks at cookies.
pub(crate) fn is_open(method: &Method) -> bool {
    method.is_public() && matches!(method.rate, Rate::Read | Rate::Token)
}

/// Without credentials, so that a browser sends no cookies along.
pub(crate) fn open_to_all_origins(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
}
