//! A client gives its tokens back.

use identity_contract::v1 as pb;

use super::house::*;

fn give_back(token: &str) -> pb::RevokeTokenRequest {
    pb::RevokeTokenRequest { token: token.into(), client_id: LOOP_APP.into(), ..Default::default() }
}

#[tokio::test]
async fn an_access_token_ends_alone() {
    let house = House::open().await;
    let ada = house.ada().await;
    let second = house.refresh(&ada.refresh_token).await.unwrap().into_inner();
    assert!(house.caller(&ada.access_token).await.is_some());
    house.stranger().revoke_token(give_back(&ada.access_token)).await.unwrap();
    assert_eq!(house.caller(&ada.access_token).await, None);
    assert!(house.caller(&second.access_token).await.is_some());
    assert!(house.refresh(&second.refresh_token).await.is_ok());
}

#[tokio::test]
async fn a_refresh_token_ends_its_family_and_no_other() {
    let house = House::open().await;
    let (phone, laptop) = (house.ada().await, house.ada().await);
    let second = house.refresh(&phone.refresh_token).await.unwrap().into_inner();
    for token in [&phone.access_token, &second.access_token, &laptop.access_token] {
        assert!(house.caller(token).await.is_some());
    }
    house.stranger().revoke_token(give_back(&second.refresh_token)).await.unwrap();
    assert_eq!(house.caller(&phone.access_token).await, None);
    assert_eq!(house.caller(&second.access_token).await, None);
    let status = house.refresh(&second.refresh_token).await.unwrap_err();
    assert_eq!(oauth_error(&status), "invalid_grant");
    assert!(house.caller(&laptop.access_token).await.is_some());
    assert!(house.refresh(&laptop.refresh_token).await.is_ok());
}

#[tokio::test]
async fn what_is_unknown_or_anothers_is_left_alone_and_is_success_all_the_same() {
    let house = House::open().await;
    let ada = house.ada().await;
    let partner = house.partner("loop", &["email"]).await;
    let unknown = oauth_core::Token::mint(oauth_core::Kind::AccessToken);
    for token in ["nonsense", unknown.expose(), &ada.access_token, &ada.refresh_token] {
        let request = pb::RevokeTokenRequest {
            client_id: partner.id.clone(),
            client_secret: partner.secret.clone(),
            ..give_back(token)
        };
        house.stranger().revoke_token(request).await.unwrap();
    }
    assert!(house.caller(&ada.access_token).await.is_some());
    assert!(house.refresh(&ada.refresh_token).await.is_ok());
    assert_eq!(house.audited("identity.token.revoked").await, 4);
    let request = pb::RevokeTokenRequest { client_id: partner.id, ..give_back("nonsense") };
    let status = house.stranger().revoke_token(request).await.unwrap_err();
    assert_eq!(oauth_error(&status), "invalid_client");
}
