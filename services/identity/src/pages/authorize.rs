//! The authorization endpoint (RFC 6749 section 3.1): on to sign-in, to consent, or back to the
//! client.

use axum::{
    extract::{RawQuery, State},
    http::HeaderMap,
    response::Response,
};
use oauth_core::{Error, ErrorCode, authorize::Prompt};

use super::{
    Pages,
    approval::{Outcome, approve},
    consent,
    html::{Stop, go},
    request::{Asked, ask},
    sign_in,
};

pub const PATH: &str = "/v1/oauth/authorize";

pub async fn show(
    State(pages): State<Pages>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Stop> {
    let asked = ask(&pages, query.as_deref()).await?;
    let session = pages.session(&headers).await?;
    // A person is somebody else in every brand.
    let session = session.filter(|it| it.brand == asked.client.brand);
    let login_wanted = matches!(asked.rules.prompt, Prompt::Interactive { login: true, .. });
    let Some(session) = session.filter(|_| !login_wanted) else {
        return Ok(sign_in_first(&asked));
    };
    match approve(&pages, &asked, &session, false).await? {
        Outcome::Code(code) => Ok(go(&asked.rules.success_url(&code))),
        Outcome::SignInAgain => Ok(sign_in_first(&asked)),
        Outcome::ConsentNeeded if asked.rules.prompt == Prompt::Silent => {
            Ok(refuse(&asked, ErrorCode::ConsentRequired, "the person must be asked"))
        }
        Outcome::ConsentNeeded => Ok(go(&asked.at(consent::PATH))),
    }
}

fn sign_in_first(asked: &Asked) -> Response {
    match asked.rules.prompt {
        Prompt::Silent => refuse(asked, ErrorCode::LoginRequired, "the person must sign in"),
        Prompt::Interactive { .. } => go(&asked.at(sign_in::PATH)),
    }
}

/// Back to the client, without a code.
pub fn refuse(asked: &Asked, code: ErrorCode, description: &'static str) -> Response {
    go(&asked.rules.error_url(&Error::new(code, description)))
}
