//! How many connections there are, and what becomes of those that end.

use std::{sync::atomic::Ordering, time::Duration};

use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinSet,
};

use super::server::{Server, call, ok, peer, request, scripted, until, well_behaved};
use crate::{Error, Peer, Retry};

fn stalled(peer: &Peer, count: usize) -> JoinSet<()> {
    let mut calls = JoinSet::new();
    for _ in 0..count {
        let peer = peer.clone();
        calls.spawn(async move {
            let _ = call(&peer, "/stalls").await;
        });
    }
    calls
}

#[tokio::test]
async fn the_first_fifty_callers_wait_for_one_connection() {
    let server = Server::start().await;
    let peer = server.peer();
    assert_eq!(server.connections(), 0);
    let calls: JoinSet<()> = (0..50)
        .map(|_| {
            let peer = peer.clone();
            async move { ok(&peer).await }
        })
        .collect();
    calls.join_all().await;
    ok(&peer).await;
    assert_eq!((server.connections(), server.requests()), (1, 51));
}

#[tokio::test]
async fn a_hundred_calls_in_flight_fill_a_connection_and_there_are_four_at_most() {
    let server = Server::start().await;
    let peer = server.peer();
    let mut calls = Vec::new();
    for (in_flight, connections) in [(100, 1), (200, 2), (400, 4), (500, 4)] {
        calls.push(stalled(&peer, in_flight - server.requests()));
        until("the calls to arrive", || server.requests() == in_flight).await;
        assert_eq!(server.connections(), connections);
    }
    drop(calls);
    until("the calls to end", || server.seen.resets.load(Ordering::SeqCst) == 500).await;
    ok(&peer).await;
    assert_eq!(server.connections(), 4);
}

#[tokio::test]
async fn a_server_that_allows_few_streams_gets_more_connections_and_every_call_is_answered() {
    let server = Server::on("127.0.0.1:0".parse().unwrap(), 10).await;
    let peer = server.peer();
    ok(&peer).await;
    // The setting has come with the first answer; a request makes the connection look at it.
    ok(&peer).await;
    let calls: JoinSet<()> = (0..200)
        .map(|_| {
            let peer = peer.clone();
            async move { ok(&peer).await }
        })
        .collect();
    calls.join_all().await;
    assert_eq!(server.connections(), 4);
}

#[tokio::test]
async fn a_connection_that_ended_while_idle_fails_nobody() {
    for _ in 0..50 {
        let server = Server::start().await;
        let (address, peer) = (server.address, server.peer());
        ok(&peer).await;
        drop(server);
        let again = Server::restart(address).await;
        ok(&peer).await;
        assert_eq!((again.connections(), again.requests()), (1, 1));
    }
}

#[tokio::test]
async fn a_server_on_a_thread_of_its_own_may_end_a_connection_at_any_idle_time() {
    let (address, _) = scripted(|_, stream| async move {
        // Serves for a moment: a connection is as likely to end between calls as under one.
        let _ = tokio::time::timeout(Duration::from_millis(20), well_behaved(stream)).await;
    })
    .await;
    let peer = peer(&[address]);
    for _ in 0..30 {
        ok(&peer).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_server_that_comes_back_is_found_again() {
    let server = Server::start().await;
    let (address, peer) = (server.address, server.peer());
    drop(server);
    for _ in 0..3 {
        assert!(matches!(call(&peer, "/ok").await, Err(Error::Unreachable { .. })));
    }
    let server = Server::restart(address).await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while call(&peer, "/ok").await.is_err() {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn answers_under_way_arrive_though_their_connection_takes_no_more_calls() {
    let server = Server::start().await;
    let peer = server.peer();
    let opened = call(&peer, "/opens").await.unwrap();
    assert!(matches!(call(&peer, "/closes").await, Err(Error::Lost { .. })));
    ok(&peer).await;
    assert_eq!(server.connections(), 2);
    assert!(opened.into_body().collect().await.is_err());
}

#[tokio::test]
async fn a_server_that_takes_connections_and_says_nothing_does_not_hold_a_caller_who_leaves() {
    let (address, accepted) = scripted(|_, mut stream| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let peer = peer(&[address]);
    let calls = stalled(&peer, 10);
    until("a connection", || accepted.load(Ordering::SeqCst) == 1).await;
    drop(calls);
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_server_that_answers_no_ping_loses_its_connection() {
    let (address, accepted) = scripted(|number, mut stream| async move {
        if number > 0 {
            return well_behaved(stream).await;
        }
        stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let peer = peer(&[address]);
    let caller = peer.clone();
    let answer =
        tokio::spawn(async move { caller.call(|| request("/stalls"), Retry::Never).await });
    until("a connection", || accepted.load(Ordering::SeqCst) == 1).await;
    tokio::time::pause();
    let answer = tokio::time::timeout(Duration::from_secs(60), answer).await.unwrap();
    assert!(matches!(answer.unwrap(), Err(Error::Lost { .. })));
    tokio::time::resume();
    ok(&peer).await;
    assert_eq!(accepted.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn connections_that_ended_together_are_all_known_to_have() {
    let server = Server::on("127.0.0.1:0".parse().unwrap(), 1).await;
    let peer = server.peer();
    let mut answers = Vec::new();
    for connections in 1..=4 {
        answers.push(call(&peer, "/opens").await.unwrap().into_body());
        assert_eq!(server.connections(), connections);
    }
    server.gate.add_permits(4);
    for answer in answers {
        answer.collect().await.unwrap();
    }
    server.stop().await;
    let again = Server::restart(server.address).await;
    // More connections than a request is sent again.
    ok(&peer).await;
    assert_eq!(again.connections(), 1);
}
