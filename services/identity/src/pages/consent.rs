//! Consent: what the app wants, in plain words, and the person's yes or no.

use askama::Template;
use axum::{
    Form,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use kit::Result;
use oauth_core::ErrorCode;
use serde::Deserialize;

use super::{
    Pages,
    approval::{Outcome, approve},
    authorize, forms,
    html::{self, STYLE, Stop, go, page},
    request::{Asked, ask},
    sign_in, sign_out,
};
use crate::{domain::session::Session, store};

pub const PATH: &str = "/consent";

#[derive(Deserialize)]
pub struct Answer {
    #[serde(default)]
    decision: String,
    #[serde(default)]
    form_token: String,
}

#[derive(Template)]
#[template(path = "consent.html")]
struct ConsentPage<'a> {
    style: &'static str,
    app: &'a str,
    host: String,
    email: &'a str,
    sentences: Vec<&'static str>,
    action: String,
    form_token: String,
    sign_out: String,
}

pub async fn show(
    State(pages): State<Pages>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Stop> {
    let (asked, session) = signed_in(&pages, query.as_deref(), &headers).await?;
    let mut reader = pages.platform.db.read_brand(&session.brand).await?;
    let user = store::user(&mut reader, session.user_id).await?;
    let template = ConsentPage {
        style: STYLE,
        app: &asked.client.profile.name,
        host: html::host(asked.rules.redirect_uri()),
        email: user.as_ref().map(|it| it.email.as_str()).unwrap_or_default(),
        sentences: asked.rules.scopes.iter().map(|it| it.text).collect(),
        action: asked.at(PATH),
        form_token: form_token(&pages, &asked, &session),
        sign_out: pages.link(sign_out::PATH),
    };
    Ok(page(StatusCode::OK, &template, Some(asked.rules.redirect_uri())))
}

pub async fn submit(
    State(pages): State<Pages>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    Form(answer): Form<Answer>,
) -> Result<Response, Stop> {
    let (asked, session) = signed_in(&pages, query.as_deref(), &headers).await?;
    let expected = form_token(&pages, &asked, &session);
    let url = &pages.platform.public_url;
    if !forms::is_ours(&expected, &answer.form_token, &headers, url) {
        return Err(sign_in::stale());
    }
    if answer.decision != "allow" {
        return Ok(authorize::refuse(&asked, ErrorCode::AccessDenied, "the person said no"));
    }
    match approve(&pages, &asked, &session, true).await? {
        Outcome::Code(code) => Ok(go(&asked.rules.success_url(&code))),
        Outcome::ConsentNeeded | Outcome::SignInAgain => Ok(go(&asked.at(sign_in::PATH))),
    }
}

/// The request and the person who is to answer it, in the client's brand.
async fn signed_in(
    pages: &Pages,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<(Asked, Session), Stop> {
    let asked = ask(pages, query).await?;
    let session = pages.session(headers).await?;
    match session.filter(|it| it.brand == asked.client.brand) {
        Some(session) => Ok((asked, session)),
        None => Err(go(&asked.at(sign_in::PATH)).into()),
    }
}

fn form_token(pages: &Pages, asked: &Asked, session: &Session) -> String {
    forms::token(&pages.platform.key, PATH, &session.hash.0, &asked.query)
}
