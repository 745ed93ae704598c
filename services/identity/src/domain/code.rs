//! An authorization code: the one minute between consent and tokens.

use oauth_core::{Scopes, TokenHash, grant::AuthorizationCode};

use super::grant::Authority;

/// A code as it is stored, under its hash.
#[derive(Clone, Debug)]
pub struct StoredCode {
    pub hash: TokenHash,
    pub authority: Authority,
    pub scopes: Scopes,
    /// What OAuth decides by.
    pub rules: AuthorizationCode,
}
