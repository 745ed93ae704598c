//! Pages of other origins: an app without a server, and a page that no client has registered.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
};

use fantoccini::key::Key;
use serde_json::{Value, json};

use crate::page::Page;

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Calls a path with a token and tells what the page sees of the answer.
const CALL: &str = r#"
    const [url, method, token] = arguments;
    const headers = { authorization: `Bearer ${token}`, "idempotency-key": "elsewhere" };
    return fetch(url, { method, headers }).then(
        async (it) => ({
            status: it.status,
            limit: it.headers.get("ratelimit-limit"),
            request: it.headers.get("x-request-id"),
            body: await it.json().catch(() => null),
        }),
        (it) => ({ failure: it.name }),
    );
"#;

/// Sends a form and tells the answer.
const SEND: &str = r#"
    const [url, parameters] = arguments;
    return fetch(url, { method: "POST", body: new URLSearchParams(parameters) })
        .then((it) => it.json());
"#;

/// Registers an app of a page, in the brand `loop`.
const REGISTER: &str = r#"
    const [token, origin] = arguments;
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const body = JSON.stringify({
        client_name: "Elsewhere",
        client_type: "public",
        redirect_uris: ["http://127.0.0.1/callback"],
        allowed_scopes: ["read:account", "manage:connected_apps"],
        allowed_origins: [origin],
    });
    return fetch("/v1/admin/oauth-clients", { method: "POST", headers, body })
        .then((it) => it.json());
"#;

/// A site of one empty page, at an origin of its own.
fn site() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 8192]);
            let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\
                        content-length: 45\r\n\r\n<!doctype html><title>App</title><h1>App</h1>";
            let _ = stream.write_all(page.as_bytes());
        }
    });
    origin
}

impl Page {
    fn api(&self, path: &str) -> String {
        format!("{}{path}", self.platform.url)
    }

    /// What a page at the current address sees of a call.
    async fn call(&self, method: &str, path: &str, token: &str) -> Value {
        self.run(CALL, vec![self.api(path).into(), method.into(), token.into()]).await
    }

    async fn token(&self, parameters: Value) -> String {
        let answer = self.run(SEND, vec![self.api("/v1/oauth/token").into(), parameters]).await;
        let token = answer["access_token"].as_str();
        token.unwrap_or_else(|| panic!("no token: {answer}")).to_owned()
    }

    async fn operators_token(&self) -> String {
        let parameters = json!({
            "grant_type": "client_credentials",
            "client_id": self.platform.operator,
            "client_secret": self.platform.operator_secret,
            "brand_id": "loop",
        });
        self.token(parameters).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_app_without_a_server_signs_a_person_in_calls_and_reads_failures() {
    let Some(page) = Page::new().await else { return };
    let app = site();
    page.open("").await;
    let operator = page.operators_token().await;
    let registered = page.run(REGISTER, vec![operator.into(), app.clone().into()]).await;
    let client_id = registered["client"]["client_id"].as_str().unwrap();

    let callback = format!("{app}/callback");
    let query = format!(
        "response_type=code&client_id={client_id}&redirect_uri={callback}&state=s\
         &scope=read:account%20manage:connected_apps&code_challenge={CHALLENGE}\
         &code_challenge_method=S256"
    );
    page.visit(&page.api(&format!("/v1/oauth/authorize?{query}"))).await;
    page.fill("#email", identity::DEMO_EMAIL).await;
    page.fill("#password", &page.platform.member_password).await;
    page.press(Key::Enter).await;
    page.click("button[value=allow]").await;
    page.says("h1", "App").await;
    let code = "return new URL(location).searchParams.get('code')";
    let code = page.run(code, vec![]).await;
    assert!(page.address().await.starts_with(&callback));
    let token = page
        .token(json!({
            "grant_type": "authorization_code",
            "client_id": client_id,
            "redirect_uri": callback,
            "code_verifier": VERIFIER,
            "code": code,
        }))
        .await;

    let seen = page.call("GET", "/v1/users/me", &token).await;
    assert_eq!(seen["status"], 200, "{seen}");
    assert_eq!(seen["body"]["email"], identity::DEMO_EMAIL);
    assert!(seen["limit"].is_string() && seen["request"].is_string(), "{seen}");
    let seen = page.call("DELETE", "/v1/users/me/connected-apps/cli_other", &token).await;
    assert_eq!(seen["body"]["details"][0]["reason"], "GRANT_NOT_FOUND", "{seen}");
    let seen = page.call("GET", "/v1/users/me", "lph_at_expired").await;
    assert_eq!(seen["body"]["error"], "invalid_token", "{seen}");

    // The same token in a page of somebody else.
    page.visit(&site()).await;
    for (method, path) in
        [("GET", "/v1/users/me"), ("DELETE", "/v1/users/me/connected-apps/cli_other")]
    {
        let seen = page.call(method, path, &token).await;
        assert_eq!(seen, json!({"failure": "TypeError"}), "{method}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_page_that_no_client_has_registered_sees_what_is_public_and_nothing_else() {
    let Some(page) = Page::new().await else { return };
    page.visit(&site()).await;
    let operator = page.operators_token().await;
    for (method, path) in [
        ("GET", "/v1/admin/oauth-clients"),
        ("POST", "/v1/admin/oauth-clients"),
        ("GET", "/v1/nothing"),
    ] {
        let seen = page.call(method, path, &operator).await;
        assert_eq!(seen, json!({"failure": "TypeError"}), "{method} {path}");
    }
    let metadata = page.api("/.well-known/oauth-authorization-server");
    let issuer = "return fetch(arguments[0]).then((it) => it.json()).then((it) => it.issuer)";
    assert_eq!(page.run(issuer, vec![metadata.into()]).await, json!(page.platform.url));
}
