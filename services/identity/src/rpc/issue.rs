//! The token endpoint: who asks, for which grant, and how it is answered.

use identity_contract::v1::{IssueTokenRequest, IssueTokenResponse};
use kit::{Brand, Call, Change, Clean, Context, Error, Reply, Result, Tx};
use oauth_core::{
    AuthenticatedClient, Credentials, ErrorCode, Token, TokenRequest, grant::TokenParameters,
};
use serde_json::json;
use tonic::{Request, metadata::MetadataMap};

use super::{Rpc, issue_code, issue_machine, issue_refresh};
use crate::{
    domain::{
        client::RegisteredClient,
        token::{Holder, Issue},
    },
    wire::refusal,
};

/// A client that has proven who it is, and the context of its request within its own brand.
pub struct Caller<'a> {
    pub client: &'a RegisteredClient,
    pub rules: AuthenticatedClient<'a>,
    pub context: Context,
}

pub async fn issue(rpc: &Rpc, request: Request<IssueTokenRequest>) -> Reply<IssueTokenResponse> {
    let authorization = basic(request.metadata());
    let call = Call::of(request)?;
    let body = &call.body;
    let credentials = credentials(authorization, &body.client_id, &body.client_secret)?;
    let client = rpc.lookup.client(credentials.client_id()).await?;
    let caller = caller(rpc, &credentials, client.as_ref(), &call.context)?;
    let answered = answer(rpc, &caller, body).await;
    answered.inspect_err(|status| {
        let (client_id, why) = (&caller.rules.id, status.message());
        tracing::info!(client_id, grant_type = known(&body.grant_type), why, "no token issued");
    })
}

async fn answer(
    rpc: &Rpc,
    caller: &Caller<'_>,
    body: &IssueTokenRequest,
) -> Reply<IssueTokenResponse> {
    let parameters = TokenParameters {
        grant_type: &body.grant_type,
        code: &body.code,
        redirect_uri: &body.redirect_uri,
        code_verifier: &body.code_verifier,
        refresh_token: &body.refresh_token,
        scope: &body.scope,
    };
    match TokenRequest::parse(caller.rules, parameters).map_err(refusal)? {
        TokenRequest::AuthorizationCode { code, redirect_uri, code_verifier } => {
            issue_code::issue(rpc, caller, &code, redirect_uri, code_verifier).await
        }
        TokenRequest::RefreshToken { token, scopes } => {
            issue_refresh::issue(rpc, caller, &token, scopes.as_ref()).await
        }
        TokenRequest::ClientCredentials { scopes } => {
            let brand = Some(&body.brand_id).filter(|it| !it.is_empty());
            let brand = brand.map(Brand::new).transpose();
            let brand = brand.map_err(|_| invalid_request("brand_id is not a brand"))?;
            issue_machine::issue(rpc, caller, scopes.as_ref(), brand).await
        }
    }
}

/// `Authorization: Basic`, as the edge passes it on. A bearer token here is not the client's proof.
pub fn basic(metadata: &MetadataMap) -> Option<String> {
    let header = metadata.get("authorization")?.to_str().ok()?;
    let is_basic = header.get(..6).is_some_and(|it| it.eq_ignore_ascii_case("basic "));
    is_basic.then(|| header.to_owned())
}

pub fn credentials(
    authorization: Option<String>,
    client_id: &str,
    client_secret: &str,
) -> Result<Credentials> {
    Credentials::extract(authorization.as_deref(), Some(client_id), Some(client_secret))
        .map_err(refusal)
}

/// Proves the client, and moves the request into its brand.
pub fn caller<'a>(
    rpc: &Rpc,
    credentials: &Credentials,
    client: Option<&'a RegisteredClient>,
    context: &Context,
) -> Result<Caller<'a>> {
    let now = rpc.platform.clock.now();
    let proven = credentials.authenticate(client.map(|it| &it.rules), now);
    let rules = proven.map_err(|error| {
        // Of an id that is not there nothing is logged: it may be a secret in the wrong field.
        tracing::info!(client_id = client.map(|it| &*it.rules.id), "no proof of the client");
        refusal(error)
    })?;
    let client = client.expect("a client that is not there proves nothing");
    let context = context.in_brand(client.brand.clone());
    if context.brand != client.brand {
        return Err(invalid_request("a bearer token of another brand does not belong here"));
    }
    Ok(Caller { client, rules, context })
}

/// Writes what was issued, and answers with the tokens that only their holder will ever see.
pub async fn commit(
    tx: Tx<Clean>,
    issue: Issue,
    access_token: Token,
    refresh_token: Option<Token>,
) -> Reply<IssueTokenResponse> {
    let access = &issue.access;
    let answer = IssueTokenResponse {
        access_token: access_token.expose().to_owned(),
        token_type: "Bearer".into(),
        expires_in: (access.expires_at - access.issued_at).num_seconds() as i32,
        refresh_token: refresh_token.map(|it| it.expose().to_owned()).unwrap_or_default(),
        scope: access.scopes.to_string(),
    };
    let details = json!({ "client_id": access.client_id, "scope": answer.scope });
    let change = match &access.holder {
        Holder::Machine { .. } => {
            let id = access.client_id.clone();
            Change::of(issue, "oauth_client", id)
        }
        Holder::Person { authority, .. } => {
            let id = authority.grant_id;
            Change::of(issue, "oauth_grant", id)
        }
    };
    tx.record(change.details(details)).await?.commit(|_| answer).await
}

/// What of a grant type may stand in a log: the caller may have put anything there.
fn known(grant_type: &str) -> &'static str {
    oauth_core::GrantType::parse(grant_type).map_or("unknown", |it| it.as_str())
}

fn invalid_request(why: &'static str) -> Error {
    refusal(oauth_core::Error::new(ErrorCode::InvalidRequest, why))
}

/// The refusal of a code or a refresh token that is not there.
pub fn unknown_grant(what: &'static str) -> Error {
    refusal(oauth_core::Error::new(ErrorCode::InvalidGrant, what))
}
