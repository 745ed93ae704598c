//! One call: what crosses the wire, what ends it, and what is said when it fails.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tonic::{Code, Status, body::Body};
use tower::ServiceExt as _;

use super::server::{Server, call, ok, peer, request, scripted, until, well_behaved};
use crate::{Error, Mesh, Retry};

const HEADERS: u8 = 1;

/// Sends SETTINGS, and returns when the head of a request has come.
async fn request_arrives(stream: &mut TcpStream) {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.unwrap();
    stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    head_arrives(stream).await;
}

async fn head_arrives(stream: &mut TcpStream) {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        stream.read_exact(&mut vec![0; length]).await.unwrap();
        if head[3] == HEADERS {
            return;
        }
    }
}

/// REFUSED_STREAM for the first stream.
const REFUSED: [u8; 13] = [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 7];
/// INTERNAL_ERROR for the first stream.
const RESET: [u8; 13] = [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 2];
/// GOAWAY: no stream was looked at, nothing is wrong.
const GONE: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// GOAWAY: the first stream was looked at, nothing is wrong.
const GOING: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];

/// Connections that each answer a request with `frame` and end, and then good ones.
async fn calls_over(frame: &'static [u8], bad: usize) -> (Result<(), Error>, usize) {
    let (address, accepted) = scripted(move |number, mut stream| async move {
        if number < bad {
            request_arrives(&mut stream).await;
            stream.write_all(frame).await.unwrap();
            let _ = stream.read_to_end(&mut Vec::new()).await;
        } else {
            well_behaved(stream).await;
        }
    })
    .await;
    let answer = call(&peer(&[address]), "/ok").await.map(|_| ());
    (answer, accepted.load(Ordering::SeqCst))
}

#[tokio::test]
async fn a_call_crosses_the_wire_whole() {
    let server = Server::start().await;
    ok(&server.peer()).await;
    let seen = server.seen.requests.lock().unwrap()[0].clone();
    assert_eq!(seen["loop-service"], "clinical");
    assert_eq!(seen["te"], "trailers");
}

#[tokio::test]
async fn a_large_message_crosses_in_both_directions() {
    let server = Server::start().await;
    let large = bytes::Bytes::from(vec![7; 3 << 20]);
    let request = || request("/ok").map(|_| large.clone());
    let peer = server.peer();
    let answer = tokio::time::timeout(Duration::from_secs(10), peer.call(request, Retry::Never));
    let answer = answer.await.unwrap().unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), large);
}

#[tokio::test]
async fn what_the_server_never_looked_at_is_sent_again() {
    for bad in [1, 2] {
        let (answer, connections) = calls_over(&GONE, bad).await;
        answer.unwrap();
        assert_eq!(connections, bad + 1);
    }
}

#[tokio::test]
async fn a_refused_stream_is_tried_again_on_the_same_connection() {
    let (address, accepted) = scripted(|_, mut stream| async move {
        for id in [1, 3, 5] {
            if id == 1 {
                request_arrives(&mut stream).await;
            } else {
                head_arrives(&mut stream).await;
            }
            let mut refused = REFUSED;
            refused[8] = id;
            stream.write_all(&refused).await.unwrap();
        }
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let answer = call(&peer(&[address]), "/ok").await;
    assert!(matches!(answer, Err(Error::Lost { .. })));
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_is_never_looked_at_is_sent_three_times_and_no_more() {
    let (answer, connections) = calls_over(&GONE, 9).await;
    assert!(matches!(answer, Err(Error::Lost { .. })));
    assert_eq!(connections, 3);
}

#[tokio::test]
async fn what_the_server_may_have_looked_at_is_not_sent_again() {
    let (answer, connections) = calls_over(&RESET, 9).await;
    assert!(matches!(answer, Err(Error::Lost { .. })));
    assert_eq!(connections, 1);
    let (address, accepted) = scripted(|_, mut stream| async move {
        request_arrives(&mut stream).await;
        stream.write_all(&GOING).await.unwrap();
    })
    .await;
    assert!(matches!(call(&peer(&[address]), "/ok").await, Err(Error::Lost { .. })));
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_caller_who_leaves_ends_the_call_at_the_server() {
    let server = Server::start().await;
    let peer = server.peer();
    let caller = tokio::spawn(async move { call(&peer, "/stalls").await.map(|_| ()) });
    until("the call to arrive", || server.requests() == 1).await;
    caller.abort();
    until("the call to end", || server.seen.resets.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable_at_once() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let asked = Instant::now();
    let error = call(&peer(&[closed]), "/ok").await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    assert!(asked.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_failure_becomes_a_status_without_an_address() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let answer = peer(&[closed]).oneshot(request("/ok").map(|_| Body::empty())).await;
    let status = Status::from_error(answer.unwrap_err());
    assert_eq!(status.code(), Code::Unavailable);
    assert!(!status.message().contains("127.0.0.1"));
}

#[test]
fn an_address_is_plain_http_with_a_host() {
    let mesh = Mesh::default();
    for address in ["https://h:1", "/path", "http://user@h:1"] {
        let added = mesh.add_remote("clinical", &address.parse().unwrap());
        assert!(matches!(added, Err(Error::Address(_))), "{address}");
    }
    for address in ["http://h:1", "http://h", "http://[::1]:7001", "http://10.0.0.7:1/"] {
        mesh.add_remote("clinical", &address.parse().unwrap()).unwrap();
    }
    assert!(matches!(mesh.add_replicas("clinical", &[]), Err(Error::UnknownPeer(_))));
}
