//! Finds what a request is for. Who asks for what does not exist learns nothing but that.

use std::{future::ready, sync::Arc};

use http::{HeaderValue, Request, Response, StatusCode, header};
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
use kit::{
    Error,
    layers::{Answering, Next},
};

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
    Next::choice((parts.clone(), ways), |(parts, ways), request| route(parts, ways, request))
}

fn route(parts: &Arc<Parts>, ways: &Ways, mut request: Request<Body>) -> Answering {
    if let Some(prefix) = &parts.prefix {
        request = match prefix.strip(request) {
            Ok(request) => request,
            Err(response) => return now(*response),
        };
    }
    let record = Record::of(request.extensions());
    let path = request.uri().path();
    let own = Own::at(path);
    let reach = parts.hosts.reach(asked_host(record, request.uri(), request.headers()));
    if reach == Reach::Nothing && !own.is_some_and(Own::is_for_probes) {
        return now(refuse(misdirected()));
    }
    if let Some(own) = own {
        let _ = record.target.set(Target::Own(own.path()));
        return match READING.contains(request.method()) {
            true => answer(own, parts.clone(), reach, request),
            false => otherwise(parts, request, &READING),
        };
    }
    if let Some(service) = parts.config.pages.get(path) {
        if !reach.holds(service) {
            return now(refuse(elsewhere(service, reach)));
        }
        let _ = record.target.set(Target::Page(service));
        return match BROWSING.contains(request.method()) {
            true => ways.pages.answer(request),
            false => otherwise(parts, request, &BROWSING),
        };
    }
    if let Some(served) = parts.methods.get(path) {
        return match Protocol::of_call(&request) {
            Some(protocol) => admit(ways, reach, served, protocol, request),
            None if !reach.holds(served.method.service) => {
                now(refuse(elsewhere(served.method.service, reach)))
            }
            None if CALLING.contains(request.method()) => now(refuse(unspoken())),
            None => otherwise(parts, request, &CALLING),
        };
    }
    if wants_socket(&request)
        && let Some((served, protocol)) = socket(parts, path)
    {
        return admit(ways, reach, &served, protocol, with_bearer(request));
    }
    match parts.api.route(request.method(), path) {
        Route::Found(route) => {
            let served = parts.methods[route.method().grpc_path()];
            admit(ways, reach, &served, Protocol::Rest(route), request)
        }
        Route::OtherMethods(allowed) => match owner(parts, path, &allowed) {
            Some(service) if !reach.holds(service) => now(refuse(elsewhere(service, reach))),
            _ => otherwise(parts, request, &allowed),
        },
        Route::NotFound => now(refuse(grpc::status(&Status::no_route()))),
    }
}

fn now(response: Response<Body>) -> Answering {
    Box::pin(ready(Ok(response)))
}

fn answer(own: Own, parts: Arc<Parts>, reach: Reach, request: Request<Body>) -> Answering {
    Box::pin(async move { Ok(own.answer(&parts, reach, request.headers()).await) })
}

fn admit(
    ways: &Ways,
    reach: Reach,
    served: &Served,
    protocol: Protocol,
    mut request: Request<Body>,
) -> Answering {
    let Served { method, plan, uri } = *served;
    let called = Called { method, plan, uri, protocol };
    let takes_form = called.protocol.route().is_some_and(|it| it.method().accepts_form());
    let _ = Record::of(request.extensions()).target.set(Target::Method(called));
    if !reach.holds(method.service) {
        return now(refuse(elsewhere(method.service, reach)));
    }
    request.extensions_mut().insert(method);
    match takes_form {
        true => ways.named.answer(request),
        false => ways.admitted.answer(request),
    }
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

/// The path exists; the method is OPTIONS or one that it does not have.
fn otherwise(parts: &Arc<Parts>, request: Request<Body>, allowed: &[http::Method]) -> Answering {
    if request.method() != http::Method::OPTIONS {
        return now(refuse(grpc::status(&Status::method_not_allowed(allowed))));
    }
    let names: Vec<_> = allowed.iter().map(http::Method::as_str).collect();
    let allow = HeaderValue::from_str(&names.join(", ")).expect("method names are ASCII");
    let parts = parts.clone();
    Box::pin(async move {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let record = Record::of(request.extensions());
        let (path, granted) = (request.uri().path(), response.headers_mut());
        cors::preflight(&parts, record, request.headers(), path, &allow, granted).await;
        response.headers_mut().insert(header::ALLOW, allow);
        Ok(response)
    })
}
