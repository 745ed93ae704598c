//! The pages a person sees: sign in, allow an app, sign out. No script, nothing framed, nothing
//! kept by a cache.
//!
//! The authorization request travels in the address of every page and is checked anew on each, so
//! nothing about it is stored, and no page goes anywhere but on to the next or back to a
//! registered redirect URI.

mod approval;
mod authorize;
mod callback;
mod consent;
mod cookies;
mod forms;
mod html;
mod public_url;
mod request;
mod sign_in;
mod sign_out;

use std::sync::Arc;

use axum::{Router, extract::DefaultBodyLimit, http::HeaderMap, middleware, routing::get};
use kit::{Platform, Result};
use oauth_core::{Kind, Token};
use tokio::sync::Semaphore;

use crate::{domain::session::Session, store::Lookup};

/// The paths that `router` serves.
pub const PATHS: &[&str] =
    &[authorize::PATH, sign_in::PATH, sign_out::PATH, consent::PATH, callback::PATH];

/// Bytes of the largest form.
const LARGEST_FORM: usize = 16 << 10;

pub fn router(platform: &Platform, lookup: &Lookup) -> Router {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let pages = Pages {
        lookup: lookup.clone(),
        hashing: Arc::new(Semaphore::new(cores)),
        platform: platform.clone(),
    };
    Router::new()
        .route(authorize::PATH, get(authorize::show))
        .route(sign_in::PATH, get(sign_in::show).post(sign_in::submit))
        .route(consent::PATH, get(consent::show).post(consent::submit))
        .route(callback::PATH, get(callback::show))
        .route(sign_out::PATH, get(sign_out::show).post(sign_out::submit))
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .layer(middleware::map_response(html::close))
        .with_state(pages)
}

/// What the pages stand on.
#[derive(Clone)]
struct Pages {
    platform: Platform,
    lookup: Lookup,
    /// As many passwords are hashed at once as there are cores: each costs one, and 19 MiB.
    hashing: Arc<Semaphore>,
}

impl Pages {
    /// The session of this browser, if it stands.
    async fn session(&self, headers: &HeaderMap) -> Result<Option<Session>> {
        let Some(cookie) = cookies::read(headers, &self.session_cookie()) else { return Ok(None) };
        let Ok(token) = Token::parse(Kind::Session, cookie) else { return Ok(None) };
        self.lookup.session(&token.hash(), self.platform.clock.now()).await
    }

    /// Where the browser finds a page of ours: below the path of the public URL.
    fn link(&self, path: &str) -> String {
        format!("{}{path}", public_url::path(&self.platform.public_url))
    }

    fn session_cookie(&self) -> String {
        cookies::name(&self.platform.public_url, "loop_session")
    }
}
