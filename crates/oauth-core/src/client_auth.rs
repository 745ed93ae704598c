//! How a client proves who it is at the token, introspection and revocation endpoints.

use std::ops::Deref;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use percent_encoding::percent_decode_str;

use crate::client::{Authentication, Client};
use crate::error::{Error, ErrorCode};
use crate::token::{Kind, Token};

/// Who a client says it is, and its proof. Not yet checked.
#[derive(Debug)]
pub struct Credentials {
    client_id: String,
    secret: Option<Token>,
}

/// A client that has proven who it is, or a public one that has named itself.
#[derive(Debug, Clone, Copy)]
pub struct AuthenticatedClient<'a>(&'a Client);

impl Credentials {
    /// Reads the `Authorization` header and the `client_id` and `client_secret` of the body
    /// (RFC 6749 section 2.3.1). An empty parameter counts as absent (section 3.2).
    ///
    /// Fails with `invalid_request` when two methods are used at once, and with `invalid_client`
    /// when there is no client id or the secret cannot be one.
    pub fn extract(
        authorization: Option<&str>,
        client_id: Option<&str>,
        client_secret: Option<&str>,
    ) -> Result<Credentials, Error> {
        let client_id = client_id.filter(|it| !it.is_empty());
        let client_secret = client_secret.filter(|it| !it.is_empty());
        let Some(authorization) = authorization else {
            return Credentials::new(client_id.ok_or_else(invalid_client)?, client_secret);
        };
        if client_secret.is_some() {
            return Err(invalid_request("the client authenticates in two ways at once"));
        }
        let (basic_id, basic_secret) = decode_basic(authorization).ok_or_else(invalid_client)?;
        if client_id.is_some_and(|it| it != basic_id) {
            return Err(invalid_request("client_id is not the one in the Authorization header"));
        }
        Credentials::new(&basic_id, Some(basic_secret.as_str()).filter(|it| !it.is_empty()))
    }

    /// The id to look the client up by.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Checks the proof against the client of this id, if there is one.
    ///
    /// Fails with `invalid_client`: the same for an unknown client, a disabled one and a wrong
    /// secret, so that a stranger cannot tell which ids exist.
    pub fn authenticate<'a>(
        &self,
        client: Option<&'a Client>,
        now: DateTime<Utc>,
    ) -> Result<AuthenticatedClient<'a>, Error> {
        let presented = self.secret.as_ref().map(Token::hash);
        let proven = |client: &Client| match (&client.authentication, &presented) {
            (Authentication::Public, None) => true,
            (Authentication::Secret(secrets), Some(hash)) => secrets.accept(hash, now),
            _ => false,
        };
        client
            .filter(|it| it.id == self.client_id && it.enabled && proven(it))
            .map(AuthenticatedClient)
            .ok_or_else(invalid_client)
    }

    fn new(client_id: &str, secret: Option<&str>) -> Result<Credentials, Error> {
        if client_id.is_empty() {
            return Err(invalid_client());
        }
        let secret = secret.map(|it| Token::parse(Kind::ClientSecret, it)).transpose();
        let secret = secret.map_err(|_| invalid_client())?;
        Ok(Credentials { client_id: client_id.to_owned(), secret })
    }
}

impl Deref for AuthenticatedClient<'_> {
    type Target = Client;

    fn deref(&self) -> &Client {
        self.0
    }
}

/// Id and secret of a Basic header. Both were form-encoded before they were joined
/// (RFC 6749 section 2.3.1).
fn decode_basic(authorization: &str) -> Option<(String, String)> {
    let (scheme, encoded) = authorization.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim_matches(' ')).ok()?).ok()?;
    let (client_id, secret) = decoded.split_once(':')?;
    Some((decode_form(client_id)?, decode_form(secret)?))
}

fn decode_form(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(|it| it.into_owned())
}

fn invalid_client() -> Error {
    Error::new(ErrorCode::InvalidClient, "the client is unknown or its authentication failed")
}

fn invalid_request(description: &'static str) -> Error {
    Error::new(ErrorCode::InvalidRequest, description)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::client::tests::{machine, partner_app, secret, time};

    fn basic(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    fn code(result: Result<Credentials, Error>) -> ErrorCode {
        result.unwrap_err().code()
    }

    #[test]
    fn a_secret_is_taken_from_the_header_or_from_the_body() {
        let secret = secret("current");
        let header = basic(&format!("cli_machine:{}", secret.expose()));
        let machine = machine();
        for credentials in [
            Credentials::extract(Some(&header), None, None),
            Credentials::extract(Some(&header), Some("cli_machine"), Some("")),
            Credentials::extract(Some(&header.replace("Basic", "bASIC")), None, None),
            Credentials::extract(None, Some("cli_machine"), Some(secret.expose())),
        ] {
            let credentials = credentials.unwrap();
            assert_eq!(credentials.client_id(), "cli_machine");
            assert_eq!(credentials.authenticate(Some(&machine), time(0)).unwrap().id, machine.id);
        }
    }

    #[test]
    fn the_header_is_form_decoded() {
        let header = basic("https%3A%2F%2Fapp.example%2Fa+b:");
        let credentials = Credentials::extract(Some(&header), None, None).unwrap();
        assert_eq!(credentials.client_id(), "https://app.example/a b");
        let broken = basic("%ff%fe:");
        assert_eq!(code(Credentials::extract(Some(&broken), None, None)), ErrorCode::InvalidClient);
    }

    #[test]
    fn two_ways_at_once_are_an_invalid_request() {
        let secret = secret("current");
        let header = basic(&format!("cli_machine:{}", secret.expose()));
        let both = Credentials::extract(Some(&header), None, Some(secret.expose()));
        assert_eq!(code(both), ErrorCode::InvalidRequest);
        let differing = Credentials::extract(Some(&header), Some("cli_other"), None);
        assert_eq!(code(differing), ErrorCode::InvalidRequest);
    }

    #[test]
    fn what_cannot_be_credentials_is_invalid_client() {
        for header in ["", "Basic", "Basic ", "Basic !!", "Bearer lph_at_x", &basic("no colon")] {
            let extracted = Credentials::extract(Some(header), None, None);
            assert_eq!(code(extracted), ErrorCode::InvalidClient, "{header}");
        }
        assert_eq!(code(Credentials::extract(None, None, None)), ErrorCode::InvalidClient);
        assert_eq!(code(Credentials::extract(None, Some(""), None)), ErrorCode::InvalidClient);
        let malformed = Credentials::extract(None, Some("cli_machine"), Some("hunter2"));
        assert_eq!(malformed.unwrap_err(), invalid_client());
    }

    #[test]
    fn every_failure_of_proof_looks_the_same() {
        let (machine, app) = (machine(), partner_app());
        let disabled = Client { enabled: false, ..machine.clone() };
        let (right, wrong) = (secret("current"), secret("wrong"));
        let with = |id: &str, secret: Option<&Token>| {
            Credentials::extract(None, Some(id), secret.map(Token::expose)).unwrap()
        };
        for (credentials, client) in [
            (with("cli_machine", Some(&right)), None),
            (with("cli_machine", Some(&right)), Some(&disabled)),
            (with("cli_machine", Some(&wrong)), Some(&machine)),
            (with("cli_machine", None), Some(&machine)),
            (with("cli_app", Some(&right)), Some(&app)),
            (with("cli_other", Some(&right)), Some(&machine)),
        ] {
            let error = credentials.authenticate(client, time(0)).unwrap_err();
            assert_eq!(error, invalid_client());
        }
    }

    #[test]
    fn a_public_client_only_names_itself() {
        let app = partner_app();
        let credentials = Credentials::extract(None, Some("cli_app"), None).unwrap();
        assert!(credentials.authenticate(Some(&app), time(0)).is_ok());
        let header = basic("cli_app:");
        let credentials = Credentials::extract(Some(&header), None, None).unwrap();
        assert!(credentials.authenticate(Some(&app), time(0)).is_ok());
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let secret = secret("current");
        let credentials = Credentials::extract(None, Some("cli_m"), Some(secret.expose()));
        assert!(!format!("{credentials:?}").contains(&secret.expose()[7..]));
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_panic(text in "\\PC*", raw in any::<Vec<u8>>()) {
            let _ = Credentials::extract(Some(&text), None, None);
            let _ = Credentials::extract(Some(&basic(&text)), None, None);
            let header = format!("Basic {}", STANDARD.encode(raw));
            let _ = Credentials::extract(Some(&header), None, None);
        }
    }
}
