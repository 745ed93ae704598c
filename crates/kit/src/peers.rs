//! Calls to other services: the mesh, with this service's own token.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Request, Response, header::AUTHORIZATION};
use identity_contract::v1::{
    CheckOriginRequest, IssueTokenRequest, ResolveTokenRequest,
    identity_service_client::IdentityServiceClient,
};
use mesh::{Mesh, Peer};
use oauth_core::TokenHash;
use tokio::sync::Mutex;
use tonic::body::Body;
use tower::{BoxError, Service, util::BoxCloneSyncService};

use crate::{
    Brand, Clock, Context, Error, PlatformKey, Resolver, Result, Time,
    call::{ACTING_USER, BRAND_ID, REQUEST_ID, TRACEPARENT},
    error::from_peer,
};

/// How long a peer may take when the caller set no shorter deadline.
const DEADLINE: Duration = Duration::from_secs(5);

/// Asks the source of truth whether pages of a web origin may call at all: whether any enabled
/// client has registered it.
pub type OriginCheck = BoxCloneSyncService<String, bool, Error>;

/// A client's own machine token, renewed before it ends.
#[derive(Clone)]
pub struct Peers {
    mesh: Mesh,
    client_id: Arc<str>,
    key: PlatformKey,
    clock: Clock,
    token: Arc<Mutex<Option<MachineToken>>>,
}

#[derive(Clone)]
struct MachineToken {
    header: HeaderValue,
    renew_at: Time,
}

/// The OAuth client id of one of the platform's own processes.
pub fn client_id(service: &str) -> String {
    format!("cli_{}", service.replace('-', "_"))
}

impl Peers {
    /// Peers as `service` sees them: it calls with that service's machine token.
    pub fn new(mesh: Mesh, service: &str, key: PlatformKey, clock: Clock) -> Self {
        Self { mesh, client_id: client_id(service).into(), key, clock, token: Arc::default() }
    }

    pub fn mesh(&self) -> &Mesh {
        &self.mesh
    }

    /// A transport to a peer within a call: its brand, request and trace go along, and for the
    /// audit log the person it acts for.
    pub async fn within(&self, name: &str, context: &Context) -> Result<Outbound> {
        let mut headers = self.headers(&context.brand).await?;
        let mut put = |name, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        put(REQUEST_ID, &context.request_id.0);
        if let Some(traceparent) = &context.traceparent {
            put(TRACEPARENT, traceparent);
        }
        if context.caller.kind == contract::CallerKind::User {
            put(ACTING_USER, &context.caller.subject);
        }
        self.outbound(name, headers)
    }

    /// A transport to a peer for the platform's own work within a brand.
    pub async fn in_brand(&self, name: &str, brand: &Brand) -> Result<Outbound> {
        let headers = self.headers(brand).await?;
        self.outbound(name, headers)
    }

    /// Resolves tokens by asking identity over the mesh.
    pub fn resolver(&self) -> Resolver {
        let peers = self.clone();
        Resolver::new(tower::service_fn(move |hash: TokenHash| {
            let peers = peers.clone();
            async move {
                let identity = peers.in_brand("identity", &Brand::platform()).await?;
                let request = ResolveTokenRequest { token_hash: hash.0.to_vec() };
                let answer = IdentityServiceClient::new(identity).resolve_token(request).await;
                answer.map(tonic::Response::into_inner).map_err(|status| {
                    Error::unavailable(
                        "INTROSPECTION_UNAVAILABLE",
                        "the token cannot be checked now",
                    )
                    .caused_by(from_peer(status))
                })
            }
        }))
    }

    /// Checks origins by asking identity over the mesh.
    pub fn origin_check(&self) -> OriginCheck {
        let peers = self.clone();
        OriginCheck::new(tower::service_fn(move |origin: String| {
            let peers = peers.clone();
            async move {
                let identity = peers.in_brand("identity", &Brand::platform()).await?;
                let request = CheckOriginRequest { origin };
                let answer = IdentityServiceClient::new(identity).check_origin(request).await;
                answer.map(|it| it.into_inner().allowed).map_err(from_peer)
            }
        }))
    }

    fn outbound(&self, name: &str, headers: HeaderMap) -> Result<Outbound> {
        Ok(Outbound { peer: self.mesh.peer(name)?, headers: Arc::new(headers) })
    }

    async fn headers(&self, brand: &Brand) -> Result<HeaderMap> {
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(AUTHORIZATION, self.token().await?);
        let brand = HeaderValue::from_str(brand.as_str()).expect("a brand is ASCII");
        headers.insert(BRAND_ID, brand);
        Ok(headers)
    }

    /// One caller renews, the others wait for it.
    async fn token(&self) -> Result<HeaderValue> {
        let mut held = self.token.lock().await;
        if let Some(token) = held.as_ref().filter(|it| self.clock.now() < it.renew_at) {
            return Ok(token.header.clone());
        }
        let token = self.issue().await?;
        *held = Some(token.clone());
        Ok(token.header)
    }

    async fn issue(&self) -> Result<MachineToken> {
        let identity = Outbound { peer: self.mesh.peer("identity")?, headers: Arc::default() };
        let request = IssueTokenRequest {
            grant_type: "client_credentials".into(),
            client_id: self.client_id.to_string(),
            client_secret: self.key.client_secret(&self.client_id).expose().to_owned(),
            ..IssueTokenRequest::default()
        };
        let now = self.clock.now();
        let answer = IdentityServiceClient::new(identity).issue_token(request).await;
        let answer = answer.map_err(|status| {
            Error::unavailable("MACHINE_TOKEN_UNAVAILABLE", "no machine token can be had now")
                .caused_by(from_peer(status))
        })?;
        let answer = answer.into_inner();
        let mut header = HeaderValue::from_str(&format!("Bearer {}", answer.access_token))
            .map_err(Error::internal)?;
        header.set_sensitive(true);
        // Renewed when a fifth of its life is left.
        let life = chrono::Duration::seconds(i64::from(answer.expires_in) * 4 / 5);
        Ok(MachineToken { header, renew_at: now + life })
    }
}

/// A tonic transport to one peer that adds the caller's headers.
#[derive(Clone)]
pub struct Outbound {
    peer: Peer,
    headers: Arc<HeaderMap>,
}

impl Service<Request<Body>> for Outbound {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), BoxError>> {
        self.peer.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        for (name, value) in self.headers.iter() {
            request.headers_mut().insert(name, value.clone());
        }
        let answer = Service::call(&mut self.peer, request);
        Box::pin(async move {
            match tokio::time::timeout(DEADLINE, answer).await {
                Ok(answer) => answer,
                Err(elapsed) => Err(elapsed.into()),
            }
        })
    }
}
