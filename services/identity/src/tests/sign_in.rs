//! The pages: who gets in, and who is sent away.

use axum::http::StatusCode;

use super::{
    browser::{Browser, Page},
    house::*,
};

fn address() -> String {
    authorize(LOOP_APP, LOOP_APP_REDIRECT, "read:account")
}

/// The sign-in form, and where it leads.
async fn form(browser: &mut Browser) -> (String, String) {
    let location = browser.get(&address()).await.location().to_owned();
    let token = browser.get(&location).await.form_token().to_owned();
    (location, token)
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_look_the_same() {
    let house = House::open().await;
    let mut bodies = Vec::new();
    for email in ["ada@loop.test", "nobody@loop.test", "grace@loopbio.test"] {
        let mut browser = house.browser();
        let (location, token) = form(&mut browser).await;
        let mut password = crate::demo_password(&house.platform().key);
        if email.starts_with("ada") {
            password.push('x');
        }
        let fields = [("email", email), ("password", &password), ("form_token", &token)];
        let page = browser.post(&location, &fields).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.body.contains("role=\"alert\""));
        assert!(!page.body.contains(&password));
        assert!(!browser.cookies.contains_key("loop_session"));
        let body = page.body.replace(email, "").replace(page.form_token(), "");
        bodies.push(body);
    }
    assert!(bodies.iter().all(|it| it == &bodies[0]));
    assert_eq!(house.audited("identity.session.started").await, 0);
}

#[tokio::test]
async fn after_ten_attempts_an_account_has_to_wait() {
    let house = House::open().await;
    let mut browser = house.browser();
    let (location, token) = form(&mut browser).await;
    let password = crate::demo_password(&house.platform().key);
    for attempt in 0..11 {
        let guess = if attempt < 10 { "wrong" } else { &password };
        let fields = [("email", "ADA@loop.test"), ("password", guess), ("form_token", &token)];
        let page = browser.post(&location, &fields).await;
        let expected = if attempt < 10 {
            StatusCode::UNPROCESSABLE_ENTITY
        } else {
            assert!(page.headers.contains_key("retry-after"));
            StatusCode::TOO_MANY_REQUESTS
        };
        assert_eq!(page.status, expected, "attempt {attempt}");
    }
}

#[tokio::test]
async fn one_network_address_cannot_try_account_after_account() {
    let house = House::open().await;
    let mut browser = house.browser();
    let (location, token) = form(&mut browser).await;
    for attempt in 0..52 {
        let address = if attempt < 51 { "192.0.2.1" } else { "192.0.2.2" };
        browser.form_headers = vec![("x-forwarded-for", address)];
        let email = format!("member{attempt}@loop.test");
        let fields = [("email", &*email), ("password", "guess"), ("form_token", &token)];
        let status = browser.post(&location, &fields).await.status;
        let limited = attempt == 50;
        assert_eq!(status == StatusCode::TOO_MANY_REQUESTS, limited, "attempt {attempt}");
    }
}

#[tokio::test]
async fn a_form_from_elsewhere_is_refused() {
    let house = House::open().await;
    let password = crate::demo_password(&house.platform().key);
    let mut attacker = house.browser();
    let (location, attackers_token) = form(&mut attacker).await;
    let mut browser = house.browser();
    let (_, own_token) = form(&mut browser).await;
    let cross_site = vec![("sec-fetch-site", "cross-site")];
    let same_origin = browser.form_headers.clone();
    for (token, headers) in [
        ("", same_origin.clone()),
        (&*attackers_token, same_origin.clone()),
        (&*own_token, cross_site.clone()),
        (&*own_token, vec![("origin", "https://evil.example")]),
    ] {
        browser.form_headers = headers;
        let fields = [("email", "ada@loop.test"), ("password", &*password), ("form_token", token)];
        let page = browser.post(&location, &fields).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert!(!browser.cookies.contains_key("loop_session"));
    }
    browser.form_headers = same_origin;
    let fields =
        [("email", "ada@loop.test"), ("password", &*password), ("form_token", &*own_token)];
    browser.post(&location, &fields).await.location();

    // The same at consent, with a form for another app, and at sign-out.
    let partner = house.partner("loop", &["email"]).await;
    let other = house.partner("loop", &["email"]).await;
    let form_of_other = browser.get(&authorize(&other.id, REDIRECT, "email")).await;
    let form_of_other = browser.get(form_of_other.location()).await;
    let to_consent = browser.get(&authorize(&partner.id, REDIRECT, "email")).await;
    let consent = browser.get(to_consent.location()).await;
    for (token, headers) in [
        (form_of_other.form_token(), browser.form_headers.clone()),
        (&own_token, browser.form_headers.clone()),
        (consent.form_token(), cross_site.clone()),
    ] {
        browser.form_headers = headers;
        let fields = [("decision", "allow"), ("form_token", token)];
        let page = browser.post(to_consent.location(), &fields).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(house.audited("identity.consent.granted").await, 0);
    let page = browser.post("/sign-out", &[("form_token", consent.form_token())]).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn nobody_is_ever_sent_to_an_address_that_is_not_registered() {
    let house = House::open().await;
    let mut browser = house.browser();
    house.sign_in(&mut browser, &address(), "ada@loop.test").await;
    for redirect_uri in [
        "",
        "https://evil.example/callback",
        "http://127.0.0.1.evil.example/callback",
        "http://127.0.0.1:80@evil.example/callback",
        "http://127.0.0.1/callback/../evil",
        "http://127.0.0.1/callback?next=https://evil.example",
        "http://127.0.0.1/CALLBACK",
        "//evil.example/callback",
        "javascript:alert(1)",
        "http://127.0.0.1\\@evil.example/callback",
        "http://127.0.0.1%25@evil.example/callback",
    ] {
        for path in ["/v1/oauth/authorize", "/sign-in", "/consent"] {
            let address = authorize(LOOP_APP, redirect_uri, "read:account");
            let page = browser.get(&address.replace("/v1/oauth/authorize", path)).await;
            assert_eq!(page.status, StatusCode::BAD_REQUEST, "{path} {redirect_uri}");
            assert!(!page.headers.contains_key("location"));
        }
    }
    let unknown = browser.get(&authorize("cli_nobody", REDIRECT, "email")).await;
    assert_eq!(unknown.status, StatusCode::BAD_REQUEST);
    let twice = format!("{}&redirect_uri=https%3A%2F%2Fevil.example", address());
    assert_eq!(browser.get(&twice).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn every_page_is_closed_to_frames_scripts_caches_and_referrers() {
    let house = House::open().await;
    let mut browser = house.browser();
    let to_form = browser.get(&address()).await;
    let location = to_form.location().to_owned();
    let page = browser.get(&location).await;
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    for part in ["default-src 'none'", "frame-ancestors 'none'", "style-src 'sha256-"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(policy.contains("form-action 'self' http://127.0.0.1:49152;"), "{policy}");
    assert!(!policy.contains("unsafe") && !page.body.contains("<script"));
    for page in [&to_form, &page] {
        for (name, value) in [
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(page.headers[name], value);
        }
    }
    for part in ["<html lang=\"en\">", "<label for=\"password\">", "autocomplete=\"username\""] {
        assert!(page.body.contains(part), "{part}");
    }
    let cookie = page.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
}

#[tokio::test]
async fn a_session_is_new_at_each_sign_in_and_over_after_sign_out() {
    let house = House::open().await;
    let mut browser = house.browser();
    house.sign_in(&mut browser, &address(), "ada@loop.test").await;
    let first = browser.cookies["loop_session"].clone();
    let again = format!("{}&prompt=login", address());
    house.sign_in(&mut browser, &again, "ada@loop.test").await;
    let second = browser.cookies["loop_session"].clone();
    assert_ne!(first, second);
    let mut thief = house.browser();
    thief.cookies.insert("loop_session".into(), first);
    assert!(thief.get(&address()).await.location().starts_with("/sign-in?"));

    let page = browser.get("/sign-out").await;
    let signed_out = browser.post("/sign-out", &[("form_token", page.form_token())]).await;
    assert_eq!(signed_out.location(), "/sign-out");
    assert!(!browser.cookies.contains_key("loop_session"));
    assert!(browser.get("/sign-out").await.body.contains("You are signed out"));
    thief.cookies.insert("loop_session".into(), second);
    assert!(thief.get(&address()).await.location().starts_with("/sign-in?"));
}

#[tokio::test]
async fn a_session_of_one_brand_is_nothing_in_another() {
    let house = House::open().await;
    let mut browser = house.browser();
    house.sign_in(&mut browser, &address(), "ada@loop.test").await;
    let partner = house.partner("loopbio", &["email"]).await;
    let elsewhere = authorize(&partner.id, REDIRECT, "email");
    assert!(browser.get(&elsewhere).await.location().starts_with("/sign-in?"));
    let consent = elsewhere.replace("/v1/oauth/authorize", "/consent");
    assert!(browser.get(&consent).await.location().starts_with("/sign-in?"));
}

#[tokio::test]
async fn a_session_ends_after_fourteen_days() {
    let house = House::open().await;
    let mut browser = house.browser();
    house.sign_in(&mut browser, &address(), "ada@loop.test").await;
    house.world.clock.advance(std::time::Duration::from_secs(14 * 86_400));
    assert!(browser.get(&address()).await.location().starts_with("/sign-in?"));
}

#[tokio::test]
async fn below_a_path_of_the_host_every_way_and_every_cookie_stays_below_it() {
    let house = House::open().await;
    let mut platform = house.platform().clone();
    platform.public_url = "https://loop.test/loop".into();
    let mut browser = Browser::new(kit::app(&platform));
    // The edge takes the path away before it asks.
    let below = |it: &Page| it.location().strip_prefix("/loop").expect("below").to_owned();
    let sets = |page: &Page, cookie: &str| {
        let line = page.headers["set-cookie"].to_str().unwrap().to_owned();
        assert!(line.starts_with(cookie) && line.contains("; Path=/loop; "), "{line}");
    };
    let location = below(&browser.get(&address()).await);
    let page = browser.get(&location).await;
    sets(&page, "__Secure-loop_form=");
    assert!(page.body.contains("action=\"/loop/sign-in?"), "{}", page.body);

    let password = crate::demo_password(&platform.key);
    let token = page.form_token().to_owned();
    let fields = [("email", "ada@loop.test"), ("password", &password), ("form_token", &token)];
    browser.form_headers = vec![("origin", "https://loop.test")];
    let page = browser.post(&location, &fields).await;
    sets(&page, "__Secure-loop_session=");
    assert!(below(&page).starts_with("/v1/oauth/authorize?"));
    let page = browser.get(&below(&page)).await;
    assert!(page.location().starts_with("/loop/consent?") || page.parameter("code").is_some());

    let page = browser.get("/sign-out").await;
    assert!(page.body.contains("action=\"/loop/sign-out\""), "{}", page.body);
    let token = page.form_token().to_owned();
    let page = browser.post("/sign-out", &[("form_token", &token)]).await;
    assert_eq!(below(&page), "/sign-out");
    assert!(!browser.cookies.contains_key("__Secure-loop_session"));
}
