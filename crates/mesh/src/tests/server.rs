//! A server that does what the path of a request says, and peers that call it.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use h2::{RecvStream, server::SendResponse};
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt as _;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;

use crate::{Error, Mesh, Peer, Retry};

/// What a server saw.
#[derive(Default)]
pub struct Seen {
    pub connections: AtomicUsize,
    pub requests: Mutex<Vec<HeaderMap>>,
    pub resets: AtomicUsize,
    /// Requests that ended with their head.
    pub heads_alone: AtomicUsize,
}

/// Answers over HTTP/2 until it is stopped. `/ok` is answered; `/stalls` never; `/opens` gets a head
/// and waits for a permit of `gate` to end; `/recovers` is UNAVAILABLE twice; `/closes` ends the
/// connection; any other path is the HTTP status of the answer.
pub struct Server {
    pub address: SocketAddr,
    pub seen: Arc<Seen>,
    pub gate: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Server {
    pub async fn start() -> Self {
        Self::on("127.0.0.1:0".parse().unwrap(), 1000).await
    }

    /// A server where another one was: `bind` sets SO_REUSEADDR.
    pub async fn restart(address: SocketAddr) -> Self {
        let deadline = Instant::now() + Duration::from_secs(5);
        while TcpListener::bind(address).await.is_err() {
            assert!(Instant::now() < deadline, "the address stays taken");
            tokio::task::yield_now().await;
        }
        Self::on(address, 1000).await
    }

    pub async fn on(address: SocketAddr, streams: u32) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Self {
            address,
            seen: Arc::default(),
            gate: Arc::new(Semaphore::new(0)),
            stop: CancellationToken::new(),
        };
        let (seen, gate, stop) = (server.seen.clone(), server.gate.clone(), server.stop.clone());
        tokio::spawn(stop.run_until_cancelled_owned(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                seen.connections.fetch_add(1, Ordering::SeqCst);
                connections.spawn(serve(stream, streams, seen.clone(), gate.clone()));
            }
        }));
        server
    }

    pub fn peer(&self) -> Peer {
        peer(&[self.address])
    }

    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    pub fn requests(&self) -> usize {
        self.seen.requests.lock().unwrap().len()
    }

    /// Returns when the door and every connection are closed.
    pub async fn stop(&self) {
        self.stop.cancel();
        until("the connections to end", || Arc::strong_count(&self.seen) == 1).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn serve(stream: TcpStream, streams: u32, seen: Arc<Seen>, gate: Arc<Semaphore>) {
    let mut settings = h2::server::Builder::new();
    settings.max_concurrent_streams(streams);
    let mut connection = settings.handshake::<_, Bytes>(stream).await.unwrap();
    while let Some(Ok((request, respond))) = connection.accept().await {
        if request.uri().path() == "/closes" {
            return;
        }
        seen.requests.lock().unwrap().push(request.headers().clone());
        seen.heads_alone.fetch_add(request.body().is_end_stream().into(), Ordering::SeqCst);
        tokio::spawn(answer(request, respond, seen.clone(), gate.clone()));
    }
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    seen: Arc<Seen>,
    gate: Arc<Semaphore>,
) {
    let is_retry = request.headers().get("grpc-previous-rpc-attempts");
    let (head, mut end) = match request.uri().path() {
        "/stalls" => {
            let _ = std::future::poll_fn(|context| respond.poll_reset(context)).await;
            seen.resets.fetch_add(1, Ordering::SeqCst);
            return;
        }
        "/recovers" if is_retry.is_none_or(|it| it != "2") => (head(200, "14"), true),
        "/ok" | "/opens" | "/recovers" => (Response::new(()), false),
        status => (head(status[1..].parse().unwrap(), "2"), true),
    };
    let Ok(mut body) = respond.send_response(head, end) else { return };
    if request.uri().path() == "/opens" {
        let _permit = gate.acquire().await;
        end = false;
    }
    if !end {
        let mut received = request.into_body();
        let mut message = Vec::new();
        while let Some(Ok(data)) = received.data().await {
            message.extend_from_slice(&data);
            let _ = received.flow_control().release_capacity(data.len());
        }
        let _ = body.send_data(message.into(), false);
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        let _ = body.send_trailers(trailers);
    }
}

fn head(status: u16, grpc_status: &str) -> Response<()> {
    Response::builder().status(status).header("grpc-status", grpc_status).body(()).unwrap()
}

pub fn peer(addresses: &[SocketAddr]) -> Peer {
    let mesh = Mesh::default();
    let addresses: Vec<_> =
        addresses.iter().map(|it| format!("http://{it}").parse().unwrap()).collect();
    mesh.add_replicas("clinical", &addresses).unwrap();
    mesh.peer("clinical").unwrap()
}

pub fn request(path: &str) -> Request<Bytes> {
    let request = Request::post(path).header("te", "trailers");
    request.body(Bytes::from_static(b"message")).unwrap()
}

pub async fn call(peer: &Peer, path: &str) -> Result<Response<Body>, Error> {
    let answer = peer.call(|| request(path), Retry::Never);
    tokio::time::timeout(Duration::from_secs(10), answer).await.expect("an answer in time")
}

/// Calls and reads the response to its end, as most callers do.
pub async fn ok(peer: &Peer) {
    let answer = call(peer, "/ok").await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(answer.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(answer.to_bytes(), "message");
}

pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Serves connections one after the other by the given scripts, the n-th by the n-th.
pub async fn scripted<F>(
    script: impl Fn(usize, TcpStream) -> F + Send + 'static,
) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepted = Arc::<AtomicUsize>::default();
    let count = accepted.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let number = count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(script(number, stream));
        }
    });
    (address, accepted)
}

/// Answers as [`Server`] does.
pub async fn well_behaved(stream: TcpStream) {
    serve(stream, 1000, Arc::default(), Arc::new(Semaphore::new(0))).await;
}

/// Answers as a proxy does whose service is gone.
pub async fn answers_503(stream: TcpStream) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((_, mut respond))) = connection.accept().await {
        let _: Result<h2::SendStream<Bytes>, _> = respond.send_response(head(503, "14"), true);
    }
}
