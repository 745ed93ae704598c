//! Machines: tokens for themselves, and what they learn of others' tokens.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use contract::CallerKind;
use identity_contract::v1 as pb;
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

use super::house::*;

#[tokio::test]
async fn a_service_of_the_platform_acts_in_every_brand() {
    let house = House::open().await;
    let issued = house.stranger().issue_token(house.machine_request("cli_edge")).await.unwrap();
    let issued = issued.into_inner();
    assert_eq!((issued.expires_in, issued.refresh_token.as_str()), (900, ""));
    let caller = house.caller(&issued.access_token).await.unwrap();
    assert_eq!((caller.kind, caller.subject.as_str()), (CallerKind::Service, "cli_edge"));
    assert_eq!((caller.brand, &*caller.brands), (None, &["*".to_owned()][..]));
    assert!(caller.scopes.iter().all(|it| it.starts_with("admin:")));
    for name in ["cli_identity", "cli_operator"] {
        assert!(house.caller(&house.machine_token(name).await).await.is_some());
    }
}

#[tokio::test]
async fn a_machine_can_be_narrowed_to_one_brand() {
    let house = House::open().await;
    let request =
        pb::IssueTokenRequest { brand_id: "loop".into(), ..house.machine_request("cli_edge") };
    let issued = house.stranger().issue_token(request).await.unwrap().into_inner();
    let caller = house.caller(&issued.access_token).await.unwrap();
    assert_eq!(caller.brand.unwrap().as_str(), "loop");
    assert!(caller.brands.is_empty());
}

#[tokio::test]
async fn no_machine_ever_gets_a_scope_that_people_grant() {
    let house = House::open().await;
    for scope in ["read:biomarkers", "openid", "admin:clinical read:profile"] {
        let request =
            pb::IssueTokenRequest { scope: scope.into(), ..house.machine_request("cli_edge") };
        let status = house.stranger().issue_token(request).await.unwrap_err();
        assert_eq!(oauth_error(&status), "invalid_scope", "{scope}");
    }
    let partner = house.partner("loop", &["email"]).await;
    let request = pb::IssueTokenRequest {
        client_id: partner.id,
        client_secret: partner.secret,
        ..house.machine_request("cli_edge")
    };
    let status = house.stranger().issue_token(request).await.unwrap_err();
    assert_eq!(oauth_error(&status), "unauthorized_client");
}

#[tokio::test]
async fn an_unknown_client_is_refused_with_the_very_words_of_a_wrong_secret() {
    let house = House::open().await;
    let unknown = pb::IssueTokenRequest {
        client_id: "cli_nobody".into(),
        ..house.machine_request("cli_edge")
    };
    let wrong = pb::IssueTokenRequest {
        client_id: "cli_operator".into(),
        ..house.machine_request("cli_edge")
    };
    let missing =
        pb::IssueTokenRequest { client_secret: String::new(), ..house.machine_request("cli_edge") };
    let mut answers = Vec::new();
    for request in [unknown, wrong, missing] {
        let status = house.stranger().issue_token(request).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
        let info = status.get_details_error_info().unwrap();
        assert_eq!(info.metadata["www_authenticate"], "Basic realm=\"loop\"");
        answers.push((status.message().to_owned(), info.reason, info.metadata));
    }
    assert!(answers.iter().all(|it| it == &answers[0]), "{answers:?}");
}

#[tokio::test]
async fn a_client_may_authenticate_by_its_header() {
    let house = House::open().await;
    let secret = house.platform().key.client_secret("cli_edge");
    let basic = STANDARD.encode(format!("cli_edge:{}", secret.expose()));
    let mut request = Request::new(pb::IssueTokenRequest {
        grant_type: "client_credentials".into(),
        ..Default::default()
    });
    let header = format!("Basic {basic}").parse().unwrap();
    request.metadata_mut().insert("authorization", header);
    assert!(house.stranger().issue_token(request).await.is_ok());
}

#[tokio::test]
async fn a_partner_introspects_tokens_of_its_brand_and_learns_nothing_of_others() {
    let house = House::open().await;
    let ours = house.partner("loop", &["email"]).await;
    let theirs = house.partner("loopbio", &["email"]).await;
    let ada = house.ada().await;
    let introspect = async |client_id: &str, client_secret: &str, token: &str| {
        let request = pb::IntrospectTokenRequest {
            token: token.into(),
            client_id: client_id.into(),
            client_secret: client_secret.into(),
            ..Default::default()
        };
        house.stranger().introspect_token(request).await.map(tonic::Response::into_inner)
    };
    let inactive = pb::IntrospectTokenResponse { active: Some(false), ..Default::default() };

    let seen = introspect(&ours.id, &ours.secret, &ada.access_token).await.unwrap();
    assert_eq!((seen.active, seen.sub.as_str()), (Some(true), crate::DEMO_USER));
    assert_eq!((seen.brand.as_str(), seen.client_id.as_str()), ("loop", LOOP_APP));
    assert_eq!((seen.scope, seen.token_type.as_str()), (ada.scope.clone(), "Bearer"));
    let expires = house.world.clock.now().timestamp() + 3600;
    assert_eq!(seen.exp.map(i64::from), Some(expires));

    for token in [&ada.access_token, &ada.refresh_token, "nonsense", ""] {
        let seen = introspect(&theirs.id, &theirs.secret, token).await.unwrap();
        assert_eq!(seen, inactive);
    }
    let machine = house.machine_request("cli_edge");
    let seen = introspect("cli_edge", &machine.client_secret, &ada.access_token).await.unwrap();
    assert_eq!(seen.active, Some(true));
    let seen = introspect(&ours.id, &ours.secret, &house.machine_token("cli_edge").await).await;
    assert_eq!(seen.unwrap(), inactive);
    for (id, secret) in [(LOOP_APP, ""), (&*ours.id, ""), ("cli_edge", &*ours.secret)] {
        let status = introspect(id, secret, &ada.access_token).await.unwrap_err();
        assert_eq!(oauth_error(&status), "invalid_client");
    }
}

#[tokio::test]
async fn only_services_resolve_tokens_by_their_hash() {
    let house = House::open().await;
    let ada = house.ada().await;
    let hash = |text: &str| {
        oauth_core::Token::parse(oauth_core::Kind::AccessToken, text).unwrap().hash().0.to_vec()
    };
    let request = pb::ResolveTokenRequest { token_hash: hash(&ada.access_token) };
    let edge = house.machine_token("cli_edge").await;
    let resolved = house.bearer(&edge).resolve_token(request.clone()).await.unwrap().into_inner();
    assert_eq!((resolved.active, resolved.kind.as_str()), (true, "user"));
    assert_eq!(resolved.brand_id, "loop");
    let unknown = pb::ResolveTokenRequest { token_hash: vec![7; 32] };
    let resolved = house.bearer(&edge).resolve_token(unknown).await.unwrap().into_inner();
    assert_eq!(resolved, pb::ResolveTokenResponse::default());
    let status = house.bearer(&ada.access_token).resolve_token(request.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    let status = house.stranger().resolve_token(request).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_token_ends_when_its_time_is_over_even_where_it_is_cached() {
    let house = House::open().await;
    let token = house.machine_token("cli_edge").await;
    assert!(house.caller(&token).await.is_some());
    house.world.clock.advance(std::time::Duration::from_secs(900));
    assert_eq!(house.caller(&token).await, None);
}

#[tokio::test]
async fn the_seed_writes_nothing_a_second_time() {
    let house = House::open().await;
    let seeded = house.audited("identity.oauth_client.seeded").await;
    assert_eq!(seeded, 4);
    crate::seed::run(house.platform().clone()).await.unwrap();
    assert_eq!(house.audited("identity.oauth_client.seeded").await, seeded);
    assert_eq!(house.audited("identity.user.seeded").await, 2);
}
