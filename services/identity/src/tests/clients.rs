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
async fn the_origins_of_a_client_are_checked_normalised_and_told() {
    let house = House::open().await;
    let mut operator = house.operator("loop").await;
    let with = |origins: &[&str]| pb::CreateOauthClientRequest {
        allowed_origins: origins.iter().map(ToString::to_string).collect(),
        ..registration()
    };
    let request = with(&["https://gym.example", "https://gym.example/app"]);
    let status = operator.create_oauth_client(request).await.unwrap_err();
    let details = status.get_error_details();
    assert_eq!(details.error_info().unwrap().reason, "ORIGIN_INVALID");
    let violation = &details.bad_request().unwrap().field_violations[0];
    assert_eq!(violation.field, "allowed_origins[1]");

    let request = with(&["HTTPS://Gym.Example:443/", "http://localhost:5173"]);
    let created = operator.create_oauth_client(request).await.unwrap().into_inner();
    let origins = ["https://gym.example", "http://localhost:5173"];
    assert_eq!(created.client.unwrap().allowed_origins, origins);
}

#[tokio::test]
async fn an_origin_may_call_while_an_enabled_client_has_it_in_any_brand() {
    let house = House::open().await;
    let origin = "https://gym.example";
    for (brand, origins) in [("loopbio", vec![origin.to_owned()]), ("loop", Vec::new())] {
        let request = pb::CreateOauthClientRequest { allowed_origins: origins, ..registration() };
        house.operator(brand).await.create_oauth_client(request).await.unwrap();
    }
    let mut edge = house.bearer(&house.machine_token("cli_edge").await);
    let mut may_call = async |origin: &str| {
        let request = pb::CheckOriginRequest { origin: origin.into() };
        edge.check_origin(request).await.unwrap().into_inner().allowed
    };
    assert!(may_call(origin).await);
    for other in ["https://gym.example/", "https://example", "https://gym.exampl", "null", "%"] {
        assert!(!may_call(other).await, "{other}");
    }
    change_clients(&house, "enabled = false, epoch = epoch + 1").await;
    assert!(!may_call(origin).await);
}

/// As the runbook has it: with an audit row.
async fn change_clients(house: &House, set: &str) {
    let statements = format!(
        "BEGIN;
         UPDATE identity.oauth_clients SET {set} WHERE client_type <> 'machine';
         INSERT INTO identity.audit_log (brand_id, id, occurred_at, actor_type, actor_id,
             event_type, entity_type, entity_id)
         SELECT brand_id, gen_random_uuid(), now(), 'staff', 'x', 'identity.oauth_client.changed',
             'oauth_client', client_id FROM identity.oauth_clients;
         COMMIT"
    );
    let mut admin = house.world.database.admin().await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(&mut admin).await.unwrap();
}

#[tokio::test]
async fn a_token_carries_the_origins_of_its_client() {
    let house = House::open().await;
    change_clients(&house, "allowed_origins = '{https://loop.test}'").await;
    let ada = house.ada().await;
    let caller = house.caller(&ada.access_token).await.unwrap();
    assert_eq!(*caller.origins, ["https://loop.test".to_owned()]);
    let machine = house.caller(&house.machine_token("cli_edge").await).await.unwrap();
    assert!(machine.origins.is_empty());
}

#[tokio::test]
async fn only_services_ask_for_origins() {
    let house = House::open().await;
    let ada = house.ada().await;
    let request = pb::CheckOriginRequest { origin: "https://gym.example".into() };
    let refused = house.bearer(&ada.access_token).check_origin(request.clone()).await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    let refused = house.stranger().check_origin(request).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unauthenticated);
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
