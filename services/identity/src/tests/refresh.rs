//! Refresh tokens: rotated, had again after a lost answer, and the end of a thief.

use std::time::Duration;

use identity_contract::v1 as pb;

use super::house::*;

#[tokio::test]
async fn each_use_gives_the_next_token_and_extends_the_access() {
    let house = House::open().await;
    let first = house.ada().await;
    house.world.clock.advance(Duration::from_secs(89 * 86_400));
    assert_eq!(house.caller(&first.access_token).await, None);
    let second = house.refresh(&first.refresh_token).await.unwrap().into_inner();
    assert_ne!(second.refresh_token, first.refresh_token);
    assert!(house.caller(&second.access_token).await.is_some());
    house.world.clock.advance(Duration::from_secs(89 * 86_400));
    let third = house.refresh(&second.refresh_token).await.unwrap().into_inner();
    assert_eq!(third.scope, first.scope);
    house.world.clock.advance(Duration::from_secs(90 * 86_400));
    let status = house.refresh(&third.refresh_token).await.unwrap_err();
    assert_eq!(oauth_error(&status), "invalid_grant");
}

#[tokio::test]
async fn a_client_that_lost_the_answer_gets_the_same_successor_again() {
    let house = House::open().await;
    let first = house.ada().await;
    let second = house.refresh(&first.refresh_token).await.unwrap().into_inner();
    house.world.clock.advance(Duration::from_secs(29));
    let again = house.refresh(&first.refresh_token).await.unwrap().into_inner();
    assert_eq!(again.refresh_token, second.refresh_token);
    assert_ne!(again.access_token, second.access_token);
    for token in [&second.access_token, &again.access_token] {
        assert!(house.caller(token).await.is_some());
    }
}

#[tokio::test]
async fn a_token_that_comes_back_after_its_successor_was_used_ends_everything() {
    let house = House::open().await;
    let first = house.ada().await;
    let second = house.refresh(&first.refresh_token).await.unwrap().into_inner();
    let third = house.refresh(&second.refresh_token).await.unwrap().into_inner();
    let tokens = [&first.access_token, &second.access_token, &third.access_token];
    for token in tokens {
        assert!(house.caller(token).await.is_some());
    }
    let status = house.refresh(&first.refresh_token).await.unwrap_err();
    assert_eq!(oauth_error(&status), "invalid_grant");
    for token in tokens {
        assert_eq!(house.caller(token).await, None);
    }
    assert!(house.refresh(&third.refresh_token).await.is_err());
    assert_eq!(house.audited("identity.refresh_token.reused").await, 1);
}

#[tokio::test]
async fn a_used_token_after_the_retry_window_is_reuse() {
    let house = House::open().await;
    let first = house.ada().await;
    let second = house.refresh(&first.refresh_token).await.unwrap().into_inner();
    house.world.clock.advance(Duration::from_secs(30));
    assert!(house.refresh(&first.refresh_token).await.is_err());
    assert_eq!(house.caller(&second.access_token).await, None);
}

#[tokio::test]
async fn a_refresh_narrows_and_never_widens() {
    let house = House::open().await;
    let first = house.ada().await;
    let ask =
        |token: &str, scope: &str| pb::IssueTokenRequest { scope: scope.into(), ..refresh(token) };
    let wider = ask(&first.refresh_token, "read:account read:profile");
    let status = house.stranger().issue_token(wider).await.unwrap_err();
    assert_eq!(oauth_error(&status), "invalid_scope");
    let narrower = ask(&first.refresh_token, "read:account");
    let second = house.stranger().issue_token(narrower).await.unwrap().into_inner();
    assert_eq!(second.scope, "read:account");
    let third = house.refresh(&second.refresh_token).await.unwrap().into_inner();
    assert_eq!(third.scope, first.scope);
}

#[tokio::test]
async fn another_client_can_neither_use_nor_burn_a_refresh_token() {
    let house = House::open().await;
    let partner = house.partner("loop", &["email"]).await;
    let first = house.ada().await;
    let request = pb::IssueTokenRequest {
        client_id: partner.id,
        client_secret: partner.secret,
        ..refresh(&first.refresh_token)
    };
    let status = house.stranger().issue_token(request).await.unwrap_err();
    assert_eq!(oauth_error(&status), "invalid_grant");
    assert!(house.refresh(&first.refresh_token).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_refreshes_at_once_all_get_the_same_successor() {
    let house = House::open().await;
    let first = house.ada().await;
    let refreshes = (0..8).map(|_| {
        let (mut client, request) = (house.stranger(), refresh(&first.refresh_token));
        tokio::spawn(async move { client.issue_token(request).await })
    });
    let mut successors = Vec::new();
    for refresh in refreshes.collect::<Vec<_>>() {
        successors.push(refresh.await.unwrap().unwrap().into_inner().refresh_token);
    }
    successors.dedup();
    assert_eq!(successors.len(), 1);
}
