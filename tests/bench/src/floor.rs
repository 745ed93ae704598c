//! The floor: what any proxy pays that takes HTTP/1.1 in and sends HTTP/2 on. It converts nothing
//! and checks nothing; frames and answers are made once.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, client::conn::http2::SendRequest, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};

use crate::{
    sample::Dialect,
    workload::{self, Workload},
};

/// One way through: what arrives, and what is sent and answered for it.
struct Way {
    method: Method,
    target: String,
    call: http::Uri,
    sent: Bytes,
    status: StatusCode,
    json: Bytes,
}

pub async fn serve(listener: TcpListener, upstream: SocketAddr) -> anyhow::Result<()> {
    let stream = TcpStream::connect(upstream).await.context("reach the upstream")?;
    stream.set_nodelay(true)?;
    let (sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(8 << 20)
        .handshake(TokioIo::new(stream))
        .await?;
    tokio::spawn(connection);
    let ways = workload::all().into_iter().map(|it| Way::new(it, upstream));
    let ways: Arc<[Way]> = ways.collect::<anyhow::Result<Vec<_>>>()?.into();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (ways, sender) = (ways.clone(), sender.clone());
        let service = service_fn(move |request| {
            let (ways, sender) = (ways.clone(), sender.clone());
            async move { Ok::<_, Infallible>(pass(&ways, sender, request).await) }
        });
        let connection = hyper::server::conn::http1::Builder::new();
        tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
    }
}

impl Way {
    fn new(workload: Workload, upstream: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self {
            call: format!("http://{upstream}{}", workload.call).parse()?,
            method: workload.method,
            target: workload.target,
            sent: workload.sent.frame,
            status: workload.status,
            json: workload.json.of(Dialect::Canonical).to_owned().into(),
        })
    }
}

async fn pass(
    ways: &[Way],
    sender: SendRequest<Full<Bytes>>,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let target = request.uri().path_and_query().map_or("", |it| it.as_str());
    let way = ways.iter().find(|it| it.method == *request.method() && it.target == target);
    let Some(way) = way else { return failure(StatusCode::NOT_IMPLEMENTED) };
    match exchange(way, sender, request).await {
        Ok(()) => {
            let mut response = Response::new(Full::new(way.json.clone()));
            *response.status_mut() = way.status;
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(header::CONTENT_TYPE, json);
            response
        }
        Err(_) => failure(StatusCode::BAD_GATEWAY),
    }
}

/// Reads all that is sent, sends the frame, reads all that is answered.
async fn exchange(
    way: &Way,
    mut sender: SendRequest<Full<Bytes>>,
    request: Request<Incoming>,
) -> hyper::Result<()> {
    request.into_body().collect().await?;
    let mut call = Request::new(Full::new(way.sent.clone()));
    *call.method_mut() = Method::POST;
    *call.uri_mut() = way.call.clone();
    call.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    call.headers_mut().insert(header::TE, HeaderValue::from_static("trailers"));
    sender.send_request(call).await?.into_body().collect().await?;
    Ok(())
}

fn failure(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
