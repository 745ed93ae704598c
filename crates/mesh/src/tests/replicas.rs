//! Several addresses, and addresses that fail.

use std::time::Duration;

use http_body_util::BodyExt as _;
use tokio::{net::TcpListener, time::Instant};

use super::server::{Server, answers_503, call, ok, peer, scripted};
use crate::Error;

async fn three() -> [Server; 3] {
    [Server::start().await, Server::start().await, Server::start().await]
}

#[tokio::test]
async fn every_replica_is_asked() {
    let servers = three().await;
    let peer = peer(&servers.each_ref().map(|it| it.address));
    for _ in 0..300 {
        ok(&peer).await;
    }
    assert!(servers.iter().all(|it| it.requests() > 30));
    assert_eq!(servers.iter().map(Server::requests).sum::<usize>(), 300);
}

#[tokio::test]
async fn a_request_counts_until_its_response_has_ended() {
    let servers = [Server::start().await, Server::start().await];
    let peer = peer(&servers.each_ref().map(|it| it.address));
    let opened = call(&peer, "/opens").await.unwrap();
    let [busy, free] = if servers[0].requests() == 1 { [0, 1] } else { [1, 0] };
    for _ in 0..30 {
        ok(&peer).await;
    }
    assert_eq!((servers[busy].requests(), servers[free].requests()), (1, 30));
    servers[busy].gate.add_permits(1);
    opened.into_body().collect().await.unwrap();
    for _ in 0..60 {
        ok(&peer).await;
    }
    assert!(servers[busy].requests() > 5);
}

#[tokio::test]
async fn a_replica_that_is_gone_fails_nobody() {
    let servers = three().await;
    let peer = peer(&servers.each_ref().map(|it| it.address));
    for _ in 0..30 {
        ok(&peer).await;
    }
    servers[0].stop().await;
    servers[1].stop().await;
    for _ in 0..100 {
        ok(&peer).await;
    }
}

#[tokio::test]
async fn after_seven_failures_in_a_row_calls_fail_fast_until_a_probe_succeeds() {
    let server = Server::start().await;
    let peer = server.peer();
    for _ in 0..7 {
        assert_eq!(call(&peer, "/503").await.unwrap().status(), 503);
    }
    let Err(Error::Open { service: "clinical", retry_after }) = call(&peer, "/ok").await else {
        panic!("the circuit is closed")
    };
    assert!(retry_after <= Duration::from_millis(1500), "{retry_after:?}");
    assert_eq!(server.requests(), 7);
    let deadline = Instant::now() + Duration::from_secs(5);
    while call(&peer, "/ok").await.is_err() {
        assert!(Instant::now() < deadline, "the circuit never closes");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    ok(&peer).await;
    assert_eq!(server.requests(), 9);
}

#[tokio::test]
async fn an_address_that_fails_is_left_alone_while_another_serves() {
    let good = Server::start().await;
    let (bad, _) = scripted(|_, stream| answers_503(stream)).await;
    let peer = peer(&[bad, good.address]);
    let (mut failures, mut calls) = (0, 0);
    while calls < 100 {
        calls += 1;
        failures += usize::from(call(&peer, "/ok").await.unwrap().status() == 503);
    }
    assert_eq!((failures, good.requests()), (7, 93));
}

#[tokio::test]
async fn callers_who_share_a_failed_dial_count_as_one_failure() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let peer = peer(&[closed]);
    let calls: tokio::task::JoinSet<_> = (0..100)
        .map(|_| {
            let peer = peer.clone();
            async move { call(&peer, "/ok").await.map(|_| ()) }
        })
        .collect();
    for answer in calls.join_all().await {
        assert!(matches!(answer, Err(Error::Unreachable { .. })), "{answer:?}");
    }
}
