//! The OAuth endpoints: forms, their headers, and clients that name themselves.

use http::Request;

use super::door::{Door, Setting};

#[tokio::test]
async fn a_token_is_issued_to_a_form_and_kept_by_no_cache() {
    let door = Door::open().await;
    let answer =
        door.form("/v1/oauth/token", "grant_type=client_credentials&client_id=c&x=1").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.json()["access_token"].as_str().unwrap().starts_with("lph_"));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
}

#[tokio::test]
async fn a_failure_of_identity_has_the_form_of_the_rfc() {
    let door = Door::open().await;
    let answer = door.form("/v1/oauth/introspect", "token=x").await;
    assert_eq!((answer.status, answer.error().as_str()), (501, "server_error"));
    assert!(answer.json().get("details").is_none());
}

#[tokio::test]
async fn the_sixty_first_token_request_in_a_minute_is_refused() {
    let door = Door::open().await;
    for left in (0..60).rev() {
        let answer = door.form("/v1/oauth/token", "client_id=cli_1").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-limit"), "60");
        assert_eq!(answer.header("ratelimit-remaining"), left.to_string());
    }
    let answer = door.form("/v1/oauth/token", "client_id=cli_1").await;
    assert_eq!((answer.status, answer.error().as_str()), (429, "rate_limited"));
    let delay = answer.json()["retry_after_ms"].as_u64().unwrap();
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    assert_eq!(seconds, delay.div_ceil(1000));
    assert!((1..=60).contains(&seconds));
    assert!(!answer.header("ratelimit-reset").is_empty());
    // Another client is another count, whether a form or a header names it.
    assert_eq!(door.form("/v1/oauth/token", "client_id=cli_2").await.status, 200);
    let basic = Request::post("/v1/oauth/token")
        .header("authorization", "Basic Y2xpXzE6")
        .header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(door.send(basic, "").await.status, 429);
}

#[tokio::test]
async fn a_form_over_the_limit_is_refused_before_it_is_read() {
    let mut setting = Setting::new();
    setting.config.limits.body = 100;
    let door = setting.open().await;
    let answer = door.form("/v1/oauth/token", &"x".repeat(101)).await;
    // Refused before anybody looks at whom it is for, so in the platform's words.
    assert_eq!((answer.status, answer.error().as_str()), (413, "body_too_large"));
}
