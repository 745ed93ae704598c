//! Sign-in by the embedded identity provider: e-mail address and password.

use std::time::Duration;

use askama::Template;
use axum::{
    Form,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use chrono::TimeDelta;
use kit::{Brand, Change, Result, Uuid};
use oauth_core::{Kind, Token};
use serde::Deserialize;

use super::{
    Pages, authorize, cookies, forms,
    html::{STYLE, Stop, go, page, problem},
    request::{Asked, ask},
};
use crate::{
    domain::{
        password,
        session::{self, Session},
        user::{Email, UserId},
    },
    store::{self, SessionStart},
};

pub const PATH: &str = "/sign-in";

/// Attempts in [`WINDOW`] for one account, from wherever they come.
const ATTEMPTS_PER_ACCOUNT: u32 = 10;
/// Attempts in [`WINDOW`] from one network address, for whichever accounts.
const ATTEMPTS_PER_ADDRESS: u32 = 50;
const WINDOW: Duration = Duration::from_secs(15 * 60);

const FORM_LIFETIME: TimeDelta = TimeDelta::hours(1);

#[derive(Deserialize)]
pub struct SignIn {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    form_token: String,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    style: &'static str,
    app: &'a str,
    action: String,
    form_token: String,
    email: &'a str,
    error: &'a str,
}

pub async fn show(
    State(pages): State<Pages>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Stop> {
    let asked = ask(&pages, query.as_deref()).await?;
    let kept = cookies::read(&headers, &pages.form_cookie()).map(str::to_owned);
    let browser = kept.unwrap_or_else(|| Uuid::new_v4().to_string());
    let mut response = form(&pages, &asked, &browser, StatusCode::OK, "", "");
    let (url, name) = (&pages.platform.public_url, pages.form_cookie());
    let cookie = cookies::set(url, &name, &browser, FORM_LIFETIME);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

pub async fn submit(
    State(pages): State<Pages>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    Form(sign_in): Form<SignIn>,
) -> Result<Response, Stop> {
    let asked = ask(&pages, query.as_deref()).await?;
    let browser = cookies::read(&headers, &pages.form_cookie()).ok_or_else(stale)?;
    let expected = forms::token(&pages.platform.key, PATH, browser.as_bytes(), &asked.query);
    let url = &pages.platform.public_url;
    if !forms::is_ours(&expected, &sign_in.form_token, &headers, url) {
        return Err(stale());
    }
    let again = |status, error| form(&pages, &asked, browser, status, &sign_in.email, error);
    let brand = &asked.client.brand;
    if let Some(wait) = pages.too_many_attempts(brand, &sign_in.email, &headers).await? {
        let mut response = again(StatusCode::TOO_MANY_REQUESTS, "Too many attempts. Please wait.");
        let seconds = HeaderValue::from(wait.as_secs().max(1));
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
        return Ok(response);
    }
    let Some((user_id, epoch)) = pages.check(brand, &sign_in).await? else {
        let error = "The e-mail address or the password is not right.";
        return Ok(again(StatusCode::UNPROCESSABLE_ENTITY, error));
    };
    let cookie = pages.begin_session(brand, user_id, epoch, &headers).await?;
    let mut response = go(&asked.after_sign_in(authorize::PATH));
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

fn form(
    pages: &Pages,
    asked: &Asked,
    browser: &str,
    status: StatusCode,
    email: &str,
    error: &str,
) -> Response {
    let template = SignInPage {
        style: STYLE,
        app: &asked.client.profile.name,
        action: asked.at(PATH),
        form_token: forms::token(&pages.platform.key, PATH, browser.as_bytes(), &asked.query),
        email,
        error,
    };
    page(status, &template, Some(asked.rules.redirect_uri()))
}

/// A form of another page, another browser or another time.
pub fn stale() -> Stop {
    problem(
        StatusCode::FORBIDDEN,
        "This page is out of date",
        "Please go back to the app and try again. Cookies must be allowed for this site.",
    )
}

impl Pages {
    /// Binds the form to the browser before there is a session.
    fn form_cookie(&self) -> String {
        cookies::name(&self.platform.public_url, "loop_form")
    }

    /// Counts an attempt; how long to wait if it is one too many. Without the cache nothing can
    /// be counted, so nobody signs in.
    async fn too_many_attempts(
        &self,
        brand: &Brand,
        email: &str,
        headers: &HeaderMap,
    ) -> Result<Option<Duration>> {
        let email = Email::parse(email).map(|it| it.as_str().to_owned()).unwrap_or_default();
        // Hashed under the key: an address is nothing for a cache to hold.
        let account = self.platform.key.mac(format!("sign-in {brand} {email}").as_bytes());
        let account = (format!("sign-in:account:{}", hex::encode(account)), ATTEMPTS_PER_ACCOUNT);
        // The address first: one that has to wait cannot use up the attempts of an account.
        let address =
            address(headers).map(|it| (format!("sign-in:address:{it}"), ATTEMPTS_PER_ADDRESS));
        for (key, limit) in address.into_iter().chain([account]) {
            let verdict = self.platform.cache.allow(&key, limit, WINDOW).await?;
            if !verdict.allowed {
                return Ok(Some(verdict.retry_after));
            }
        }
        Ok(None)
    }

    /// Who the address and the password prove, and their epoch. The same work for an address that
    /// nobody has.
    async fn check(&self, brand: &Brand, sign_in: &SignIn) -> Result<Option<(UserId, i64)>> {
        let found = match Email::parse(&sign_in.email) {
            Some(email) => {
                let mut reader = self.platform.db.read_brand(brand).await?;
                store::by_email(&mut reader, &email).await?
            }
            None => None,
        };
        let permit = self.hashing.clone().acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        let presented = sign_in.password.clone();
        let checked = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let stored = found.as_ref().map(|it| &it.2);
            if password::verify(stored, &presented) { found } else { None }
        });
        let proven = checked.await.map_err(kit::Error::internal)?;
        Ok(proven.map(|(user_id, epoch, _)| (user_id, epoch)))
    }

    /// A new session with a new token: one that was there before sign-in is never taken over.
    async fn begin_session(
        &self,
        brand: &Brand,
        user_id: UserId,
        user_epoch: i64,
        headers: &HeaderMap,
    ) -> Result<HeaderValue> {
        let replaces = self.session(headers).await?.map(|it| it.hash);
        let token = Token::mint(Kind::Session);
        let (person, event_type) = (user_id.to_string(), "identity.session.started");
        let db = &self.platform.db;
        let tx = db.begin_person(brand.clone(), &person, event_type).await?;
        let session = Session {
            hash: token.hash(),
            brand: brand.clone(),
            user_id,
            user_epoch,
            started_at: tx.now(),
            expires_at: tx.now() + session::LIFETIME,
        };
        let change = Change::of(SessionStart { session, replaces }, "user", person);
        tx.record(change).await?.commit_quietly().await?;
        let (url, name) = (&self.platform.public_url, self.session_cookie());
        Ok(cookies::set(url, &name, token.expose(), session::LIFETIME))
    }
}

/// The network address of the browser, as the edge adds it to the end of `X-Forwarded-For`.
fn address(headers: &HeaderMap) -> Option<std::net::IpAddr> {
    let line = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    line.rsplit(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_the_one_that_the_edge_added() {
        let mut headers = HeaderMap::new();
        assert_eq!(address(&headers), None);
        headers.append("x-forwarded-for", HeaderValue::from_static("9.9.9.9, 192.0.2.7"));
        assert_eq!(address(&headers), "192.0.2.7".parse().ok());
        headers.append("x-forwarded-for", HeaderValue::from_static("2001:db8::1"));
        assert_eq!(address(&headers), "2001:db8::1".parse().ok());
        headers.append("x-forwarded-for", HeaderValue::from_static("nobody"));
        assert_eq!(address(&headers), None);
    }
}
