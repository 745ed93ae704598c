//! Requests whose body comes bit by bit.

use std::{sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use futures::StreamExt as _;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::{net::TcpStream, sync::mpsc, time::timeout};
use tonic::{Status, body::Body};
use tower::ServiceExt as _;

use super::server::{Server, ok, peer, request, scripted, until};
use crate::Retry;

type Part = Result<Bytes, Status>;

/// A request, and the end of a channel that its body comes from.
fn open(path: &str) -> (mpsc::Sender<Part>, Request<Body>) {
    let (sender, mut receiver) = mpsc::channel(1);
    let parts = futures::stream::poll_fn(move |context| receiver.poll_recv(context));
    let body = Body::new(StreamBody::new(parts.map(|it: Part| it.map(Frame::data))));
    (sender, request(path).map(|_| body))
}

#[tokio::test]
async fn a_body_crosses_bit_by_bit() {
    let server = Server::start().await;
    let (sender, request) = open("/ok");
    let answer = tokio::spawn(server.peer().oneshot(request));
    for part in ["mess", "", "age"] {
        sender.send(Ok(Bytes::from(part))).await.unwrap();
    }
    drop(sender);
    let answer = answer.await.unwrap().unwrap().into_body().collect().await.unwrap();
    assert_eq!(answer.to_bytes(), "message");
}

#[tokio::test]
async fn a_request_without_a_body_ends_with_its_head() {
    let server = Server::start().await;
    let peer = server.peer();
    peer.clone().oneshot(request("/ok").map(|_| Body::empty())).await.unwrap();
    peer.call(|| request("/ok").map(|_| Bytes::new()), Retry::Never).await.unwrap();
    assert_eq!(server.seen.heads_alone.load(Ordering::SeqCst), 2);
    ok(&peer).await;
    assert_eq!(server.seen.heads_alone.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_body_larger_than_every_window_crosses_whole() {
    let server = Server::start().await;
    let (sender, request) = open("/ok");
    let answer = tokio::spawn(server.peer().oneshot(request));
    let parts: Vec<_> = (0..100).map(|it| Bytes::from(vec![it; 50_000])).collect();
    for part in &parts {
        timeout(Duration::from_secs(10), sender.send(Ok(part.clone()))).await.unwrap().unwrap();
    }
    drop(sender);
    let answer = answer.await.unwrap().unwrap().into_body().collect().await.unwrap();
    assert!(answer.to_bytes() == parts.concat());
}

#[tokio::test]
async fn a_body_goes_no_faster_than_it_is_read() {
    let server = Server::start().await;
    let (sender, request) = open("/opens");
    let answer = server.peer().oneshot(request).await.unwrap();
    let part = Bytes::from(vec![7; 16_000]);
    let mut sent = 0;
    // The server reads nothing yet: its window, and what waits in the channel.
    while timeout(Duration::from_millis(200), sender.send(Ok(part.clone()))).await.is_ok() {
        sent += part.len();
        assert!(sent < 1 << 20, "nothing holds the sender back");
    }
    server.gate.add_permits(1);
    drop(sender);
    let answer = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(answer.len(), sent);
}

#[tokio::test]
async fn a_body_that_fails_ends_the_call_at_the_server() {
    let server = Server::start().await;
    let (sender, request) = open("/stalls");
    let answer = tokio::spawn(server.peer().oneshot(request));
    sender.send(Ok(Bytes::from("mess"))).await.unwrap();
    until("the call to arrive", || server.requests() == 1).await;
    sender.send(Err(Status::internal("broken"))).await.unwrap();
    until("the call to end", || server.seen.resets.load(Ordering::SeqCst) == 1).await;
    assert!(answer.await.unwrap().is_err());
}

#[tokio::test]
async fn a_caller_who_leaves_ends_its_body_too() {
    let server = Server::start().await;
    let (sender, request) = open("/stalls");
    let answer = tokio::spawn(server.peer().oneshot(request));
    sender.send(Ok(Bytes::from("mess"))).await.unwrap();
    until("the call to arrive", || server.requests() == 1).await;
    answer.abort();
    timeout(Duration::from_secs(10), sender.closed()).await.unwrap();
    until("the call to end", || server.seen.resets.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn an_answer_that_does_not_wait_for_the_body_is_the_answer() {
    let server = Server::start().await;
    let (sender, request) = open("/404");
    let answer = server.peer().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), 404);
    answer.into_body().collect().await.unwrap();
    timeout(Duration::from_secs(10), sender.closed()).await.unwrap();
}

#[tokio::test]
async fn a_response_that_has_ended_keeps_nothing_however_long_it_is_held() {
    let (address, _) = scripted(|_, stream| early(stream)).await;
    let (sender, request) = open("/ok");
    let mut answer = peer(&[address]).oneshot(request).await.unwrap().into_body();
    while answer.frame().await.is_some() {}
    timeout(Duration::from_secs(10), sender.closed()).await.unwrap();
    drop(answer);
}

/// Answers at once and wants no more of the request: RST_STREAM with NO_ERROR.
async fn early(stream: TcpStream) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let mut body = respond.send_response(Response::new(()), false).unwrap();
        body.send_data(Bytes::from("enough"), true).unwrap();
        drop(request);
    }
}

#[tokio::test]
async fn an_early_answer_is_whole_though_the_rest_of_the_request_is_refused() {
    let (address, _) = scripted(|_, stream| early(stream)).await;
    let (sender, request) = open("/ok");
    let answer = peer(&[address]).oneshot(request).await.unwrap();
    // Nobody takes more once the refusal has come.
    let refused = async { while sender.send(Ok(Bytes::from("more"))).await.is_ok() {} };
    timeout(Duration::from_secs(10), refused).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "enough");
}
