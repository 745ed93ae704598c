//! The token endpoint: which grant is asked for, and whether a code or a machine gets a token.
//!
//! Refresh tokens have a file of their own.

use chrono::{DateTime, TimeDelta, Utc};

use crate::client::Authentication;
use crate::client_auth::AuthenticatedClient;
use crate::error::{Error, ErrorCode};
use crate::pkce::Challenge;
use crate::redirect::RedirectUri;
use crate::scope::{Audience, Scopes};
use crate::token::{Kind, Token};

/// How long an authorization code may be exchanged.
pub const CODE_LIFETIME: TimeDelta = TimeDelta::seconds(60);
/// How long a machine's access token holds. A person's is
/// [`AccessTokenLifetime`](crate::AccessTokenLifetime).
pub const MACHINE_TOKEN_LIFETIME: TimeDelta = TimeDelta::minutes(15);

/// What a client can exchange for a token. OAuth 2.1 has no implicit and no password grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GrantType {
    AuthorizationCode,
    RefreshToken,
    ClientCredentials,
}

/// The parameters of the token endpoint, as they came. An empty one counts as absent
/// (RFC 6749 section 3.2).
#[derive(Clone, Copy, Default)]
pub struct TokenParameters<'a> {
    pub grant_type: &'a str,
    pub code: &'a str,
    pub redirect_uri: &'a str,
    pub code_verifier: &'a str,
    pub refresh_token: &'a str,
    pub scope: &'a str,
}

/// A token request that has all its parameters, from a client that may use the grant type.
/// Holds secrets, so it cannot be printed.
pub enum TokenRequest<'a> {
    AuthorizationCode { code: Token, redirect_uri: &'a str, code_verifier: &'a str },
    RefreshToken { token: Token, scopes: Option<Scopes> },
    ClientCredentials { scopes: Option<Scopes> },
}

/// An authorization code as it is stored, under its hash.
#[derive(Debug, Clone)]
pub struct AuthorizationCode {
    pub client_id: String,
    /// As in the authorization request.
    pub redirect_uri: RedirectUri,
    pub challenge: Challenge,
    pub expires_at: DateTime<Utc>,
    pub consumed: bool,
}

/// What becomes of an authorization code that is presented.
#[derive(Debug, PartialEq, Eq)]
pub enum CodeDecision {
    /// Consume it and issue tokens.
    Issue,
    /// Refuse. The code stays as it is.
    Reject(Error),
    /// It was used before: refuse with `invalid_grant` and revoke the grant it led to, with every
    /// token (RFC 6749 section 4.1.2).
    Replay,
}

impl GrantType {
    /// The value of `grant_type`.
    pub fn as_str(self) -> &'static str {
        match self {
            GrantType::AuthorizationCode => "authorization_code",
            GrantType::RefreshToken => "refresh_token",
            GrantType::ClientCredentials => "client_credentials",
        }
    }

    /// Fails with `invalid_request` when it is missing and `unsupported_grant_type` when it is
    /// not one of the three.
    pub fn parse(text: &str) -> Result<GrantType, Error> {
        present("grant_type", text)?;
        [GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::ClientCredentials]
            .into_iter()
            .find(|it| it.as_str() == text)
            .ok_or_else(|| {
                Error::new(ErrorCode::UnsupportedGrantType, "the grant type is not supported")
            })
    }
}

impl<'a> TokenRequest<'a> {
    /// Reads the parameters of the token endpoint.
    ///
    /// Fails with `invalid_request`, `unsupported_grant_type`, `unauthorized_client`,
    /// `invalid_grant` or `invalid_scope` (RFC 6749 section 5.2).
    pub fn parse(
        client: AuthenticatedClient<'_>,
        parameters: TokenParameters<'a>,
    ) -> Result<TokenRequest<'a>, Error> {
        let grant_type = GrantType::parse(parameters.grant_type)?;
        if !client.grant_types.contains(&grant_type) {
            return Err(unauthorized("the client may not use this grant type"));
        }
        let scopes = || Some(parameters.scope).filter(|it| !it.is_empty()).map(Scopes::parse);
        match grant_type {
            GrantType::AuthorizationCode => Ok(TokenRequest::AuthorizationCode {
                code: Token::parse(Kind::AuthorizationCode, present("code", parameters.code)?)?,
                redirect_uri: present("redirect_uri", parameters.redirect_uri)?,
                code_verifier: present("code_verifier", parameters.code_verifier)?,
            }),
            GrantType::RefreshToken => {
                let token = present("refresh_token", parameters.refresh_token)?;
                let token = Token::parse(Kind::RefreshToken, token)?;
                Ok(TokenRequest::RefreshToken { token, scopes: scopes().transpose()? })
            }
            GrantType::ClientCredentials => {
                Ok(TokenRequest::ClientCredentials { scopes: scopes().transpose()? })
            }
        }
    }
}

impl AuthorizationCode {
    /// Whether the client that presents this code gets tokens for it.
    ///
    /// Another client's attempt neither consumes the code nor counts as a replay: it could not
    /// have used the code anyway.
    pub fn exchange(
        &self,
        client: AuthenticatedClient<'_>,
        redirect_uri: &str,
        code_verifier: &str,
        now: DateTime<Utc>,
    ) -> CodeDecision {
        if self.client_id != client.id {
            return reject("the code was issued to another client");
        }
        if self.consumed {
            return CodeDecision::Replay;
        }
        if now >= self.expires_at {
            return reject("the code has expired");
        }
        if self.redirect_uri.as_str() != redirect_uri {
            return reject("redirect_uri is not that of the authorization request");
        }
        match self.challenge.verify(code_verifier) {
            Ok(()) => CodeDecision::Issue,
            Err(error) => CodeDecision::Reject(error),
        }
    }
}

/// The scopes a machine gets: those it asks for, or all it may have (RFC 6749 section 4.4).
///
/// Fails with `invalid_scope` for a scope that people grant, for one the client may not have, and
/// when nothing is left; with `unauthorized_client` for a client that keeps no secret.
pub fn client_credentials(
    client: AuthenticatedClient<'_>,
    requested: Option<&Scopes>,
) -> Result<Scopes, Error> {
    if matches!(client.authentication, Authentication::Public) {
        return Err(unauthorized("a client without a secret may not use this grant type"));
    }
    let allowed = client.allowed_scopes.made_for(Audience::Admin);
    let scopes = requested.unwrap_or(&allowed);
    if scopes.is_empty() {
        return Err(Error::new(ErrorCode::InvalidScope, "the client has no scope as a machine"));
    }
    for scope in scopes.iter() {
        if scope.audience == Audience::User {
            let description = format!("the scope {} is granted by people only", scope.name);
            return Err(Error::new(ErrorCode::InvalidScope, description));
        }
        client.check_scope(scope)?;
    }
    Ok(scopes.clone())
}

fn present<'a>(name: &'static str, value: &'a str) -> Result<&'a str, Error> {
    if value.is_empty() {
        return Err(Error::new(ErrorCode::InvalidRequest, format!("{name} is missing")));
    }
    Ok(value)
}

fn unauthorized(description: &'static str) -> Error {
    Error::new(ErrorCode::UnauthorizedClient, description)
}

fn reject(description: &'static str) -> CodeDecision {
    CodeDecision::Reject(Error::new(ErrorCode::InvalidGrant, description))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::tests::{machine, partner_app, secret, time};
    use crate::client::{Client, Party};
    use crate::client_auth::Credentials;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    const REDIRECT: &str = "https://app.example/cb";

    fn authenticated(client: &Client) -> AuthenticatedClient<'_> {
        let secret = secret("current");
        let secret = match client.authentication {
            Authentication::Public => None,
            Authentication::Secret(_) => Some(secret.expose()),
        };
        let credentials = Credentials::extract(None, Some(&client.id), secret).unwrap();
        credentials.authenticate(Some(client), time(0)).unwrap()
    }

    fn issued_code() -> AuthorizationCode {
        AuthorizationCode {
            client_id: "cli_app".to_owned(),
            redirect_uri: RedirectUri::parse(REDIRECT).unwrap(),
            challenge: Challenge::parse(Some(CHALLENGE), Some("S256")).unwrap(),
            expires_at: time(0) + CODE_LIFETIME,
            consumed: false,
        }
    }

    fn rejected(decision: CodeDecision) -> bool {
        matches!(decision, CodeDecision::Reject(error) if error.code() == ErrorCode::InvalidGrant)
    }

    #[test]
    fn a_code_is_exchanged_within_its_minute() {
        let app = partner_app();
        let exchange =
            |at| issued_code().exchange(authenticated(&app), REDIRECT, VERIFIER, time(at));
        assert_eq!(exchange(0), CodeDecision::Issue);
        assert_eq!(exchange(59), CodeDecision::Issue);
        assert!(rejected(exchange(60)));
    }

    #[test]
    fn a_code_needs_its_own_client_redirect_uri_and_verifier() {
        let app = partner_app();
        let other = Client { id: "cli_other".to_owned(), ..partner_app() };
        let other_verifier = VERIFIER.replace('d', "e");
        let code = issued_code();
        let exchange = |client, redirect, verifier| {
            code.exchange(authenticated(client), redirect, verifier, time(1))
        };
        assert!(rejected(exchange(&other, REDIRECT, VERIFIER)));
        assert!(rejected(exchange(&app, "https://app.example/cb/", VERIFIER)));
        assert!(rejected(exchange(&app, REDIRECT, &other_verifier)));
        assert_eq!(exchange(&app, REDIRECT, VERIFIER), CodeDecision::Issue);
    }

    #[test]
    fn a_second_use_is_a_replay_even_after_the_minute_and_with_a_wrong_verifier() {
        let code = AuthorizationCode { consumed: true, ..issued_code() };
        let app = partner_app();
        for (verifier, at) in [(VERIFIER, 1), (VERIFIER, 3600), ("wrong", 1)] {
            let decision = code.exchange(authenticated(&app), REDIRECT, verifier, time(at));
            assert_eq!(decision, CodeDecision::Replay);
        }
        let other = Client { id: "cli_other".to_owned(), ..partner_app() };
        assert!(rejected(code.exchange(authenticated(&other), REDIRECT, VERIFIER, time(1))));
    }

    #[test]
    fn each_grant_type_needs_its_parameters() {
        let code = Token::derive(Kind::AuthorizationCode, b"key", "code");
        let refresh = Token::derive(Kind::RefreshToken, b"key", "refresh");
        let app = partner_app();
        let complete = TokenParameters {
            grant_type: "authorization_code",
            code: code.expose(),
            redirect_uri: REDIRECT,
            code_verifier: VERIFIER,
            refresh_token: refresh.expose(),
            scope: "",
        };
        let fault = |parameters| {
            TokenRequest::parse(authenticated(&app), parameters).map_err(|it| it.code()).err()
        };
        let refreshing = TokenParameters { grant_type: "refresh_token", ..complete };
        use ErrorCode::*;
        for (parameters, expected) in [
            (complete, None),
            (refreshing, None),
            (TokenParameters { grant_type: "", ..complete }, Some(InvalidRequest)),
            (TokenParameters { grant_type: "password", ..complete }, Some(UnsupportedGrantType)),
            (
                TokenParameters { grant_type: "client_credentials", ..complete },
                Some(UnauthorizedClient),
            ),
            (TokenParameters { code: "", ..complete }, Some(InvalidRequest)),
            (TokenParameters { code: refresh.expose(), ..complete }, Some(InvalidGrant)),
            (TokenParameters { redirect_uri: "", ..complete }, Some(InvalidRequest)),
            (TokenParameters { code_verifier: "", ..complete }, Some(InvalidRequest)),
            (TokenParameters { refresh_token: "", ..refreshing }, Some(InvalidRequest)),
            (TokenParameters { refresh_token: code.expose(), ..refreshing }, Some(InvalidGrant)),
            (TokenParameters { scope: "read:everything", ..refreshing }, Some(InvalidScope)),
        ] {
            assert_eq!(fault(parameters), expected);
        }
    }

    #[test]
    fn a_machine_gets_admin_scopes_only() {
        let machine = machine();
        let grant = |text| client_credentials(authenticated(&machine), Some(&Scopes::parse(text)?));
        assert_eq!(grant("admin:clinical").unwrap().to_string(), "admin:clinical");
        for text in ["email", "admin:clinical email", "openid", "offline_access", "admin:events"] {
            assert_eq!(grant(text).unwrap_err().code(), ErrorCode::InvalidScope, "{text}");
        }
    }

    #[test]
    fn a_machine_that_asks_for_nothing_gets_all_its_admin_scopes() {
        let machine = machine();
        let scopes = client_credentials(authenticated(&machine), None).unwrap();
        assert_eq!(scopes.to_string(), "admin:clinical admin:identity");
        let without = Client { allowed_scopes: Scopes::parse("email").unwrap(), ..machine };
        let error = client_credentials(authenticated(&without), None).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidScope);
    }

    #[test]
    fn neither_a_public_client_nor_a_third_party_is_a_machine() {
        let public = Client { authentication: Authentication::Public, ..machine() };
        let error = client_credentials(authenticated(&public), None).unwrap_err();
        assert_eq!(error.code(), ErrorCode::UnauthorizedClient);
        let third = Client { party: Party::Third { baa_signed: true }, ..machine() };
        let error = client_credentials(authenticated(&third), None).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidScope);
    }
}
