//! The authorization endpoint: what a request gets, and the URL that the browser goes back to.
//!
//! Nothing goes to a redirect URI before it is proven to be the client's (RFC 6749 section
//! 4.1.2.1, RFC 9700 section 4.11).

use crate::client::{Client, Party};
use crate::error::{Error, ErrorCode};
use crate::grant::GrantType;
use crate::pkce::Challenge;
use crate::redirect::RedirectUri;
use crate::scope::Scopes;
use crate::token::Token;

/// What to do with an authorization request.
#[derive(Debug)]
pub enum Authorization {
    /// Show the error to the person with status 400. Never redirect.
    ShowError(Error),
    /// Send the browser back to the client with the error.
    RedirectError(RedirectError),
    /// Let the person sign in and decide.
    Proceed(AuthorizationRequest),
}

/// An error that the client may be told.
#[derive(Debug)]
pub struct RedirectError {
    pub error: Error,
    origin: Origin,
}

/// An authorization request that keeps every rule.
#[derive(Debug)]
pub struct AuthorizationRequest {
    pub scopes: Scopes,
    pub challenge: Challenge,
    pub nonce: Option<String>,
    pub prompt: Prompt,
    origin: Origin,
}

/// What the client wants the person to be asked (OpenID Connect Core section 3.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prompt {
    /// Nothing: answer with `login_required` or `consent_required` instead.
    Silent,
    /// What is needed, and these in any case.
    Interactive { login: bool, consent: bool },
}

/// The `client_id` of a request, to look the client up by.
///
/// Fails with `invalid_request` when it is missing or repeated.
pub fn client_id(parameters: &[(String, String)]) -> Result<&str, Error> {
    one(parameters, "client_id")?.ok_or_else(|| missing("client_id"))
}

/// Decides about the parameters of a request, given the client they name, if there is one.
///
/// `issuer` is this server's identifier, which each answer carries (RFC 9207).
pub fn authorize(
    parameters: &[(String, String)],
    client: Option<&Client>,
    issuer: &str,
) -> Authorization {
    let (client, redirect_uri) = match prove_redirect_uri(parameters, client) {
        Ok(proven) => proven,
        Err(error) => return Authorization::ShowError(error),
    };
    let state = one(parameters, "state").ok().flatten().map(str::to_owned);
    let origin = Origin { redirect_uri, state, issuer: issuer.to_owned() };
    match check(parameters, client) {
        Ok(Checked { scopes, challenge, nonce, prompt }) => {
            Authorization::Proceed(AuthorizationRequest {
                scopes,
                challenge,
                nonce,
                prompt,
                origin,
            })
        }
        Err(error) => Authorization::RedirectError(RedirectError { error, origin }),
    }
}

/// Whether the person must be asked before the client gets what it requests.
///
/// The platform's own clients are approved without a question, unless they ask for one.
pub fn consent_needed(granted: &Scopes, requested: &Scopes, party: Party, prompt: Prompt) -> bool {
    match (prompt, party) {
        (Prompt::Interactive { consent: true, .. }, _) => true,
        (_, Party::First) => false,
        (_, Party::Third { .. }) => !requested.is_subset_of(granted),
    }
}

impl AuthorizationRequest {
    /// Where the code must go. Store it with the code; the consent page shows its host.
    pub fn redirect_uri(&self) -> &RedirectUri {
        &self.origin.redirect_uri
    }

    /// The way back with a code (RFC 6749 section 4.1.2).
    pub fn success_url(&self, code: &Token) -> String {
        self.origin.url(&[("code", code.expose())])
    }

    /// The way back with an error that arises later, such as `access_denied`.
    pub fn error_url(&self, error: &Error) -> String {
        self.origin.error_url(error)
    }
}

impl RedirectError {
    /// The way back with the error (RFC 6749 section 4.1.2.1).
    pub fn url(&self) -> String {
        self.origin.error_url(&self.error)
    }
}

/// Where a request came from and must be answered.
#[derive(Debug)]
struct Origin {
    redirect_uri: RedirectUri,
    state: Option<String>,
    issuer: String,
}

impl Origin {
    fn url(&self, answer: &[(&str, &str)]) -> String {
        let mut parameters = answer.to_vec();
        parameters.extend(self.state.as_deref().map(|it| ("state", it)));
        parameters.push(("iss", &self.issuer));
        self.redirect_uri.with_query(&parameters)
    }

    fn error_url(&self, error: &Error) -> String {
        let code = error.code().as_str();
        self.url(&[("error", code), ("error_description", error.description())])
    }
}

struct Checked {
    scopes: Scopes,
    challenge: Challenge,
    nonce: Option<String>,
    prompt: Prompt,
}

/// What must hold before anything is sent to the redirect URI.
fn prove_redirect_uri<'a>(
    parameters: &[(String, String)],
    client: Option<&'a Client>,
) -> Result<(&'a Client, RedirectUri), Error> {
    let client_id = client_id(parameters)?;
    let requested = one(parameters, "redirect_uri")?.ok_or_else(|| missing("redirect_uri"))?;
    let client = client
        .filter(|it| it.id == client_id && it.enabled)
        .ok_or_else(|| Error::new(ErrorCode::InvalidRequest, "the client is unknown"))?;
    let accepted = client.redirect_uris.iter().find_map(|it| it.accept(requested));
    let redirect_uri = accepted.ok_or_else(|| {
        Error::new(ErrorCode::InvalidRequest, "redirect_uri is not registered for this client")
    })?;
    Ok((client, redirect_uri))
}

/// What must hold before the person is asked.
fn check(parameters: &[(String, String)], client: &Client) -> Result<Checked, Error> {
    let parameter = |name| one(parameters, name);
    check_response(parameter("response_type")?, parameter("response_mode")?)?;
    if !client.grant_types.contains(&GrantType::AuthorizationCode) {
        let description = "the client may not use the authorization code grant";
        return Err(Error::new(ErrorCode::UnauthorizedClient, description));
    }
    parameter("state")?.ok_or_else(|| missing("state"))?;
    let challenge =
        Challenge::parse(parameter("code_challenge")?, parameter("code_challenge_method")?)?;
    let scopes = check_scopes(client, parameter("scope")?)?;
    let nonce = parameter("nonce")?.map(str::to_owned);
    if nonce.is_none() && scopes.names().any(|it| it == "openid") {
        return Err(missing("nonce"));
    }
    Ok(Checked { scopes, challenge, nonce, prompt: Prompt::parse(parameter("prompt")?)? })
}

fn check_response(response_type: Option<&str>, mode: Option<&str>) -> Result<(), Error> {
    match (response_type.ok_or_else(|| missing("response_type"))?, mode) {
        ("code", None | Some("query")) => Ok(()),
        ("code", Some(_)) => {
            Err(Error::new(ErrorCode::InvalidRequest, "response_mode must be query"))
        }
        _ => Err(Error::new(ErrorCode::UnsupportedResponseType, "response_type must be code")),
    }
}

fn check_scopes(client: &Client, scope: Option<&str>) -> Result<Scopes, Error> {
    let scopes = Scopes::parse(scope.unwrap_or_default())?;
    if scopes.is_empty() {
        return Err(Error::new(ErrorCode::InvalidScope, "scope is missing"));
    }
    scopes.iter().try_for_each(|it| client.check_scope(it))?;
    Ok(scopes)
}

impl Prompt {
    fn parse(text: Option<&str>) -> Result<Prompt, Error> {
        let (mut login, mut consent) = (false, false);
        match text {
            None => {}
            Some("none") => return Ok(Prompt::Silent),
            Some(text) => {
                for word in text.split(' ') {
                    match word {
                        "login" | "select_account" => login = true,
                        "consent" => consent = true,
                        _ => return Err(unknown_prompt()),
                    }
                }
            }
        }
        Ok(Prompt::Interactive { login, consent })
    }
}

/// The value of a parameter. An empty one counts as absent, and one that is repeated is an error
/// (RFC 6749 section 3.1).
fn one<'a>(parameters: &'a [(String, String)], name: &str) -> Result<Option<&'a str>, Error> {
    let mut values = parameters.iter().filter(|it| it.0 == name).map(|it| it.1.as_str());
    let value = values.next().filter(|it| !it.is_empty());
    match values.next() {
        None => Ok(value),
        Some(_) => Err(Error::new(ErrorCode::InvalidRequest, format!("{name} is repeated"))),
    }
}

fn missing(name: &str) -> Error {
    Error::new(ErrorCode::InvalidRequest, format!("{name} is missing"))
}

fn unknown_prompt() -> Error {
    Error::new(
        ErrorCode::InvalidRequest,
        "prompt must be none, or a list of login, consent and select_account",
    )
}

#[cfg(test)]
mod tests;
