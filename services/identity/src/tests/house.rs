//! What most tests need: a world, its apps, and people who sign in to them.

use identity_contract::v1::{self as pb, identity_service_client::IdentityServiceClient};
use kit::{Caller, Platform};
use kit_test::{TestClient, World};
use tonic::{Response, Status};
use tonic_types::StatusExt as _;

use super::browser::{Browser, Page};
use crate::SERVICE;

/// RFC 7636 appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub const REDIRECT: &str = "https://gym.example/cb";
pub const LOOP_APP: &str = "cli_loop_app";
pub const LOOP_APP_REDIRECT: &str = "http://127.0.0.1:49152/callback";

pub type Client = IdentityServiceClient<TestClient>;

pub struct House {
    pub world: World,
}

/// A partner's app.
pub struct Partner {
    pub id: String,
    pub secret: String,
}

impl House {
    pub async fn open() -> Self {
        Self { world: World::start(&[&SERVICE]).await }
    }

    pub fn platform(&self) -> &Platform {
        self.world.platform("identity")
    }

    pub fn browser(&self) -> Browser {
        Browser::new(kit::app(self.platform()))
    }

    /// Identity, for somebody without a token.
    pub fn stranger(&self) -> Client {
        IdentityServiceClient::new(self.world.stranger("identity"))
    }

    pub fn bearer(&self, token: &str) -> Client {
        IdentityServiceClient::new(self.world.bearer("identity", token))
    }

    /// Identity, for an administrator who works in a brand.
    pub async fn operator(&self, brand: &str) -> Client {
        let token = self.machine_token("cli_operator").await;
        let transport = self.world.bearer("identity", &token).with("x-brand-id", brand);
        IdentityServiceClient::new(transport)
    }

    pub async fn machine_token(&self, client_id: &str) -> String {
        let request = self.machine_request(client_id);
        self.stranger().issue_token(request).await.unwrap().into_inner().access_token
    }

    pub fn machine_request(&self, client_id: &str) -> pb::IssueTokenRequest {
        pb::IssueTokenRequest {
            grant_type: "client_credentials".into(),
            client_id: client_id.into(),
            client_secret: self.platform().key.client_secret(client_id).expose().into(),
            ..Default::default()
        }
    }

    /// A confidential client that may ask for `scopes`.
    pub async fn partner(&self, brand: &str, scopes: &[&str]) -> Partner {
        let request = pb::CreateOauthClientRequest {
            client_name: "Partner <Gym>".into(),
            redirect_uris: vec![REDIRECT.into()],
            allowed_scopes: scopes.iter().map(ToString::to_string).collect(),
            ..Default::default()
        };
        let created = self.operator(brand).await.create_oauth_client(request).await;
        let created = created.unwrap().into_inner();
        Partner { id: created.client.unwrap().client_id, secret: created.client_secret }
    }

    /// Asks the source of truth by way of the cache, as every checkpoint does.
    pub async fn caller(&self, token: &str) -> Option<Caller> {
        let caller = self.platform().introspector().caller(token).await.unwrap();
        caller.map(std::sync::Arc::unwrap_or_clone)
    }

    /// Signs in on the page that `address` leads to, and goes where that leads.
    pub async fn sign_in(&self, browser: &mut Browser, address: &str, email: &str) -> Page {
        let to_form = browser.get(address).await;
        let form = browser.get(to_form.location()).await;
        let password = crate::demo_password(&self.platform().key);
        let fields = [("email", email), ("password", &password), ("form_token", form.form_token())];
        let back = browser.post(to_form.location(), &fields).await;
        browser.get(back.location()).await
    }

    /// A code for the platform's own app, which asks for no consent.
    pub async fn code_for_loop_app(&self, scope: &str) -> String {
        let address = authorize(LOOP_APP, LOOP_APP_REDIRECT, scope);
        let page = self.sign_in(&mut self.browser(), &address, "ada@loop.test").await;
        page.parameter("code").unwrap()
    }

    /// Ada's tokens in the platform's own app.
    pub async fn ada(&self) -> pb::IssueTokenResponse {
        let code = self.code_for_loop_app("read:account manage:connected_apps").await;
        self.stranger().issue_token(exchange(&code)).await.unwrap().into_inner()
    }

    pub async fn refresh(&self, token: &str) -> Result<Response<pb::IssueTokenResponse>, Status> {
        self.stranger().issue_token(refresh(token)).await
    }

    /// Rows of the audit log with this type.
    pub async fn audited(&self, event_type: &str) -> i64 {
        let mut admin = self.world.database.admin().await;
        sqlx::query_scalar("SELECT count(*) FROM identity.audit_log WHERE event_type = $1")
            .bind(event_type)
            .fetch_one(&mut admin)
            .await
            .unwrap()
    }
}

/// The address of an authorization request that keeps every rule.
pub fn authorize(client_id: &str, redirect_uri: &str, scope: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("response_type", "code"),
            ("client_id", client_id),
            ("redirect_uri", redirect_uri),
            ("scope", scope),
            ("state", "a state & more"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ])
        .finish();
    format!("/v1/oauth/authorize?{query}")
}

/// The exchange of a code of the platform's own app.
pub fn exchange(code: &str) -> pb::IssueTokenRequest {
    pb::IssueTokenRequest {
        grant_type: "authorization_code".into(),
        client_id: LOOP_APP.into(),
        code: code.into(),
        redirect_uri: LOOP_APP_REDIRECT.into(),
        code_verifier: VERIFIER.into(),
        ..Default::default()
    }
}

pub fn refresh(token: &str) -> pb::IssueTokenRequest {
    pb::IssueTokenRequest {
        grant_type: "refresh_token".into(),
        client_id: LOOP_APP.into(),
        refresh_token: token.into(),
        ..Default::default()
    }
}

/// The value of `error` that the edge will answer with.
pub fn oauth_error(status: &Status) -> String {
    let info = status.get_details_error_info().unwrap();
    info.metadata.get("oauth_error").cloned().unwrap_or_default()
}
