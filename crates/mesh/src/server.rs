//! Serves an app to peers of other processes, over HTTP/2 without TLS or prior negotiation.

use http::Request;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tower::ServiceExt as _;

use crate::App;

/// Streams one connection may have in flight.
const MAX_STREAMS: u32 = 1024;

/// Serves until `shutdown`, then lets calls in flight end.
pub async fn serve(listener: TcpListener, app: App, shutdown: CancellationToken) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        // Callers that vanish while a service stalls reset their streams all at once. The guard's
        // default of 20 would end the connection for everybody who shares it.
        .max_pending_accept_reset_streams(8 * MAX_STREAMS as usize)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(8 << 20)
        .keep_alive_interval(std::time::Duration::from_secs(20));
    let graceful = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(cause) => {
                    // Out of descriptors, most likely: give the others time to end.
                    tracing::warn!(%cause, "a connection was not accepted");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let _ = stream.set_nodelay(true);
        let service = app.clone().map_request(|it: Request<Incoming>| it.map(Body::new));
        let connection =
            builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let connection = graceful.watch(connection.into_owned());
        tokio::spawn(async move {
            if let Err(cause) = connection.await {
                tracing::debug!(cause, "a connection ended early");
            }
        });
    }
    graceful.shutdown().await;
}
