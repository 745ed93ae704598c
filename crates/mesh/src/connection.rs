//! One HTTP/2 connection to a peer, driven by the runtime that dialled it.

use std::{
    error::Error as _,
    future::{Future as _, poll_fn},
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, timeout},
};

use crate::body::{Load, Outgoing};

/// Requests in flight before another connection is better, if the server allows as many.
const STREAMS: usize = 100;

/// How long a connection may take to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Without use for this long, a connection may have ended unseen by a busy runtime.
const IDLE: Duration = Duration::from_millis(1);

pub(crate) struct Connection {
    sender: SendRequest<Outgoing>,
    /// Streams that the server allows at a time.
    allowed: Arc<AtomicUsize>,
    written: Arc<AtomicU64>,
    load: Arc<AtomicUsize>,
    retired: AtomicBool,
    dialled_at: Instant,
    /// Microseconds since `dialled_at`.
    used_at: AtomicU64,
}

/// Why a request has no response.
pub(crate) struct Unanswered {
    pub error: hyper::Error,
    /// The server certainly has not looked at the request: it may be sent again.
    pub unprocessed: bool,
    /// The request, if hyper gave it back.
    pub request: Option<Request<Outgoing>>,
}

impl Connection {
    /// Connects to `host:port`.
    pub async fn dial(address: &str) -> io::Result<Self> {
        let dialled = timeout(CONNECT_TIMEOUT, Self::dial_without_limit(address)).await;
        dialled.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)))
    }

    async fn dial_without_limit(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let written = Arc::<AtomicU64>::default();
        let wire = TokioIo::new(Wire { stream, written: written.clone() });
        let (sender, mut connection) =
            settings().handshake(wire).await.map_err(io::Error::other)?;
        let allowed = Arc::new(AtomicUsize::new(STREAMS));
        let told = allowed.clone();
        tokio::spawn(poll_fn(move |context| {
            let polled = Pin::new(&mut connection).poll(context);
            told.store(connection.current_max_send_streams(), Ordering::Relaxed);
            polled
        }));
        Ok(Self {
            sender,
            allowed,
            written,
            load: Arc::default(),
            retired: AtomicBool::new(false),
            dialled_at: Instant::now(),
            used_at: AtomicU64::new(0),
        })
    }

    /// False once the connection takes no further requests; those in flight may still end well.
    pub fn is_open(&self) -> bool {
        !self.sender.is_closed() && !self.retired.load(Ordering::Relaxed)
    }

    pub fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    pub fn has_room(&self) -> bool {
        self.load() < self.allowed.load(Ordering::Relaxed).clamp(1, STREAMS)
    }

    /// Takes up room for one request. True when nothing was heard of the connection for a while.
    pub fn occupy(&self, now: Instant) -> (Load, bool) {
        let age = now.saturating_duration_since(self.dialled_at).as_micros() as u64;
        let unused = age.saturating_sub(self.used_at.swap(age, Ordering::Relaxed));
        let idle = self.load() == 0 && unused > IDLE.as_micros() as u64;
        (Load::on(&self.load), idle)
    }

    pub async fn send(
        &self,
        request: Request<Outgoing>,
    ) -> Result<Response<Incoming>, Box<Unanswered>> {
        let written = self.written.load(Ordering::Relaxed);
        let mut failed = match self.sender.clone().try_send_request(request).await {
            Ok(response) => return Ok(response),
            Err(failed) => failed,
        };
        let request = failed.take_message();
        let error = failed.into_error();
        let fate = Fate::of(&error);
        if fate != Fate::Reset && fate != Fate::Refused {
            self.retired.store(true, Ordering::Relaxed);
        }
        let unsent = request.is_some() || self.written.load(Ordering::Relaxed) == written;
        let unprocessed = unsent || matches!(fate, Fate::Refused | Fate::Left);
        Err(Box::new(Unanswered { error, unprocessed, request }))
    }
}

fn settings() -> http2::Builder<TokioExecutor> {
    let mut settings = http2::Builder::new(TokioExecutor::new());
    settings
        .timer(TokioTimer::new())
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(8 << 20)
        .keep_alive_interval(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(5))
        .keep_alive_while_idle(true)
        .initial_max_send_streams(STREAMS);
    settings
}

/// How HTTP/2 ended a stream (RFC 9113, sections 6.8 and 8.7).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// REFUSED_STREAM: the server did nothing with the request.
    Refused,
    /// This one stream ended otherwise.
    Reset,
    /// GOAWAY, and the stream is none of those the server still looks at.
    Left,
    /// The connection ended.
    Lost,
}

impl Fate {
    fn of(error: &hyper::Error) -> Self {
        match error.source().and_then(|it| it.downcast_ref::<h2::Error>()) {
            Some(it) if it.is_reset() && it.reason() == Some(h2::Reason::REFUSED_STREAM) => {
                Self::Refused
            }
            // h2 gives a remote GOAWAY to the streams after its last one alone.
            Some(it) if it.is_go_away() && it.is_remote() => Self::Left,
            Some(it) if !it.is_go_away() && !it.is_io() => Self::Reset,
            _ => Self::Lost,
        }
    }
}

/// A TCP stream that tells how much was written: where nothing was, no request was sent.
struct Wire {
    stream: TcpStream,
    written: Arc<AtomicU64>,
}

impl Wire {
    fn count(&self, written: io::Result<usize>) -> Poll<io::Result<usize>> {
        if let Ok(bytes) = written {
            self.written.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        Poll::Ready(written)
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        self.count(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices));
        self.count(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
