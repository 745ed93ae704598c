//! One HTTP/2 connection to a peer, driven by the runtime that dialled it.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::FutureExt as _;
use h2::{
    Ping, PingPong, RecvStream,
    client::{self, ResponseFuture, SendRequest},
};
use http::{Request, Response};
use tokio::{
    net::TcpStream,
    task::AbortHandle,
    time::{Instant, sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use crate::{
    body::{Load, Outgoing},
    upload::upload,
    wire::Wire,
};

/// Requests in flight before another connection is better, if the server allows as many.
const STREAMS: usize = 100;

/// How long a connection may take to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Without use for this long, a connection may have ended unseen by a busy runtime.
const IDLE: Duration = Duration::from_millis(1);

/// How often the server is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// How long it may take to answer.
const PING_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) struct Connection {
    sender: SendRequest<Bytes>,
    /// Streams that the server allows at a time.
    allowed: Arc<AtomicUsize>,
    written: Arc<AtomicU64>,
    load: Arc<AtomicUsize>,
    /// The connection, or the runtime that drove it.
    ended: Arc<AtomicBool>,
    retired: AtomicBool,
    dialled_at: Instant,
    /// Microseconds since `dialled_at`.
    used_at: AtomicU64,
}

/// The head of a response and its body, and the request's body if some of it is still to be sent.
pub(crate) type Answered = (Response<RecvStream>, Option<AbortOnDropHandle<()>>);

/// A request that was sent, and the rest of its body.
type Begun = (ResponseFuture, Option<AbortOnDropHandle<()>>);

/// Why a request was not, and the request if nothing of it was sent.
type Failed = Box<(h2::Error, Option<Request<Outgoing>>)>;

/// Why a request has no response.
pub(crate) struct Unanswered {
    pub error: h2::Error,
    /// The server certainly has not looked at the request: it may be sent again.
    pub unprocessed: bool,
    /// The request, if nothing of it was sent.
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
        let wire = Wire { stream, written: written.clone() };
        let (sender, mut connection) =
            settings().handshake(wire).await.map_err(io::Error::other)?;
        let allowed = Arc::new(AtomicUsize::new(STREAMS));
        let ended = Arc::<AtomicBool>::default();
        let pings = connection.ping_pong().expect("nobody has taken it before");
        let (told, ends) = (allowed.clone(), Ends(ended.clone()));
        let driver = tokio::spawn(async move {
            let _ends = ends;
            let drive = poll_fn(|context| {
                let polled = Pin::new(&mut connection).poll(context);
                told.store(connection.max_concurrent_send_streams(), Ordering::Relaxed);
                polled
            });
            if let Err(cause) = drive.await {
                tracing::debug!(%cause, "a connection to a peer ended early");
            }
        });
        tokio::spawn(watch(pings, driver.abort_handle()));
        Ok(Self {
            sender,
            allowed,
            written,
            load: Arc::default(),
            ended,
            retired: AtomicBool::new(false),
            dialled_at: Instant::now(),
            used_at: AtomicU64::new(0),
        })
    }

    /// False once the connection takes no further requests; those in flight may still end well.
    pub fn is_open(&self) -> bool {
        !self.ended.load(Ordering::Relaxed) && !self.retired.load(Ordering::Relaxed)
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

    /// Begins to send a request at once; the future is for its answer.
    pub fn send(
        self: Arc<Self>,
        request: Request<Outgoing>,
    ) -> impl Future<Output = Result<Answered, Box<Unanswered>>> {
        let written = self.written.load(Ordering::Relaxed);
        let begun = self.begin(request);
        async move {
            let failed = match begun {
                Ok((response, upload)) => match response.await {
                    Ok(response) => return Ok((response, upload)),
                    Err(error) => Box::new((error, None)),
                },
                Err(failed) => failed,
            };
            let (error, request) = *failed;
            Err(self.unanswered(error, written, request))
        }
    }

    fn begin(&self, request: Request<Outgoing>) -> Result<Begun, Failed> {
        let ready = self.sender.clone().ready().now_or_never();
        let mut sender = match ready.expect("a new handle waits for no stream of its own") {
            Ok(sender) => sender,
            Err(error) => return Err(Box::new((error, Some(request)))),
        };
        let (head, body) = request.into_parts();
        let is_empty = body.is_empty();
        let lost = |error| Box::new((error, None));
        let begun = sender.send_request(Request::from_parts(head, ()), is_empty);
        let (response, mut stream) = begun.map_err(lost)?;
        let upload = match body {
            Outgoing::Whole(bytes) => {
                if !is_empty {
                    stream.send_data(bytes, true).map_err(lost)?;
                }
                None
            }
            Outgoing::Stream(_) if is_empty => None,
            Outgoing::Stream(body) => upload(body, stream),
        };
        Ok((response, upload))
    }

    /// Judges a failure of a request before which so much had been `written`.
    fn unanswered(
        &self,
        error: h2::Error,
        written: u64,
        request: Option<Request<Outgoing>>,
    ) -> Box<Unanswered> {
        let fate = Fate::of(&error);
        if fate != Fate::Reset && fate != Fate::Refused {
            self.retired.store(true, Ordering::Relaxed);
        }
        let unsent = request.is_some() || self.written.load(Ordering::Relaxed) == written;
        let unprocessed = unsent || matches!(fate, Fate::Refused | Fate::Left);
        Box::new(Unanswered { error, unprocessed, request })
    }
}

fn settings() -> client::Builder {
    let mut settings = client::Builder::new();
    settings
        .initial_window_size(1 << 20)
        .initial_connection_window_size(8 << 20)
        .max_header_list_size(16 << 10)
        .enable_push(false)
        .initial_max_send_streams(STREAMS);
    settings
}

/// Asks the server from time to time whether it is there, and ends the connection when it is not.
async fn watch(mut pings: PingPong, connection: AbortHandle) {
    loop {
        sleep(PING_INTERVAL).await;
        match timeout(PING_TIMEOUT, pings.ping(Ping::opaque())).await {
            Ok(Ok(_)) => {}
            // It has ended by itself.
            Ok(Err(_)) => return,
            Err(_) => return connection.abort(),
        }
    }
}

/// Says that a connection has ended when its task has, even with the whole runtime.
struct Ends(Arc<AtomicBool>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
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
    fn of(error: &h2::Error) -> Self {
        if error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM) {
            Self::Refused
        } else if error.is_go_away() && error.is_remote() {
            // h2 gives a remote GOAWAY to the streams after its last one alone.
            Self::Left
        } else if !error.is_go_away() && !error.is_io() {
            Self::Reset
        } else {
            Self::Lost
        }
    }
}
