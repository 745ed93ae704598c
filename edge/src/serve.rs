//! Connections: HTTP/1.1 and HTTP/2 from one listener, bounded in number, size and time.

use std::{convert::Infallible, future::Future, net::SocketAddr, sync::Arc, time::Duration};

use http::Request;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto::Builder,
        graceful::{GracefulConnection, GracefulShutdown},
    },
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore},
};
use tokio_util::sync::CancellationToken;

use crate::{Limits, linger::lingering, record::ClientAddress};
use kit::layers::Next;

/// Requests that one HTTP/2 connection may have under way.
const STREAMS: u32 = 128;

/// The least buffer for a head; a head that is larger than the limit is refused in our words
/// while it fits, and in hyper's beyond.
const HEAD_BUFFER: usize = 64 << 10;

/// How long a connection may be idle between requests: longer than the minute after which load
/// balancers give up their own side, so that none sends into a closing connection.
const IDLE: Duration = Duration::from_secs(75);

/// How long to wait when no connection can be accepted, such as for want of descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves until `shutdown`, then lets requests in flight end.
pub(crate) async fn serve(
    app: Next,
    limits: Limits,
    listener: TcpListener,
    shutdown: CancellationToken,
) {
    let builder = builder(&limits);
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(limits.connections));
    loop {
        // Room comes first: who does not fit waits in the kernel's queue.
        let accepted = async {
            let permit = room.clone().acquire_owned().await.expect("it is never closed");
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                let first = Arc::new(Notify::new());
                let (app, said, largest) = (app.clone(), first.clone(), limits.body);
                let connection = connection(&builder, app, stream, address, said, largest);
                let connection = graceful.watch(connection);
                tokio::spawn(async move {
                    speaks_in_time(connection, &first, limits.head_timeout).await;
                    drop(permit);
                });
            }
            Err(cause) => {
                tracing::warn!(%cause, "a connection was not accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    let longest = limits.timeout + limits.head_timeout;
    if tokio::time::timeout(longest, graceful.shutdown()).await.is_err() {
        tracing::warn!("connections were still open at the end");
    }
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let buffer = HEAD_BUFFER.max(2 * limits.head);
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(IDLE).max_buf_size(buffer);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(buffer).unwrap_or(u32::MAX))
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .keep_alive_interval(Duration::from_secs(20));
    builder
}

fn connection(
    builder: &Builder<TokioExecutor>,
    app: Next,
    stream: TcpStream,
    address: SocketAddr,
    first: Arc<Notify>,
    largest: usize,
) -> impl GracefulConnection<Error = Box<dyn std::error::Error + Send + Sync>> + use<> {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        first.notify_one();
        let mut request = lingering(request, largest);
        request.extensions_mut().insert(ClientAddress(address.ip()));
        let app = app.clone();
        async move { Ok::<_, Infallible>(app.run(request).await) }
    });
    builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned()
}

/// Runs a connection, unless it sends no request in time: whoever says nothing, or only half of
/// a preface, is under no other timeout.
async fn speaks_in_time<E: std::fmt::Display>(
    connection: impl Future<Output = Result<(), E>>,
    first: &Notify,
    patience: Duration,
) {
    tokio::select! {
        ended = connection => if let Err(cause) = ended {
            tracing::debug!(%cause, "a connection ended early");
        },
        Err(_) = tokio::time::timeout(patience, first.notified()) => {
            tracing::debug!("a connection said nothing");
        }
    }
}
