//! Services that are slow, gone or broken, and callers who do not wait.

use std::{sync::Arc, time::Duration};

use super::door::{Door, Setting, spawn_get, until};
use crate::Limits;

#[tokio::test]
async fn a_slow_service_is_504_after_the_timeout() {
    let door = Setting::new().timeout(Duration::from_millis(100)).open().await;
    let answer = door.get("/v1/biomarkers/bio_stalls", &door.reader()).await;
    assert_eq!((answer.status, answer.error().as_str()), (504, "deadline_exceeded"));
    assert!(!answer.header("x-request-id").is_empty());
}

#[tokio::test]
async fn a_service_that_is_gone_is_503() {
    let setting = Setting::new();
    setting.mesh.add_remote("clinical", &"http://127.0.0.1:1".parse().unwrap()).unwrap();
    let door = setting.open().await;
    let answer = door.get("/v1/biomarkers/bio_1", &door.reader()).await;
    assert_eq!((answer.status, answer.error().as_str()), (503, "unavailable"));
    assert_eq!(answer.header("retry-after"), "1");
    assert!(!String::from_utf8_lossy(&answer.body).contains("127.0.0.1"));
}

#[tokio::test]
async fn an_answer_too_large_to_hold_is_a_failure() {
    let door = Setting::new().over_tcp().open().await;
    let answer = door.get("/v1/biomarkers/bio_large", &door.reader()).await;
    assert_eq!((answer.status, answer.error().as_str()), (500, "internal"));
}

#[tokio::test]
async fn an_error_of_a_service_crosses_the_wire_whole() {
    let door = Setting::new().over_tcp().open().await;
    let answer = door.get("/v1/biomarkers/bio_missing", &door.reader()).await;
    assert_eq!((answer.status, answer.error().as_str()), (404, "not_found"));
    assert_eq!(answer.json()["details"][0]["reason"], "BIOMARKER_NOT_FOUND");
}

#[tokio::test]
async fn a_caller_who_leaves_ends_the_call_at_the_service() {
    let door = Arc::new(Setting::new().over_tcp().open().await);
    let caller = spawn_get(&door, "/v1/biomarkers/bio_stalls", &door.reader());
    until("the call to arrive", || door.clinical.calls() == 1).await;
    caller.abort();
    until("the call to end", || door.clinical.gone() == 1).await;
}

#[tokio::test]
async fn two_hundred_callers_who_leave_do_not_harm_the_connection_they_shared() {
    let door = Arc::new(Setting::new().over_tcp().open().await);
    let token = door.reader();
    assert_eq!(door.get("/v1/biomarkers/bio_1", &token).await.status, 200);
    // The service stalls as a whole: it cannot even accept what comes.
    let first = spawn_get(&door, "/v1/biomarkers/bio_blocks", &token);
    until("the service to stall", || door.clinical.calls() == 2).await;
    let callers: Vec<_> =
        (0..200).map(|_| spawn_get(&door, "/v1/biomarkers/bio_1", &token)).collect();
    let (room, all) = (&door.parts.capacity.ordinary, Limits::default().in_flight);
    until("all calls to be under way", || room.available_permits() == all - 201).await;
    callers.iter().for_each(tokio::task::JoinHandle::abort);
    until("all callers to be gone", || room.available_permits() == all - 1).await;
    door.clinical.block.wait();
    let answer = door.get("/v1/biomarkers/bio_1", &token).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(first.await.unwrap().status, 200);
}

#[tokio::test]
async fn a_method_that_stalls_and_those_who_give_it_up_hinder_nobody_and_leave_nothing() {
    let door = Arc::new(Setting::new().over_tcp().open().await);
    let token = door.reader();
    let ordinary = async |ids: usize| {
        for _ in 0..ids {
            let answer = door.get("/v1/biomarkers/bio_1", &token);
            let answer = tokio::time::timeout(Duration::from_secs(2), answer).await;
            assert_eq!(answer.expect("others do not wait").status, 200);
        }
    };
    ordinary(1).await;
    let (room, all) = (&door.parts.capacity.ordinary, Limits::default().in_flight);
    until("all to have ended", || room.available_permits() == all).await;
    let held = Arc::strong_count(&door.parts);
    for round in 1..=2 {
        let arrived = door.clinical.calls();
        let callers: Vec<_> =
            (0..200).map(|_| spawn_get(&door, "/v1/biomarkers/bio_stalls", &token)).collect();
        until("all calls to arrive", || door.clinical.calls() == arrived + 200).await;
        ordinary(20).await;
        callers.iter().for_each(tokio::task::JoinHandle::abort);
        ordinary(20).await;
        until("their calls to end", || door.clinical.gone() == 200 * round).await;
        until("their room to be free", || room.available_permits() == all).await;
        // Whatever is left of a request holds on to the parts.
        until("their memory to be free", || Arc::strong_count(&door.parts) == held).await;
    }
}

#[tokio::test]
async fn beyond_its_capacity_the_gateway_refuses_at_once_and_still_says_it_lives() {
    let mut setting = Setting::new();
    setting.config.limits.in_flight = 2;
    let door = Arc::new(setting.open().await);
    let token = door.reader();
    let waiting: Vec<_> =
        (0..2).map(|_| spawn_get(&door, "/v1/biomarkers/bio_waits", &token)).collect();
    until("both calls to arrive", || door.clinical.calls() == 2).await;
    let answer = door.get("/v1/biomarkers/bio_1", &token).await;
    assert_eq!((answer.status, answer.error().as_str()), (503, "unavailable"));
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(door.get("/healthz", "").await.status, 200);
    // Introspection has room of its own. The fake does not implement it, but it was asked.
    assert_eq!(door.form("/v1/oauth/introspect", "token=x").await.status, 501);
    door.clinical.gate.add_permits(2);
    for answer in waiting {
        assert_eq!(answer.await.unwrap().status, 200);
    }
    assert_eq!(door.get("/v1/biomarkers/bio_1", &token).await.status, 200);
}

#[tokio::test]
async fn who_is_in_flight_at_the_end_is_answered() {
    let mut door = Door::open().await;
    let serving = std::mem::replace(&mut door.serving, tokio::spawn(async {}));
    let door = Arc::new(door);
    let waiting = spawn_get(&door, "/v1/biomarkers/bio_waits", &door.reader());
    until("the call to arrive", || door.clinical.calls() == 1).await;
    door.shutdown.cancel();
    tokio::task::yield_now().await;
    assert!(!serving.is_finished());
    door.clinical.gate.add_permits(1);
    assert_eq!(waiting.await.unwrap().status, 200);
    tokio::time::timeout(Duration::from_secs(5), serving).await.expect("it ends").unwrap();
    assert!(tokio::net::TcpStream::connect(door.address).await.is_err());
}

#[tokio::test]
async fn http_2_is_served_on_the_same_port() {
    let door = Door::open().await;
    let stream = tokio::net::TcpStream::connect(door.address).await.unwrap();
    let handshake = hyper::client::conn::http2::handshake(
        hyper_util::rt::TokioExecutor::new(),
        hyper_util::rt::TokioIo::new(stream),
    );
    let (mut sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    for method in [http::Method::GET, http::Method::HEAD] {
        let request = http::Request::builder()
            .method(&method)
            .uri("https://api.loop.test/v1/biomarkers/bio_1")
            .header("authorization", format!("Bearer {}", door.reader()))
            .body(http_body_util::Full::<bytes::Bytes>::default())
            .unwrap();
        let answer = super::door::Answer::read(sender.send_request(request).await.unwrap()).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body.is_empty(), method == http::Method::HEAD);
        assert_ne!(answer.header("content-length"), "0");
    }
    assert_eq!(door.clinical.last()["x-forwarded-host"], "api.loop.test");
}
