//! Finds what a request is for. Who asks for what does not exist learns nothing but that.

use std::sync::Arc;

use contract::{Method, Rate};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use tonic::body::Body;
use transcode::{Route, Status};

use super::refuse;
use crate::{
    Parts, Served,
    call::bearer,
    grpc,
    home::Own,
    protocol::{Protocol, wants_socket},
    record::{Called, Record, Target},
};
use kit::{Error, layers::Next};

/// What the gateway's own answers allow.
const READING: [http::Method; 2] = [http::Method::GET, http::Method::HEAD];

/// What the gRPC path of a method allows: POST, and GET by the Connect protocol.
const CALLING: [http::Method; 2] = [http::Method::GET, http::Method::POST];

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
    request: Request<Body>,
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
    if let Some(served) = parts.methods.get(path) {
        return match Protocol::of_call(&request) {
            Some(protocol) => admit(admitted, &record, served, protocol, request).await,
            None if CALLING.contains(request.method()) => refuse(unspoken()),
            None => otherwise(parts, &request, &CALLING),
        };
    }
    if wants_socket(&request)
        && let Some((served, protocol)) = socket(parts, path)
    {
        return admit(admitted, &record, &served, protocol, with_bearer(request)).await;
    }
    match parts.api.route(request.method(), path) {
        Route::Found(route) => {
            let served = parts.methods[route.method().grpc_path()];
            admit(admitted, &record, &served, Protocol::Rest(route), request).await
        }
        Route::OtherMethods(allowed) => otherwise(parts, &request, &allowed),
        Route::NotFound => refuse(grpc::status(&Status::no_route())),
    }
}

async fn admit(
    admitted: &Next,
    record: &Record,
    served: &Served,
    protocol: Protocol,
    mut request: Request<Body>,
) -> Response<Body> {
    let Served { method, plan } = *served;
    let _ = record.target.set(Target::Method(Called { method, plan, protocol }));
    request.extensions_mut().insert(method);
    admitted.run(request).await
}

/// The streaming method of a path, however it is bound. What does not stream needs no socket.
fn socket(parts: &Parts, path: &str) -> Option<(Served, Protocol)> {
    [(http::Method::GET, false), (http::Method::POST, true)].into_iter().find_map(
        |(verb, takes_body)| {
            let Route::Found(route) = parts.api.route(&verb, path) else { return None };
            let plan = route.method();
            let served = parts.methods[plan.grpc_path()];
            let streams = plan.is_client_streaming() || plan.is_server_streaming();
            streams.then_some((served, Protocol::Socket { route, takes_body }))
        },
    )
}

/// A token that came as a subprotocol stands where checkpoint 1 looks.
fn with_bearer(mut request: Request<Body>) -> Request<Body> {
    if let Some(bearer) = bearer(request.headers()) {
        request.headers_mut().entry(header::AUTHORIZATION).or_insert(bearer);
    }
    request
}

/// The path is a method's, but the body is of no protocol that is spoken here.
fn unspoken() -> Error {
    let rule = "must be that of gRPC, gRPC-Web or Connect, such as application/json";
    Error::invalid("CONTENT_TYPE", "content-type", rule)
        .with("http_status", "415")
        .with("error", "unsupported_media_type")
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
    matches!(route, Some(Route::Found(it)) if is_open(parts.methods[it.method().grpc_path()].method))
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
