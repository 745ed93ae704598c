//! Authorization requests, good and bad, and where their answers go.

use proptest::prelude::*;

use super::*;
use crate::client::tests::{machine, partner_app};
use crate::token::Kind;

const ISSUER: &str = "https://id.loop.example";

const GOOD: [(&str, &str); 7] = [
    ("response_type", "code"),
    ("client_id", "cli_app"),
    ("redirect_uri", "https://app.example/cb"),
    ("scope", "email read:biomarkers"),
    ("state", "a b&c"),
    ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
    ("code_challenge_method", "S256"),
];

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|it| (it.0.to_owned(), it.1.to_owned())).collect()
}

/// The good request with one parameter set, added or, without a value, left out.
fn with(name: &str, value: Option<&str>) -> Vec<(String, String)> {
    let mut parameters = owned(&GOOD);
    parameters.retain(|it| it.0 != name);
    parameters.extend(value.map(|it| (name.to_owned(), it.to_owned())));
    parameters
}

fn repeated(name: &str) -> Vec<(String, String)> {
    let mut parameters = owned(&GOOD);
    let again = parameters.iter().find(|it| it.0 == name).unwrap().clone();
    parameters.push(again);
    parameters
}

fn shown(parameters: &[(String, String)], client: Option<&Client>) -> Error {
    match authorize(parameters, client, ISSUER) {
        Authorization::ShowError(error) => error,
        other => panic!("{other:?}"),
    }
}

fn redirected(parameters: &[(String, String)], client: &Client) -> RedirectError {
    match authorize(parameters, Some(client), ISSUER) {
        Authorization::RedirectError(error) => error,
        other => panic!("{other:?}"),
    }
}

fn proceeds(parameters: &[(String, String)], client: &Client) -> AuthorizationRequest {
    match authorize(parameters, Some(client), ISSUER) {
        Authorization::Proceed(request) => request,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_good_request_proceeds_and_comes_back_with_code_state_and_issuer() {
    let request = proceeds(&owned(&GOOD), &partner_app());
    assert_eq!(request.scopes.to_string(), "email read:biomarkers");
    assert_eq!(request.prompt, Prompt::Interactive { login: false, consent: false });
    assert_eq!(request.redirect_uri().as_str(), "https://app.example/cb");
    let code = Token::derive(Kind::AuthorizationCode, b"key", "code");
    assert_eq!(
        request.success_url(&code),
        format!(
            "https://app.example/cb?code={}&state=a+b%26c&iss=https%3A%2F%2Fid.loop.example",
            code.expose()
        )
    );
}

#[test]
fn a_refusal_by_the_person_comes_back_with_state_and_issuer() {
    let request = proceeds(&owned(&GOOD), &partner_app());
    let denied = Error::new(ErrorCode::AccessDenied, "the person said no");
    assert_eq!(
        request.error_url(&denied),
        "https://app.example/cb?error=access_denied&error_description=the+person+said+no\
         &state=a+b%26c&iss=https%3A%2F%2Fid.loop.example"
    );
}

#[test]
fn nothing_is_sent_to_a_redirect_uri_that_is_not_proven() {
    let app = partner_app();
    let disabled = Client { enabled: false, ..partner_app() };
    let evil = Some("https://evil.example/cb");
    for (parameters, client, what) in [
        (owned(&GOOD), None, "client is unknown"),
        (owned(&GOOD), Some(&disabled), "client is unknown"),
        (with("client_id", Some("cli_other")), Some(&app), "client is unknown"),
        (with("client_id", None), Some(&app), "client_id is missing"),
        (with("client_id", Some("")), Some(&app), "client_id is missing"),
        (repeated("client_id"), Some(&app), "client_id is repeated"),
        (with("redirect_uri", None), Some(&app), "redirect_uri is missing"),
        (with("redirect_uri", Some("")), Some(&app), "redirect_uri is missing"),
        (repeated("redirect_uri"), Some(&app), "redirect_uri is repeated"),
        (with("redirect_uri", evil), Some(&app), "not registered"),
    ] {
        let error = shown(&parameters, client);
        assert!(error.description().contains(what), "{error}");
        assert_eq!(error.code().http_status(), 400);
    }
}

#[test]
fn every_other_fault_goes_back_to_the_client() {
    use ErrorCode::*;
    let app = partner_app();
    let challenge = "code_challenge";
    let method = "code_challenge_method";
    for (parameters, code, what) in [
        (with("response_type", None), InvalidRequest, "response_type is missing"),
        (with("response_type", Some("token")), UnsupportedResponseType, "must be code"),
        (with("response_type", Some("code id_token")), UnsupportedResponseType, "must be code"),
        (with("response_mode", Some("fragment")), InvalidRequest, "response_mode"),
        (repeated("response_type"), InvalidRequest, "response_type is repeated"),
        (repeated("scope"), InvalidRequest, "scope is repeated"),
        (repeated(challenge), InvalidRequest, "code_challenge is repeated"),
        (with(challenge, None), InvalidRequest, "code_challenge is missing"),
        (with(challenge, Some("short")), InvalidRequest, "43 characters"),
        (with(method, None), InvalidRequest, "must be S256"),
        (with(method, Some("plain")), InvalidRequest, "must be S256"),
        (with("scope", None), InvalidScope, "scope is missing"),
        (with("scope", Some(" ")), InvalidScope, "scope is missing"),
        (with("scope", Some("e\tmail")), InvalidScope, "character"),
        (with("scope", Some("read:everything")), InvalidScope, "unknown"),
        (with("scope", Some("email profile")), InvalidScope, "not allowed"),
        (with("scope", Some("openid")), InvalidRequest, "nonce is missing"),
        (with("prompt", Some("none login")), InvalidRequest, "prompt must be"),
        (with("prompt", Some("create")), InvalidRequest, "prompt must be"),
    ] {
        let fault = redirected(&parameters, &app);
        assert_eq!(fault.error.code(), code, "{}", fault.error);
        assert!(fault.error.description().contains(what), "{}", fault.error);
        let url = fault.url();
        let start = format!("https://app.example/cb?error={}&", code.as_str());
        assert!(url.starts_with(&start), "{url}");
        assert!(url.ends_with("&state=a+b%26c&iss=https%3A%2F%2Fid.loop.example"), "{url}");
    }
}

#[test]
fn a_missing_or_repeated_state_is_not_sent_back() {
    for parameters in [with("state", None), with("state", Some("")), repeated("state")] {
        let fault = redirected(&parameters, &partner_app());
        assert_eq!(fault.error.code(), ErrorCode::InvalidRequest);
        assert!(!fault.url().contains("&state="), "{}", fault.url());
        assert!(fault.url().contains("&iss="), "{}", fault.url());
    }
}

#[test]
fn protected_health_information_needs_a_signed_agreement() {
    let unsigned = Client { party: Party::Third { baa_signed: false }, ..partner_app() };
    let fault = redirected(&owned(&GOOD), &unsigned);
    assert_eq!(fault.error.code(), ErrorCode::InvalidScope);
    proceeds(&with("scope", Some("email")), &unsigned);
    proceeds(&owned(&GOOD), &Client { party: Party::First, ..partner_app() });
}

#[test]
fn a_machine_has_no_authorization_code() {
    let redirect_uris = partner_app().redirect_uris;
    let machine = Client { id: "cli_app".to_owned(), redirect_uris, ..machine() };
    let fault = redirected(&owned(&GOOD), &machine);
    assert_eq!(fault.error.code(), ErrorCode::UnauthorizedClient);
}

#[test]
fn an_unknown_parameter_is_ignored_even_when_repeated() {
    let mut parameters = owned(&GOOD);
    parameters.extend(owned(&[("utm", "1"), ("utm", "2")]));
    proceeds(&parameters, &partner_app());
}

#[test]
fn the_prompt_is_read() {
    for (text, expected) in [
        ("none", Prompt::Silent),
        ("login", Prompt::Interactive { login: true, consent: false }),
        ("login consent", Prompt::Interactive { login: true, consent: true }),
        ("select_account", Prompt::Interactive { login: true, consent: false }),
    ] {
        let request = proceeds(&with("prompt", Some(text)), &partner_app());
        assert_eq!(request.prompt, expected);
    }
}

#[test]
fn a_third_party_asks_once_for_each_scope_and_our_own_clients_never() {
    let scopes = |text| Scopes::parse(text).unwrap();
    let third = Party::Third { baa_signed: true };
    let plain = Prompt::Interactive { login: true, consent: false };
    let consent = Prompt::Interactive { login: false, consent: true };
    for (granted, requested, party, prompt, expected) in [
        ("", "email", third, plain, true),
        ("email", "email", third, plain, false),
        ("email", "email", third, Prompt::Silent, false),
        ("email openid", "email", third, plain, false),
        ("email", "email openid", third, plain, true),
        ("email", "email openid", third, Prompt::Silent, true),
        ("email", "email", third, consent, true),
        ("", "email", Party::First, plain, false),
        ("", "email", Party::First, consent, true),
    ] {
        let needed = consent_needed(&scopes(granted), &scopes(requested), party, prompt);
        assert_eq!(needed, expected, "{granted} {requested} {party:?} {prompt:?}");
    }
}

/// One of the good pairs, one with another value, or anything.
fn any_pair() -> impl Strategy<Value = (String, String)> {
    let good = prop::sample::select(owned(&GOOD));
    let name = prop::sample::select(GOOD.map(|it| it.0.to_owned()).to_vec());
    prop_oneof![8 => good, 1 => (name, "\\PC*"), 1 => ("\\PC{0,4}", "\\PC*")]
}

proptest! {
    #[test]
    fn every_answer_goes_to_the_registered_uri_with_the_issuer(
        parameters in prop::collection::vec(any_pair(), 0..12),
        state in ".*",
    ) {
        let mut parameters = parameters;
        parameters.push(("state".to_owned(), state));
        let url = match authorize(&parameters, Some(&partner_app()), ISSUER) {
            Authorization::ShowError(_) => return Ok(()),
            Authorization::RedirectError(error) => error.url(),
            Authorization::Proceed(request) => request.error_url(&missing("consent")),
        };
        prop_assert!(url.starts_with("https://app.example/cb?"), "{}", url);
        prop_assert!(url.ends_with("&iss=https%3A%2F%2Fid.loop.example"), "{}", url);
        prop_assert!(url.bytes().all(|it| it.is_ascii_graphic() && it != b'#'), "{}", url);
        prop_assert_eq!(url.matches('?').count(), 1);
    }

    #[test]
    fn any_state_comes_back_unchanged(state in "\\PC{1,80}") {
        let request = proceeds(&with("state", Some(&state)), &partner_app());
        let url = request.success_url(&Token::mint(Kind::AuthorizationCode));
        let query = url.split_once('?').unwrap().1;
        let back = form_urlencoded::parse(query.as_bytes()).find(|it| it.0 == "state").unwrap().1;
        prop_assert_eq!(back.as_ref(), state);
    }
}
