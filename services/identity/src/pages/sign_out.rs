//! Sign-out: ends the session of this browser. Apps that were let in stay connected.

use askama::Template;
use axum::{
    Form,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use chrono::TimeDelta;
use kit::{Change, Result};
use serde::Deserialize;

use super::{
    Pages, cookies, forms,
    html::{STYLE, Stop, go, page},
    sign_in,
};
use crate::{domain::session::Session, store::SessionEnd};

pub const PATH: &str = "/sign-out";

#[derive(Deserialize)]
pub struct SignOut {
    #[serde(default)]
    form_token: String,
}

#[derive(Template)]
#[template(path = "sign_out.html")]
struct SignOutPage {
    style: &'static str,
    action: String,
    /// None when nobody is signed in.
    form_token: Option<String>,
}

pub async fn show(State(pages): State<Pages>, headers: HeaderMap) -> Result<Response, Stop> {
    let session = pages.session(&headers).await?;
    let form_token = session.map(|it| form_token(&pages, &it));
    let action = pages.link(PATH);
    Ok(page(StatusCode::OK, &SignOutPage { style: STYLE, action, form_token }, None))
}

pub async fn submit(
    State(pages): State<Pages>,
    headers: HeaderMap,
    Form(form): Form<SignOut>,
) -> Result<Response, Stop> {
    let mut response = go(&pages.link(PATH));
    let Some(session) = pages.session(&headers).await? else { return Ok(response) };
    let expected = form_token(&pages, &session);
    let url = &pages.platform.public_url;
    if !forms::is_ours(&expected, &form.form_token, &headers, url) {
        return Err(sign_in::stale());
    }
    end(&pages, session).await?;
    let gone = cookies::set(url, &pages.session_cookie(), "", TimeDelta::zero());
    response.headers_mut().append(header::SET_COOKIE, gone);
    Ok(response)
}

async fn end(pages: &Pages, session: Session) -> Result<()> {
    let person = session.user_id.to_string();
    let db = &pages.platform.db;
    let tx = db.begin_person(session.brand, &person, "identity.session.ended").await?;
    let change = Change::of(SessionEnd(session.hash), "user", person);
    tx.record(change).await?.commit_quietly().await?;
    Ok(())
}

fn form_token(pages: &Pages, session: &Session) -> String {
    forms::token(&pages.platform.key, PATH, &session.hash.0, "")
}
