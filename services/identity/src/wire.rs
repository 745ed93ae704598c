//! Protobuf and OAuth's words for what the domain knows.

use identity_contract::v1 as pb;
use kit::{Error, timestamp};
use oauth_core::{ErrorCode, RedirectUri};
use tonic::Code;

use crate::{
    domain::{
        client::{ClientType, Profile, RegisteredClient, Registration},
        token::{ActiveHolder, ActiveToken},
    },
    store::ConnectedAppRow,
};

/// How a refusal of OAuth travels: the edge words it by RFC 6749 from `oauth_error`.
pub fn refusal(error: oauth_core::Error) -> Error {
    let code = match error.code() {
        ErrorCode::InvalidClient | ErrorCode::InvalidToken => Code::Unauthenticated,
        ErrorCode::InsufficientScope => Code::PermissionDenied,
        ErrorCode::ServerError => Code::Internal,
        ErrorCode::TemporarilyUnavailable => Code::Unavailable,
        _ => Code::InvalidArgument,
    };
    let refused = Error::new(code, reason(error.code()), error.description())
        .with("oauth_error", error.code().as_str());
    match error.code() {
        ErrorCode::InvalidClient => refused.with("www_authenticate", "Basic realm=\"loop\""),
        _ => refused,
    }
}

fn reason(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::InvalidRequest => "OAUTH_INVALID_REQUEST",
        ErrorCode::InvalidClient => "OAUTH_INVALID_CLIENT",
        ErrorCode::InvalidGrant => "OAUTH_INVALID_GRANT",
        ErrorCode::UnauthorizedClient => "OAUTH_UNAUTHORIZED_CLIENT",
        ErrorCode::UnsupportedGrantType => "OAUTH_UNSUPPORTED_GRANT_TYPE",
        ErrorCode::UnsupportedResponseType => "OAUTH_UNSUPPORTED_RESPONSE_TYPE",
        ErrorCode::InvalidScope => "OAUTH_INVALID_SCOPE",
        ErrorCode::AccessDenied => "OAUTH_ACCESS_DENIED",
        ErrorCode::ServerError => "OAUTH_SERVER_ERROR",
        ErrorCode::TemporarilyUnavailable => "OAUTH_TEMPORARILY_UNAVAILABLE",
        ErrorCode::LoginRequired => "OAUTH_LOGIN_REQUIRED",
        ErrorCode::ConsentRequired => "OAUTH_CONSENT_REQUIRED",
        ErrorCode::InvalidRedirectUri => "OAUTH_INVALID_REDIRECT_URI",
        ErrorCode::InvalidToken => "OAUTH_INVALID_TOKEN",
        ErrorCode::InsufficientScope => "OAUTH_INSUFFICIENT_SCOPE",
    }
}

/// The word for who stands behind a token.
pub fn kind(token: &ActiveToken) -> &'static str {
    match token.holder {
        ActiveHolder::Person(_) => "user",
        ActiveHolder::Machine { .. } => "service",
    }
}

/// RFC 7662 section 2.2: of a token that is not active nothing else is said.
pub fn introspection(token: Option<ActiveToken>) -> pb::IntrospectTokenResponse {
    let Some(token) = token else {
        return pb::IntrospectTokenResponse { active: Some(false), ..Default::default() };
    };
    pb::IntrospectTokenResponse {
        active: Some(true),
        sub: token.subject(),
        scope: token.scopes.join(" "),
        exp: Some(i32::try_from(token.expires_at.timestamp()).unwrap_or(i32::MAX)),
        brand: token.one_brand().map(ToString::to_string).unwrap_or_default(),
        token_type: "Bearer".into(),
        client_id: token.client_id,
    }
}

pub fn registration(request: pb::CreateOauthClientRequest) -> Registration {
    Registration {
        confidential: request.client_type() != pb::ClientType::Public,
        redirect_uris: request.redirect_uris,
        allowed_scopes: request.allowed_scopes,
        baa_signed: request.baa_signed,
        profile: Profile {
            name: request.client_name,
            uri: request.client_uri.unwrap_or_default(),
            logo_uri: request.logo_uri.unwrap_or_default(),
            allowed_origins: request.allowed_origins,
        },
    }
}

impl From<RegisteredClient> for pb::OauthClient {
    fn from(it: RegisteredClient) -> Self {
        let client_type = match it.client_type {
            ClientType::Public => pb::ClientType::Public,
            ClientType::Confidential | ClientType::Machine => pb::ClientType::Confidential,
        };
        Self {
            client_id: it.rules.id,
            client_name: it.profile.name,
            client_uri: it.profile.uri,
            logo_uri: it.profile.logo_uri,
            client_type: client_type.into(),
            redirect_uris: it.rules.redirect_uris.iter().map(RedirectUri::to_string).collect(),
            allowed_scopes: it.rules.allowed_scopes.names().map(str::to_owned).collect(),
            allowed_origins: it.profile.allowed_origins,
            brand_id: it.brand.to_string(),
            is_first_party: it.rules.party == oauth_core::Party::First,
            enabled: it.rules.enabled,
            baa_signed: it.rules.party == oauth_core::Party::Third { baa_signed: true },
            created_at: Some(timestamp(it.created_at)),
            updated_at: Some(timestamp(it.updated_at)),
        }
    }
}

impl From<ConnectedAppRow> for pb::ConnectedApp {
    fn from(it: ConnectedAppRow) -> Self {
        Self {
            client_id: it.client_id,
            client_name: it.client_name,
            client_uri: it.client_uri,
            logo_uri: it.logo_uri,
            is_first_party: it.is_first_party,
            scopes_granted: it.scopes,
            granted_at: Some(timestamp(it.granted_at)),
            updated_at: Some(timestamp(it.updated_at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;

    #[test]
    fn a_refusal_tells_the_edge_the_oauth_code_and_how_to_authenticate() {
        let refuse = |code| {
            let status = tonic::Status::from(refusal(oauth_core::Error::new(code, "why")));
            let info = status.get_details_error_info().unwrap();
            (status.code(), info.reason, info.metadata)
        };
        let (code, reason, metadata) = refuse(ErrorCode::InvalidClient);
        assert_eq!((code, reason.as_str()), (Code::Unauthenticated, "OAUTH_INVALID_CLIENT"));
        assert_eq!(metadata["oauth_error"], "invalid_client");
        assert_eq!(metadata["www_authenticate"], "Basic realm=\"loop\"");
        let (code, reason, metadata) = refuse(ErrorCode::InvalidGrant);
        assert_eq!((code, reason.as_str()), (Code::InvalidArgument, "OAUTH_INVALID_GRANT"));
        assert!(!metadata.contains_key("www_authenticate"));
    }
}
