//! What the server knows of a registered client.

use chrono::{DateTime, TimeDelta, Utc};

use crate::error::{Error, ErrorCode};
use crate::grant::GrantType;
use crate::redirect::RedirectUri;
use crate::scope::{Audience, Scope, Scopes};
use crate::token::TokenHash;

/// A program that may ask for tokens (RFC 6749 section 2).
#[derive(Debug, Clone)]
pub struct Client {
    /// `cli_…`: never to be taken for a user's id (RFC 9700 section 4.15).
    pub id: String,
    /// A disabled client is treated as one that does not exist.
    pub enabled: bool,
    pub authentication: Authentication,
    pub party: Party,
    pub grant_types: Vec<GrantType>,
    pub redirect_uris: Vec<RedirectUri>,
    pub allowed_scopes: Scopes,
    pub access_token_lifetime: AccessTokenLifetime,
}

/// Whether a client can keep a secret (RFC 6749 section 2.1).
#[derive(Debug, Clone)]
pub enum Authentication {
    /// An app on a phone or in a browser: it has none.
    Public,
    /// A server: it proves itself with a secret.
    Secret(Secrets),
}

/// The secrets of a client that hold: one, or two while the client moves to the newer.
#[derive(Debug, Clone)]
pub struct Secrets {
    pub current: TokenHash,
    /// The one before, and when it ends.
    pub previous: Option<(TokenHash, DateTime<Utc>)>,
}

/// Whose a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// The platform's own.
    First,
    /// A partner's. Without a signed business associate agreement it gets no scope that opens
    /// protected health information.
    Third { baa_signed: bool },
}

/// How long a person's access tokens hold: 5 minutes to 1 hour, 1 hour unless set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessTokenLifetime(u16);

impl Client {
    /// Whether this client may ask for a scope.
    ///
    /// Fails with `invalid_scope`.
    pub fn check_scope(&self, scope: &Scope) -> Result<(), Error> {
        let refuse = |why| {
            let description = format!("the scope {} {why}", scope.name);
            Err(Error::new(ErrorCode::InvalidScope, description))
        };
        if !self.allowed_scopes.contains(scope) {
            return refuse("is not allowed for this client");
        }
        match self.party {
            Party::Third { .. } if scope.audience == Audience::Admin => {
                refuse("is for the platform's own clients")
            }
            Party::Third { baa_signed: false } if scope.phi => {
                refuse("needs a signed business associate agreement")
            }
            _ => Ok(()),
        }
    }
}

impl Secrets {
    /// Whether the hash is of a secret that holds. Takes the same time for any hash.
    pub fn accept(&self, presented: &TokenHash, now: DateTime<Utc>) -> bool {
        let current = self.current == *presented;
        let previous = self
            .previous
            .is_some_and(|(hash, expires_at)| (hash == *presented) & (now < expires_at));
        current | previous
    }
}

impl AccessTokenLifetime {
    /// Fails with `invalid_request` outside 300 to 3600 seconds.
    pub fn from_seconds(seconds: u32) -> Result<AccessTokenLifetime, Error> {
        match u16::try_from(seconds) {
            Ok(seconds @ 300..=3600) => Ok(AccessTokenLifetime(seconds)),
            _ => Err(Error::new(
                ErrorCode::InvalidRequest,
                "an access token lives 300 to 3600 seconds",
            )),
        }
    }

    pub fn duration(self) -> TimeDelta {
        TimeDelta::seconds(self.0.into())
    }
}

impl Default for AccessTokenLifetime {
    fn default() -> AccessTokenLifetime {
        AccessTokenLifetime(3600)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::token::{Kind, Token};

    pub fn time(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    pub fn secret(label: &str) -> Token {
        Token::derive(Kind::ClientSecret, b"key", label)
    }

    /// A partner's app on a phone, with an agreement.
    pub fn partner_app() -> Client {
        Client {
            id: "cli_app".to_owned(),
            enabled: true,
            authentication: Authentication::Public,
            party: Party::Third { baa_signed: true },
            grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
            redirect_uris: vec![RedirectUri::parse("https://app.example/cb").unwrap()],
            allowed_scopes: Scopes::parse("openid email read:biomarkers").unwrap(),
            access_token_lifetime: AccessTokenLifetime::default(),
        }
    }

    /// One of the platform's own services.
    pub fn machine() -> Client {
        let secrets = Secrets { current: secret("current").hash(), previous: None };
        Client {
            id: "cli_machine".to_owned(),
            authentication: Authentication::Secret(secrets),
            party: Party::First,
            grant_types: vec![GrantType::ClientCredentials],
            redirect_uris: Vec::new(),
            allowed_scopes: Scopes::parse("admin:clinical admin:identity email").unwrap(),
            ..partner_app()
        }
    }

    #[test]
    fn a_lifetime_is_five_minutes_to_an_hour() {
        for (seconds, allowed) in [(299, false), (300, true), (3600, true), (3601, false)] {
            assert_eq!(AccessTokenLifetime::from_seconds(seconds).is_ok(), allowed);
        }
        assert!(AccessTokenLifetime::from_seconds(u32::MAX).is_err());
        assert_eq!(AccessTokenLifetime::default().duration(), TimeDelta::hours(1));
    }

    #[test]
    fn the_previous_secret_holds_until_it_expires() {
        let secrets = Secrets {
            current: secret("new").hash(),
            previous: Some((secret("old").hash(), time(10))),
        };
        assert!(secrets.accept(&secret("new").hash(), time(10)));
        assert!(secrets.accept(&secret("old").hash(), time(9)));
        assert!(!secrets.accept(&secret("old").hash(), time(10)));
        assert!(!secrets.accept(&secret("other").hash(), time(0)));
    }

    #[test]
    fn protected_health_information_needs_an_agreement_unless_the_client_is_ours() {
        let read_biomarkers = crate::scope::lookup("read:biomarkers").unwrap();
        for (party, allowed) in [
            (Party::First, true),
            (Party::Third { baa_signed: true }, true),
            (Party::Third { baa_signed: false }, false),
        ] {
            let client = Client { party, ..partner_app() };
            assert_eq!(client.check_scope(read_biomarkers).is_ok(), allowed, "{party:?}");
        }
    }

    #[test]
    fn a_third_party_never_gets_an_admin_scope() {
        let allowed_scopes = Scopes::parse("admin:events").unwrap();
        let scope = crate::scope::lookup("admin:events").unwrap();
        let third = Client { allowed_scopes, ..partner_app() };
        assert!(third.check_scope(scope).is_err());
        assert!(Client { party: Party::First, ..third }.check_scope(scope).is_ok());
    }
}
