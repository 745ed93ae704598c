//! Identity's part for tests of other services: tokens at will, in memory.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

use identity_contract::v1::{
    self as pb,
    identity_service_server::{IdentityService, IdentityServiceServer},
};
use kit::{Clock, Reply};
use mesh::App;
use oauth_core::{Kind, Token};
use tonic::{Request, Response, Status, async_trait, body::Body, service::Routes};
use tower::{Service as _, util::BoxCloneSyncService};

/// What a test's token stands for.
#[derive(Clone, Debug)]
pub struct Grant {
    pub kind: &'static str,
    pub subject: String,
    pub client_id: String,
    pub brand: Option<String>,
    pub brands: Vec<String>,
    pub scopes: Vec<String>,
    /// The web origins of the client.
    pub origins: Vec<String>,
}

impl Grant {
    /// A person in a brand, through an app.
    pub fn user(subject: &str, brand: &str, scopes: &[&str]) -> Self {
        Self {
            kind: "user",
            subject: subject.into(),
            client_id: "cli_app".into(),
            brand: Some(brand.into()),
            brands: Vec::new(),
            scopes: scopes.iter().map(ToString::to_string).collect(),
            origins: Vec::new(),
        }
    }

    /// A machine client that may act in every brand.
    pub fn service(client_id: &str, scopes: &[&str]) -> Self {
        Self {
            kind: "service",
            subject: client_id.into(),
            client_id: client_id.into(),
            brand: None,
            brands: vec!["*".into()],
            scopes: scopes.iter().map(ToString::to_string).collect(),
            origins: Vec::new(),
        }
    }

    /// The same through a client that has registered these web origins.
    #[must_use]
    pub fn from_origins(mut self, origins: &[&str]) -> Self {
        self.origins = origins.iter().map(ToString::to_string).collect();
        self
    }
}

/// Every scope a service of the platform itself holds.
const MACHINE_SCOPES: [&str; 6] = [
    "admin:identity",
    "admin:platform",
    "admin:clinical",
    "admin:patient_graph",
    "admin:events",
    "admin:records",
];

/// Issues and resolves tokens and knows the origins of their clients; nothing else of identity.
#[derive(Clone, Debug)]
pub struct FakeIdentity {
    grants: Arc<Mutex<HashMap<Vec<u8>, Grant>>>,
    checks: Arc<AtomicUsize>,
    clock: Clock,
}

impl FakeIdentity {
    pub fn new(clock: Clock) -> Self {
        Self { grants: Arc::default(), checks: Arc::default(), clock }
    }

    /// How often it was asked for an origin.
    pub fn checks(&self) -> usize {
        self.checks.load(Ordering::SeqCst)
    }

    /// A new access token that stands for `grant`.
    pub fn issue(&self, grant: Grant) -> String {
        let token = Token::mint(Kind::AccessToken);
        self.grants().insert(token.hash().0.to_vec(), grant);
        token.expose().to_owned()
    }

    /// Ends a token at the source; caches know nothing of it.
    pub fn forget(&self, token: &str) {
        let hash = Token::parse(Kind::AccessToken, token).expect("a token of ours").hash();
        self.grants().remove(&hash.0.to_vec());
    }

    fn grants(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Grant>> {
        self.grants.lock().expect("no test panics while it holds the lock")
    }

    pub fn app(&self) -> App {
        let router =
            Routes::new(IdentityServiceServer::new(self.clone())).prepare().into_axum_router();
        BoxCloneSyncService::new(tower::service_fn(move |request: http::Request<Body>| {
            let mut router = router.clone();
            async move { Ok(router.call(request).await?.map(Body::new)) }
        }))
    }
}

fn not_here<T>() -> Reply<T> {
    Err(Status::unimplemented("the fake knows tokens and origins only"))
}

#[async_trait]
impl IdentityService for FakeIdentity {
    async fn issue_token(
        &self,
        request: Request<pb::IssueTokenRequest>,
    ) -> Reply<pb::IssueTokenResponse> {
        let client_id = request.into_inner().client_id;
        let access_token = self.issue(Grant::service(&client_id, &MACHINE_SCOPES));
        Ok(Response::new(pb::IssueTokenResponse {
            access_token,
            expires_in: 900,
            ..Default::default()
        }))
    }

    async fn resolve_token(
        &self,
        request: Request<pb::ResolveTokenRequest>,
    ) -> Reply<pb::ResolveTokenResponse> {
        let hash = request.into_inner().token_hash;
        let Some(grant) = self.grants().get(&hash).cloned() else {
            return Ok(Response::new(pb::ResolveTokenResponse::default()));
        };
        Ok(Response::new(pb::ResolveTokenResponse {
            active: true,
            subject: grant.subject,
            kind: grant.kind.into(),
            client_id: grant.client_id,
            brand_id: grant.brand.unwrap_or_default(),
            brands: grant.brands,
            scopes: grant.scopes,
            allowed_origins: grant.origins,
            expires_at: Some(kit::timestamp(self.clock.now() + chrono::Duration::hours(1))),
        }))
    }

    async fn check_origin(
        &self,
        request: Request<pb::CheckOriginRequest>,
    ) -> Reply<pb::CheckOriginResponse> {
        self.checks.fetch_add(1, Ordering::SeqCst);
        let origin = request.into_inner().origin;
        let allowed = self.grants().values().any(|it| it.origins.contains(&origin));
        Ok(Response::new(pb::CheckOriginResponse { allowed }))
    }

    async fn get_server_metadata(
        &self,
        _: Request<pb::GetServerMetadataRequest>,
    ) -> Reply<pb::GetServerMetadataResponse> {
        not_here()
    }

    async fn introspect_token(
        &self,
        _: Request<pb::IntrospectTokenRequest>,
    ) -> Reply<pb::IntrospectTokenResponse> {
        not_here()
    }

    async fn revoke_token(&self, _: Request<pb::RevokeTokenRequest>) -> Reply<()> {
        not_here()
    }

    async fn get_me(&self, _: Request<pb::GetMeRequest>) -> Reply<pb::GetMeResponse> {
        not_here()
    }

    async fn list_connected_apps(
        &self,
        _: Request<pb::ListConnectedAppsRequest>,
    ) -> Reply<pb::ListConnectedAppsResponse> {
        not_here()
    }

    async fn disconnect_app(&self, _: Request<pb::DisconnectAppRequest>) -> Reply<()> {
        not_here()
    }

    async fn create_oauth_client(
        &self,
        _: Request<pb::CreateOauthClientRequest>,
    ) -> Reply<pb::CreateOauthClientResponse> {
        not_here()
    }

    async fn list_oauth_clients(
        &self,
        _: Request<pb::ListOauthClientsRequest>,
    ) -> Reply<pb::ListOauthClientsResponse> {
        not_here()
    }
}
