//! All the SQL, beside the one function that runs it.

mod access;
mod client;
mod code;
mod grant;
mod lookup;
mod refresh;
mod user;

use kit::{Brand, Error, Result};
use oauth_core::{Scopes, TokenHash};

pub use access::{AccessEnd, live_of_family, live_of_grant, lock_access};
pub use client::{RegisterClient, clients_by_age};
pub use code::{Approval, lock_code};
pub use grant::{ConnectedAppRow, GrantEnd, connected_apps, lock_grant, standing};
pub use lookup::Lookup;
pub use refresh::{FamilyEnd, lock_refresh};
pub use user::{Member, SessionEnd, SessionStart, by_email, lock_epoch, password_hash, user};

/// What a column holds that no statement of ours wrote.
fn corrupt(what: &str) -> Error {
    Error::internal(std::io::Error::other(format!("a stored {what} cannot be read")))
}

fn token_hash(bytes: Vec<u8>) -> Result<TokenHash> {
    bytes.try_into().map(TokenHash).map_err(|_| corrupt("hash"))
}

fn scopes(names: &[String]) -> Result<Scopes> {
    Scopes::of(names.iter().map(String::as_str)).map_err(|_| corrupt("scope"))
}

fn names(scopes: &Scopes) -> Vec<&'static str> {
    scopes.names().collect()
}

fn brand(slug: String) -> Result<Brand> {
    Brand::new(slug).map_err(|_| corrupt("brand"))
}
