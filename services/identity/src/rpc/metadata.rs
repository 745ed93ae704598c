//! The authorization server's metadata (RFC 8414).

use identity_contract::v1::{GetServerMetadataRequest, GetServerMetadataResponse};
use kit::{Call, Reply};
use oauth_core::{GrantType, scope};
use tonic::{Request, Response};

use super::Rpc;

pub fn get(
    rpc: &Rpc,
    request: Request<GetServerMetadataRequest>,
) -> Reply<GetServerMetadataResponse> {
    Call::of(request)?;
    let base = &rpc.platform.public_url;
    let grant_types =
        [GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::ClientCredentials];
    Ok(Response::new(GetServerMetadataResponse {
        issuer: base.to_string(),
        authorization_endpoint: format!("{base}/v1/oauth/authorize"),
        token_endpoint: format!("{base}/v1/oauth/token"),
        introspection_endpoint: format!("{base}/v1/oauth/introspect"),
        revocation_endpoint: format!("{base}/v1/oauth/revoke"),
        response_types_supported: words(&["code"]),
        grant_types_supported: words(&grant_types.map(GrantType::as_str)),
        code_challenge_methods_supported: words(&["S256"]),
        token_endpoint_auth_methods_supported: words(&[
            "client_secret_basic",
            "client_secret_post",
            "none",
        ]),
        scopes_supported: scope::user_scopes().map(|it| it.name.to_owned()).collect(),
        authorization_response_iss_parameter_supported: true,
    }))
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}
