//! Finds what a request is for. Who asks for what does not exist learns nothing but that.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use tonic::body::Body;
use transcode::{Route, Status};

use super::{cors, refuse};
use crate::{
    Parts, Served,
    call::bearer,
    grpc,
    home::Own,
    hosts::{Reach, elsewhere, misdirected},
    page::asked_host,
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

/// Where a request may go on.
pub(crate) struct Ways {
    pub(crate) admitted: Next,
    /// The same for methods that take a form.
    pub(crate) named: Next,
    pub(crate) pages: Next,
}

/// Sends a request to the gateway's own answers, to a page or through admission to a method.
pub(crate) fn router(parts: &Arc<Parts>, ways: Ways) -> Next {
    let ways = Arc::new(ways);
    Next::end(parts.clone(), move |parts, request| {
        let ways = ways.clone();
        async move { Ok(route(&parts, &ways, request).await) }
    })
}

async fn route(parts: &Parts, ways: &Ways, mut request: Request<Body>) -> Response<Body> {
    if let Some(prefix) = &parts.prefix {
        request = match prefix.strip(request) {
            Ok(request) => request,
            Err(response) => return *response,
        };
    }
    let record = Record::of(request.extensions());
    let path = request.uri().path();
    let own = Own::at(path);
    let reach = parts.hosts.reach(asked_host(&record, request.uri(), request.headers()));
    if reach == Reach::Nothing && !own.is_some_and(Own::is_for_probes) {
        return refuse(misdirected());
    }
    if let Some(own) = own {
        let _ = record.target.set(Target::Own(own.path()));
        return match READING.contains(request.method()) {
            // Its future is large, and what else goes this way should not pay for it.
            true => Box::pin(own.answer(parts, reach, request.headers())).await,
            false => otherwise(parts, &record, head(&request), &READING).await,
        };
    }
    if let Some(service) = parts.config.pages.get(path) {
        if !reach.holds(service) {
            return refuse(elsewhere(service, reach));
        }
        let _ = record.target.set(Target::Page(service));
        return match BROWSING.contains(request.method()) {
            true => ways.pages.run(request).await,
            false => otherwise(parts, &record, head(&request), &BROWSING).await,
        };
    }
    if let Some(served) = parts.methods.get(path) {
        return match Protocol::of_call(&request) {
            Some(protocol) => admit(ways, &record, reach, served, protocol, request).await,
            None if !reach.holds(served.method.service) => {
                refuse(elsewhere(served.method.service, reach))
            }
            None if CALLING.contains(request.method()) => refuse(unspoken()),
            None => otherwise(parts, &record, head(&request), &CALLING).await,
        };
    }
    if wants_socket(&request)
        && let Some((served, protocol)) = socket(parts, path)
    {
        return admit(ways, &record, reach, &served, protocol, with_bearer(request)).await;
    }
    match parts.api.route(request.method(), path) {
        Route::Found(route) => {
            let served = parts.methods[route.method().grpc_path()];
            admit(ways, &record, reach, &served, Protocol::Rest(route), request).await
        }
        Route::OtherMethods(allowed) => match owner(parts, path, &allowed) {
            Some(service) if !reach.holds(service) => refuse(elsewhere(service, reach)),
            _ => otherwise(parts, &record, head(&request), &allowed).await,
        },
        Route::NotFound => refuse(grpc::status(&Status::no_route())),
    }
}

async fn admit(
    ways: &Ways,
    record: &Record,
    reach: Reach,
    served: &Served,
    protocol: Protocol,
    mut request: Request<Body>,
) -> Response<Body> {
    let Served { method, plan, uri } = *served;
    let _ = record.target.set(Target::Method(Called { method, plan, uri, protocol }));
    if !reach.holds(method.service) {
        return refuse(elsewhere(method.service, reach));
    }
    request.extensions_mut().insert(method);
    if record.route().is_some_and(|it| it.method().accepts_form()) {
        return ways.named.run(request).await;
    }
    ways.admitted.run(request).await
}

/// The service that has a path, whatever is asked of it.
fn owner(parts: &Parts, path: &str, allowed: &[http::Method]) -> Option<&'static str> {
    allowed.iter().find_map(|verb| match parts.api.route(verb, path) {
        Route::Found(route) => Some(parts.methods[route.method().grpc_path()].method.service),
        _ => None,
    })
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

/// Method, path and headers of a request, without its body.
type Head<'a> = (&'a http::Method, &'a str, &'a HeaderMap);

fn head(request: &Request<Body>) -> Head<'_> {
    (request.method(), request.uri().path(), request.headers())
}

/// The path exists; the method is OPTIONS or one that it does not have.
async fn otherwise(
    parts: &Parts,
    record: &Record,
    (method, path, headers): Head<'_>,
    allowed: &[http::Method],
) -> Response<Body> {
    if method != http::Method::OPTIONS {
        return refuse(grpc::status(&Status::method_not_allowed(allowed)));
    }
    let names: Vec<_> = allowed.iter().map(http::Method::as_str).collect();
    let allow = HeaderValue::from_str(&names.join(", ")).expect("method names are ASCII");
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Box::pin(cors::preflight(parts, record, headers, path, &allow, response.headers_mut())).await;
    response.headers_mut().insert(header::ALLOW, allow);
    response
}
