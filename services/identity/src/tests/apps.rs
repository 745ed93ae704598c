//! Connected apps: listed, and put out at once.

use identity_contract::v1 as pb;
use kit::Brand;
use oauth_core::{Kind, Token};
use tonic::Code;

use super::house::*;
use crate::store;

async fn apps(house: &House, token: &str) -> Vec<pb::ConnectedApp> {
    let request = pb::ListConnectedAppsRequest {};
    house.bearer(token).list_connected_apps(request).await.unwrap().into_inner().data
}

/// Ada's token in a partner's app.
async fn connect(house: &House, partner: &Partner) -> pb::IssueTokenResponse {
    let mut browser = house.browser();
    let address = authorize(&partner.id, REDIRECT, "email");
    let to_consent = house.sign_in(&mut browser, &address, "ada@loop.test").await;
    let consent = browser.get(to_consent.location()).await;
    let fields = [("decision", "allow"), ("form_token", consent.form_token())];
    let back = browser.post(to_consent.location(), &fields).await;
    let request = pb::IssueTokenRequest {
        client_id: partner.id.clone(),
        client_secret: partner.secret.clone(),
        redirect_uri: REDIRECT.into(),
        ..exchange(&back.parameter("code").unwrap())
    };
    house.stranger().issue_token(request).await.unwrap().into_inner()
}

fn disconnect(client_id: &str) -> pb::DisconnectAppRequest {
    pb::DisconnectAppRequest { client_id: client_id.into() }
}

#[tokio::test]
async fn a_disconnected_app_loses_its_tokens_at_once_even_where_they_are_cached() {
    let house = House::open().await;
    let partner = house.partner("loop", &["email"]).await;
    let theirs = connect(&house, &partner).await;
    let ada = house.ada().await;
    assert!(house.caller(&theirs.access_token).await.is_some());
    let listed = apps(&house, &ada.access_token).await;
    let listed: Vec<_> = listed.iter().map(|it| (&*it.client_id, it.is_first_party)).collect();
    assert_eq!(listed.len(), 2);
    assert!(listed.contains(&(&partner.id, false)) && listed.contains(&(LOOP_APP, true)));

    let mut client = house.bearer(&ada.access_token);
    client.disconnect_app(disconnect(&partner.id)).await.unwrap();
    assert_eq!(house.caller(&theirs.access_token).await, None);
    let request = pb::IssueTokenRequest {
        client_id: partner.id.clone(),
        client_secret: partner.secret.clone(),
        ..refresh(&theirs.refresh_token)
    };
    let status = house.stranger().issue_token(request).await.unwrap_err();
    assert_eq!(oauth_error(&status), "invalid_grant");
    assert!(house.caller(&ada.access_token).await.is_some());
    assert_eq!(apps(&house, &ada.access_token).await.len(), 1);
    assert_eq!(house.audited("identity.connected_app.revoked").await, 1);
    let mut admin = house.world.database.admin().await;
    let names: Vec<String> =
        sqlx::query_scalar("SELECT name FROM identity.outbox").fetch_all(&mut admin).await.unwrap();
    assert_eq!(names, ["identity.grant.revoked.v1"]);

    for client_id in [&*partner.id, "cli_nobody"] {
        let status = client.disconnect_app(disconnect(client_id)).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
    }
    // Let in anew, it works anew, and what ended stays ended.
    let anew = connect(&house, &partner).await;
    assert!(house.caller(&anew.access_token).await.is_some());
    assert_eq!(house.caller(&theirs.access_token).await, None);
}

#[tokio::test]
async fn a_member_disconnects_their_own_apps_only() {
    let house = House::open().await;
    let ada = house.ada().await;
    let other = house.partner("loopbio", &["manage:connected_apps"]).await;
    let mut browser = house.browser();
    let address = authorize(&other.id, REDIRECT, "manage:connected_apps");
    let to_consent = house.sign_in(&mut browser, &address, "grace@loopbio.test").await;
    let consent = browser.get(to_consent.location()).await;
    let fields = [("decision", "allow"), ("form_token", consent.form_token())];
    let back = browser.post(to_consent.location(), &fields).await;
    let request = pb::IssueTokenRequest {
        client_id: other.id.clone(),
        client_secret: other.secret.clone(),
        redirect_uri: REDIRECT.into(),
        ..exchange(&back.parameter("code").unwrap())
    };
    let grace = house.stranger().issue_token(request).await.unwrap().into_inner();

    let mut client = house.bearer(&grace.access_token);
    let status = client.disconnect_app(disconnect(LOOP_APP)).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert!(house.caller(&ada.access_token).await.is_some());
    let listed = apps(&house, &grace.access_token).await;
    assert_eq!(listed.iter().map(|it| &it.client_id).collect::<Vec<_>>(), [&other.id]);
}

#[tokio::test]
async fn nothing_ends_while_the_cache_cannot_be_fenced() {
    let house = House::open().await;
    let ada = house.ada().await;
    // An app of the same house whose cache is out of reach.
    let mut platform = house.platform().clone();
    platform.cache = cache::Cache::connect("redis://127.0.0.1:1").unwrap();
    house.world.mesh.add_local("identity", kit::app(&platform));
    let mut client = house.bearer(&ada.access_token);
    let status = client.disconnect_app(disconnect(LOOP_APP)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    let code_refused = house.refresh(&ada.refresh_token).await;
    assert!(code_refused.is_ok(), "the grant stands");
    assert!(house.caller(&ada.access_token).await.is_some());
    assert_eq!(house.audited("identity.connected_app.revoked").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_token_slips_through_while_its_grant_ends() {
    let house = House::open().await;
    for _ in 0..5 {
        let ada = house.ada().await;
        let refreshes = (0..4).map(|_| {
            let (mut client, request) = (house.stranger(), refresh(&ada.refresh_token));
            let introspector = house.platform().introspector();
            tokio::spawn(async move {
                let token = client.issue_token(request).await.ok()?.into_inner().access_token;
                // Seen by a checkpoint, and so cached, as soon as it is there.
                introspector.caller(&token).await.unwrap();
                Some(token)
            })
        });
        let refreshes: Vec<_> = refreshes.collect();
        house.bearer(&ada.access_token).disconnect_app(disconnect(LOOP_APP)).await.unwrap();
        for refresh in refreshes {
            if let Some(token) = refresh.await.unwrap() {
                assert_eq!(house.caller(&token).await, None);
            }
        }
        assert_eq!(house.caller(&ada.access_token).await, None);
    }
}

#[tokio::test]
async fn who_ends_a_grant_waits_for_those_who_issue_under_it() {
    let house = House::open().await;
    let ada = house.ada().await;
    let presented = Token::parse(Kind::RefreshToken, &ada.refresh_token).unwrap();
    // Somebody who has found the grant standing, and has not issued yet.
    let brand = Brand::new("loop").unwrap();
    let db = &house.platform().db;
    let mut tx = db.begin_system(brand, "identity.token.issued").await.unwrap();
    let found = store::lock_refresh(&mut tx, presented.hash()).await.unwrap();
    let authority = found.unwrap().0.authority;
    assert_eq!(store::standing(&mut tx, &authority).await.unwrap(), Some(authority.stamps));

    let mut client = house.bearer(&ada.access_token);
    let ending = tokio::spawn(async move { client.disconnect_app(disconnect(LOOP_APP)).await });
    kit_test::eventually("the end of the grant to wait", || async {
        assert!(!ending.is_finished(), "the grant ended under somebody who issues");
        let mut admin = house.world.database.admin().await;
        let waiting: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock')",
        )
        .fetch_one(&mut admin)
        .await
        .unwrap();
        waiting.then_some(())
    })
    .await;
    drop(tx);
    ending.await.unwrap().unwrap();
    assert_eq!(house.caller(&ada.access_token).await, None);
}
