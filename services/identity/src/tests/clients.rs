//! Partners' apps, registered and listed by an administrator of their brand.

use identity_contract::v1 as pb;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::house::*;

fn registration() -> pb::CreateOauthClientRequest {
    pb::CreateOauthClientRequest {
        client_name: "Gym".into(),
        redirect_uris: vec![REDIRECT.into()],
        allowed_scopes: vec!["email".into()],
        ..Default::default()
    }
}

#[tokio::test]
async fn a_confidential_client_sees_its_secret_once_and_a_public_one_has_none() {
    let house = House::open().await;
    let mut operator = house.operator("loop").await;
    let created = operator.create_oauth_client(registration()).await.unwrap().into_inner();
    assert!(created.client_secret.starts_with("lph_cs_"));
    let client = created.client.unwrap();
    assert_eq!((client.brand_id.as_str(), client.enabled), ("loop", true));
    assert!(!client.is_first_party);
    assert_eq!(client.redirect_uris, [REDIRECT]);
    let public = pb::CreateOauthClientRequest {
        client_type: pb::ClientType::Public.into(),
        ..registration()
    };
    let created = operator.create_oauth_client(public).await.unwrap().into_inner();
    assert_eq!(created.client_secret, "");
    assert_eq!(created.client.unwrap().client_type(), pb::ClientType::Public);
    assert_eq!(house.audited("identity.oauth_client.created").await, 2);
}

#[tokio::test]
async fn a_registration_that_breaks_a_rule_names_the_entry() {
    let house = House::open().await;
    let mut operator = house.operator("loop").await;
    for (uri, scope, reason, field) in [
        ("https://evil.example@gym.example/", "email", "REDIRECT_URI_INVALID", "redirect_uris[0]"),
        ("javascript:alert(1)", "email", "REDIRECT_URI_INVALID", "redirect_uris[0]"),
        (REDIRECT, "read:everything", "SCOPE_UNKNOWN", "allowed_scopes[0]"),
        (REDIRECT, "admin:clinical", "SCOPE_UNKNOWN", "allowed_scopes[0]"),
    ] {
        let request = pb::CreateOauthClientRequest {
            redirect_uris: vec![uri.into()],
            allowed_scopes: vec![scope.into()],
            ..registration()
        };
        let status = operator.create_oauth_client(request).await.unwrap_err();
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().reason, reason);
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, field);
    }
    let status = house.operator("*").await.create_oauth_client(registration()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let ada = house.ada().await;
    let refused = house.bearer(&ada.access_token).create_oauth_client(registration()).await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_brands_clients_are_walked_newest_first_and_no_others() {
    let house = House::open().await;
    house.partner("loopbio", &["email"]).await;
    let mut made = vec![LOOP_APP.to_owned()];
    for second in 0..4 {
        // Two of them in one instant.
        house.world.clock.advance(std::time::Duration::from_secs(second / 2));
        made.push(house.partner("loop", &["email"]).await.id);
    }
    let mut operator = house.operator("loop").await;
    let (mut seen, mut times, mut page_token) = (Vec::new(), Vec::new(), String::new());
    loop {
        let request = pb::ListOauthClientsRequest { page_size: 2, page_token };
        let page = operator.list_oauth_clients(request).await.unwrap().into_inner();
        assert!(page.clients.len() <= 2);
        for client in page.clients {
            times.push(client.created_at.unwrap());
            seen.push(client.client_id);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert!(times.is_sorted_by_key(|it| std::cmp::Reverse((it.seconds, it.nanos))));
    made.sort();
    seen.sort();
    assert_eq!(seen, made);
}

#[tokio::test]
async fn the_metadata_names_this_server_and_no_admin_scope() {
    let house = House::open().await;
    let request = pb::GetServerMetadataRequest {};
    let metadata = house.stranger().get_server_metadata(request).await.unwrap().into_inner();
    assert_eq!(metadata.issuer, "http://loop.test");
    assert_eq!(metadata.token_endpoint, "http://loop.test/v1/oauth/token");
    assert_eq!(metadata.code_challenge_methods_supported, ["S256"]);
    assert!(metadata.scopes_supported.iter().all(|it| !it.starts_with("admin:")));
}
