//! Connections: HTTP/1.1 and HTTP/2 from one listener, bounded in number, size and time.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::Request;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto::Builder,
        graceful::{GracefulShutdown, Watcher},
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::{Limits, linger::lingering, record::Client, tls::Tls};
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

/// What the connections of a listener have in common.
struct Door {
    builder: Builder<TokioExecutor>,
    app: Next,
    tls: Option<Tls>,
    /// The longest time from a connection to its first request.
    patience: Duration,
    /// How many bytes of a body that nobody wants are read in vain.
    lingers: usize,
}

/// Serves until `shutdown`, then lets requests in flight end.
pub(crate) async fn serve(
    app: Next,
    limits: Limits,
    tls: Option<Tls>,
    listener: TcpListener,
    shutdown: CancellationToken,
) {
    let builder = builder(&limits);
    let door =
        Arc::new(Door { builder, app, tls, patience: limits.head_timeout, lingers: limits.body });
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
                let (door, watcher) = (door.clone(), graceful.watcher());
                tokio::spawn(async move {
                    door.receive(stream, address, watcher).await;
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

impl Door {
    /// Serves a connection to its end. A handshake has no time of its own: it is part of what a
    /// client may take before its first request.
    async fn receive(&self, stream: TcpStream, address: SocketAddr, watcher: Watcher) {
        let until = Instant::now() + self.patience;
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else {
            return self.converse(stream, address, watcher, until).await;
        };
        match timeout_at(until, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.converse(stream, address, watcher, until).await,
            Ok(Err(cause)) => tracing::debug!(%cause, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    /// Runs a connection, unless it sends no request in time: whoever says nothing, or only half
    /// of a preface, is under no other timeout.
    async fn converse<S>(&self, stream: S, address: SocketAddr, watcher: Watcher, until: Instant)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let first = Arc::new(Notify::new());
        let (app, heard, most) = (self.app.clone(), first.clone(), self.lingers);
        let client = Client::at(address.ip());
        let service = service_fn(move |request: Request<Incoming>| {
            heard.notify_one();
            let mut request = lingering(request, most);
            request.extensions_mut().insert(client.clone());
            app.answer(request)
        });
        let io = TokioIo::new(stream);
        let connection = self.builder.serve_connection_with_upgrades(io, service).into_owned();
        tokio::select! {
            ended = watcher.watch(connection) => if let Err(cause) = ended {
                tracing::debug!(%cause, "a connection ended early");
            },
            Err(_) = timeout_at(until, first.notified()) => {
                tracing::debug!("a connection said nothing");
            }
        }
    }
}
