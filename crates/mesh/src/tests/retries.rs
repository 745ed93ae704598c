//! Calls that are made again.

use std::time::{Duration, Instant};

use http::Response;
use tonic::body::Body;

use super::server::{Server, request};
use crate::{Error, Retry};

async fn call(server: &Server, path: &str, retry: Retry) -> Result<Response<Body>, Error> {
    server.peer().call(|| request(path), retry).await
}

fn idempotent(time: Duration) -> Retry {
    Retry::Idempotent { deadline: Instant::now() + time }
}

#[tokio::test]
async fn an_idempotent_call_is_made_again_until_it_succeeds() {
    let server = Server::start().await;
    let answer = call(&server, "/recovers", idempotent(Duration::from_secs(10))).await.unwrap();
    assert!(!answer.headers().contains_key("grpc-status"));
    let seen = server.seen.requests.lock().unwrap();
    let attempts: Vec<_> = seen.iter().map(|it| it.get("grpc-previous-rpc-attempts")).collect();
    assert_eq!(attempts.len(), 3);
    assert!(attempts[0].is_none());
    assert_eq!(
        (attempts[1].unwrap(), attempts[2].unwrap()),
        (&"1".parse().unwrap(), &"2".parse().unwrap())
    );
}

#[tokio::test]
async fn any_other_call_is_made_once() {
    let server = Server::start().await;
    let answer = call(&server, "/recovers", Retry::Never).await.unwrap();
    assert_eq!(answer.headers()["grpc-status"], "14");
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn without_time_there_is_no_second_attempt() {
    let server = Server::start().await;
    let answer = call(&server, "/recovers", idempotent(Duration::ZERO)).await.unwrap();
    assert_eq!(answer.headers()["grpc-status"], "14");
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn a_connection_that_is_lost_under_an_idempotent_call_is_replaced() {
    let server = Server::start().await;
    let answer = call(&server, "/closes", idempotent(Duration::from_secs(10))).await;
    assert!(matches!(answer, Err(Error::Lost { .. })));
    assert_eq!(server.connections(), 3);
}
