//! Arbitrary bytes as a connection: hyper reads heads and bodies, the router and the codec take
//! what it makes of them. The connection ends, and what it answers begins as HTTP does.
#![no_main]

use std::convert::Infallible;

use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use transcode::{Code, ErrorFormat, Route, Status, Style};
use transcode_fuzz::api;

/// As the edge has it.
const HEAD_BUFFER: usize = 64 << 10;
const BODY_LIMIT: usize = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let answer = runtime.block_on(connection(bytes));
    let is_http = answer.starts_with(b"HTTP/1.") || bytes.starts_with(b"PRI * HTTP/2.0\r\n\r\nSM");
    assert!(answer.is_empty() || is_http, "{}", String::from_utf8_lossy(&answer));
});

async fn connection(bytes: &[u8]) -> Vec<u8> {
    let (mut client, server) = tokio::io::duplex(bytes.len() + (1 << 20));
    client.write_all(bytes).await.expect("the pipe holds it all");
    client.shutdown().await.expect("a pipe can be closed");
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().max_buf_size(HEAD_BUFFER);
    // An error is hyper's to return: the client is told, or is gone.
    let _ = builder.serve_connection(TokioIo::new(server), service_fn(serve)).await;
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.expect("the other end is dropped");
    answer
}

async fn serve(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        return Ok(refused(&Status::new(Code::InvalidArgument, "no body")));
    };
    let found = match api().route(&parts.method, parts.uri.path()) {
        Route::Found(found) => found,
        Route::OtherMethods(methods) => return Ok(refused(&Status::method_not_allowed(&methods))),
        Route::NotFound => return Ok(refused(&Status::no_route())),
    };
    let content_type = parts.headers.get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let body = body.to_bytes();
    match found.request(parts.uri.query(), content_type, &body, Style::Rest) {
        Ok(wire) => {
            let json = found.method().input().to_json(&wire, Style::Rest);
            let json = json.expect("what was read can be written");
            Ok(Response::new(Full::from(json)))
        }
        Err(error) => Ok(refused(&Status::from(&error))),
    }
}

fn refused(status: &Status) -> Response<Full<Bytes>> {
    let error = api().error(status, "req_1", ErrorFormat::Problem);
    assert!(error.status.is_client_error(), "{} is not the client's", error.status);
    let mut response = Response::new(Full::from(error.body));
    *response.status_mut() = StatusCode::from_u16(error.status.as_u16()).expect("a status");
    for (name, value) in error.headers {
        response.headers_mut().insert(name, value);
    }
    response
}
