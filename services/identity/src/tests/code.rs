//! The authorization code flow, from the first page to a token that works.

use identity_contract::v1 as pb;

use super::house::*;

#[tokio::test]
async fn a_member_lets_a_partner_in_and_the_partner_gets_a_working_token() {
    let house = House::open().await;
    let partner = house.partner("loop", &["read:account", "email"]).await;
    let mut browser = house.browser();
    let address = authorize(&partner.id, REDIRECT, "read:account");

    let to_consent = house.sign_in(&mut browser, &address, " Ada@Loop.test ").await;
    let consent = browser.get(to_consent.location()).await;
    assert!(consent.body.contains("Partner &#60;Gym&#62;"), "{}", consent.body);
    assert!(consent.body.contains("See when your account was created and its status."));
    assert!(!consent.body.contains("See your e-mail address."));
    assert!(consent.body.contains("<strong>gym.example</strong>"));

    let fields = [("decision", "allow"), ("form_token", consent.form_token())];
    let back = browser.post(to_consent.location(), &fields).await;
    assert!(back.location().starts_with("https://gym.example/cb?code=lph_ac_"));
    assert_eq!(back.parameter("state").as_deref(), Some("a state & more"));
    assert_eq!(back.parameter("iss").as_deref(), Some("http://loop.test"));

    let request = pb::IssueTokenRequest {
        client_id: partner.id.clone(),
        client_secret: partner.secret.clone(),
        redirect_uri: REDIRECT.into(),
        ..exchange(&back.parameter("code").unwrap())
    };
    let issued = house.stranger().issue_token(request).await.unwrap().into_inner();
    assert_eq!((issued.token_type.as_str(), issued.expires_in), ("Bearer", 3600));
    assert_eq!(issued.scope, "read:account");

    let me = house.bearer(&issued.access_token).get_me(pb::GetMeRequest {}).await.unwrap();
    let me = me.into_inner();
    assert_eq!((me.user_id.as_str(), me.email.as_str()), (crate::DEMO_USER, "ada@loop.test"));
    assert_eq!((me.name.as_str(), me.brand_id.as_str()), ("Ada Lovelace", "loop"));
    for event_type in ["identity.session.started", "identity.consent.granted"] {
        assert_eq!(house.audited(event_type).await, 1, "{event_type}");
    }

    // Asked once: the second time the browser comes straight back.
    assert!(browser.get(&address).await.parameter("code").is_some());
    // Asked again for more, and never for more than the client may have.
    let more = browser.get(&authorize(&partner.id, REDIRECT, "read:account email")).await;
    assert!(more.location().starts_with("/consent?"));
    let too_much = browser.get(&authorize(&partner.id, REDIRECT, "read:profile")).await;
    assert_eq!(too_much.parameter("error").as_deref(), Some("invalid_scope"));
}

#[tokio::test]
async fn a_member_who_says_no_sends_the_partner_away_without_a_code() {
    let house = House::open().await;
    let partner = house.partner("loop", &["email"]).await;
    let mut browser = house.browser();
    let address = authorize(&partner.id, REDIRECT, "email");
    let to_consent = house.sign_in(&mut browser, &address, "ada@loop.test").await;
    let consent = browser.get(to_consent.location()).await;
    let fields = [("decision", "deny"), ("form_token", consent.form_token())];
    let back = browser.post(to_consent.location(), &fields).await;
    assert!(back.location().starts_with("https://gym.example/cb?error=access_denied"));
    assert_eq!(back.parameter("code"), None);
    assert_eq!(back.parameter("iss").as_deref(), Some("http://loop.test"));
    assert_eq!(house.audited("identity.consent.granted").await, 0);
}

#[tokio::test]
async fn the_platforms_own_app_asks_for_no_consent_unless_it_wants_to() {
    let house = House::open().await;
    let mut browser = house.browser();
    let address = authorize(LOOP_APP, LOOP_APP_REDIRECT, "read:account");
    let page = house.sign_in(&mut browser, &address, "ada@loop.test").await;
    assert!(page.location().starts_with("http://127.0.0.1:49152/callback?code="));
    let page = browser.get(&format!("{address}&prompt=consent")).await;
    assert!(page.location().starts_with("/consent?"));
}

#[tokio::test]
async fn prompt_none_never_shows_a_page_and_prompt_login_always_does() {
    let house = House::open().await;
    let mut browser = house.browser();
    let address = authorize(LOOP_APP, LOOP_APP_REDIRECT, "read:account");
    let page = browser.get(&format!("{address}&prompt=none")).await;
    assert_eq!(page.parameter("error").as_deref(), Some("login_required"));
    house.sign_in(&mut browser, &address, "ada@loop.test").await;
    assert!(browser.get(&format!("{address}&prompt=none")).await.parameter("code").is_some());
    let login = format!("{address}&prompt=login");
    let again = house.sign_in(&mut browser, &login, "ada@loop.test").await;
    assert!(again.parameter("code").is_some());

    let partner = house.partner("loop", &["email"]).await;
    let silent = format!("{}&prompt=none", authorize(&partner.id, REDIRECT, "email"));
    let page = browser.get(&silent).await;
    assert_eq!(page.parameter("error").as_deref(), Some("consent_required"));
}

#[tokio::test]
async fn a_code_needs_its_verifier_and_its_minute() {
    let house = House::open().await;
    let code = house.code_for_loop_app("read:account").await;
    let wrong = VERIFIER.replace('d', "e");
    let request = pb::IssueTokenRequest { code_verifier: wrong, ..exchange(&code) };
    let status = house.stranger().issue_token(request).await.unwrap_err();
    assert_eq!(oauth_error(&status), "invalid_grant");
    house.world.clock.advance(std::time::Duration::from_secs(60));
    let status = house.stranger().issue_token(exchange(&code)).await.unwrap_err();
    assert_eq!(oauth_error(&status), "invalid_grant");
    let unknown = oauth_core::Token::mint(oauth_core::Kind::AuthorizationCode);
    let status = house.stranger().issue_token(exchange(unknown.expose())).await.unwrap_err();
    assert_eq!(oauth_error(&status), "invalid_grant");
}

#[tokio::test]
async fn a_replayed_code_ends_the_tokens_it_led_to_even_where_they_are_cached() {
    let house = House::open().await;
    let code = house.code_for_loop_app("read:account").await;
    let issued = house.stranger().issue_token(exchange(&code)).await.unwrap().into_inner();
    assert!(house.caller(&issued.access_token).await.is_some());

    let status = house.stranger().issue_token(exchange(&code)).await.unwrap_err();
    assert_eq!(oauth_error(&status), "invalid_grant");
    assert_eq!(house.caller(&issued.access_token).await, None);
    assert!(house.refresh(&issued.refresh_token).await.is_err());
    assert_eq!(house.audited("identity.code.replayed").await, 1);

    // What the member allows afterwards is not harmed by the old code.
    let anew = house.ada().await;
    assert!(house.stranger().issue_token(exchange(&code)).await.is_err());
    assert!(house.caller(&anew.access_token).await.is_some());
    assert_eq!(house.audited("identity.code.replayed").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixteen_exchanges_of_one_code_at_once_one_succeeds() {
    let house = House::open().await;
    let code = house.code_for_loop_app("read:account").await;
    let exchanges = (0..16).map(|_| {
        let (mut client, request) = (house.stranger(), exchange(&code));
        tokio::spawn(async move { client.issue_token(request).await })
    });
    let mut issued = Vec::new();
    for exchange in exchanges.collect::<Vec<_>>() {
        match exchange.await.unwrap() {
            Ok(tokens) => issued.push(tokens.into_inner()),
            Err(status) => assert_eq!(oauth_error(&status), "invalid_grant", "{status:?}"),
        }
    }
    assert_eq!(issued.len(), 1);
    // Fifteen replays: nobody can know which of the sixteen was the thief.
    assert_eq!(house.caller(&issued[0].access_token).await, None);
    assert_eq!(house.audited("identity.code.replayed").await, 1);
}

#[tokio::test]
async fn protected_health_data_is_for_partners_with_a_signed_agreement() {
    let house = House::open().await;
    let mut operator = house.operator("loop").await;
    for (baa_signed, leads_to) in
        [(false, "https://gym.example/cb?error=invalid_scope"), (true, "/sign-in?")]
    {
        let request = pb::CreateOauthClientRequest {
            client_name: "Gym".into(),
            redirect_uris: vec![REDIRECT.into()],
            allowed_scopes: vec!["read:biomarkers".into()],
            baa_signed,
            ..Default::default()
        };
        let created = operator.create_oauth_client(request).await.unwrap().into_inner();
        let client = created.client.unwrap();
        assert_eq!(client.baa_signed, baa_signed);
        let address = authorize(&client.client_id, REDIRECT, "read:biomarkers");
        let page = house.browser().get(&address).await;
        assert!(page.location().starts_with(leads_to), "{}", page.location());
    }
}
