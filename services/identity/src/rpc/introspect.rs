//! What a token stands for: for clients by RFC 7662, for services by its hash. Nothing is written.

use identity_contract::v1 as pb;
use kit::{Call, Error, Reply, Result, Time, timestamp};
use oauth_core::{Authentication, ErrorCode, Kind, Token, TokenHash};
use tonic::{Request, Response};

use super::{Rpc, issue};
use crate::{
    domain::{client::RegisteredClient, token::ActiveToken},
    store::Lookup,
    wire::{self, refusal},
};

pub async fn introspect(
    rpc: &Rpc,
    request: Request<pb::IntrospectTokenRequest>,
) -> Reply<pb::IntrospectTokenResponse> {
    let authorization = issue::basic(request.metadata());
    let call = Call::of(request)?;
    let body = &call.body;
    let credentials = issue::credentials(authorization, &body.client_id, &body.client_secret)?;
    let now = rpc.platform.clock.now();
    let client = rpc.lookup.client(credentials.client_id()).await?;
    credentials.authenticate(client.as_ref().map(|it| &it.rules), now).map_err(refusal)?;
    let client = client.filter(keeps_a_secret).ok_or_else(no_proof)?;
    let token = match Token::parse(Kind::AccessToken, &body.token) {
        Ok(token) => rpc.lookup.token(&token.hash(), now).await?,
        Err(_) => None,
    };
    // What a client may not see is as unknown to it as what is not there (RFC 7662 section 2.2).
    let token = token.filter(|it| client.may_introspect(&it.brand));
    Ok(Response::new(wire::introspection(token)))
}

pub async fn resolve_for_service(
    rpc: &Rpc,
    request: Request<pb::ResolveTokenRequest>,
) -> Reply<pb::ResolveTokenResponse> {
    let call = Call::of(request)?;
    let hash = call.body.token_hash.try_into().map(TokenHash);
    let hash =
        hash.map_err(|_| Error::invalid("VALIDATION", "token_hash", "must have 32 bytes"))?;
    let resolved = resolve(&rpc.lookup, hash, rpc.platform.clock.now()).await?;
    Ok(Response::new(resolved))
}

/// What the checkpoints need of a token, from the source of truth.
pub async fn resolve(
    lookup: &Lookup,
    hash: TokenHash,
    now: Time,
) -> Result<pb::ResolveTokenResponse> {
    let token = lookup.token(&hash, now).await?;
    Ok(token.map(resolution).unwrap_or_default())
}

fn resolution(token: ActiveToken) -> pb::ResolveTokenResponse {
    pb::ResolveTokenResponse {
        active: true,
        subject: token.subject(),
        kind: wire::kind(&token).into(),
        brand_id: token.one_brand().map(ToString::to_string).unwrap_or_default(),
        brands: token.choice_of_brands().to_vec(),
        expires_at: Some(timestamp(token.expires_at)),
        client_id: token.client_id,
        scopes: token.scopes,
        allowed_origins: token.allowed_origins,
    }
}

fn keeps_a_secret(client: &RegisteredClient) -> bool {
    matches!(client.rules.authentication, Authentication::Secret(_))
}

/// A public client only names itself, which anybody could do.
fn no_proof() -> Error {
    let why = "a client without a secret may not introspect tokens";
    refusal(oauth_core::Error::new(ErrorCode::InvalidClient, why))
}
