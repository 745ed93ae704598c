//! The OAuth 2.1 authorization server as pure decisions: values in, decisions out.
//!
//! Nothing here reads a clock, a database or a socket. Time is an argument. Randomness enters in
//! [`Token::mint`] alone. The caller loads the rows, asks for a decision, and writes it down in
//! the same transaction.

pub mod authorize;
pub mod client;
pub mod client_auth;
pub mod error;
pub mod grant;
pub mod origin;
pub mod pkce;
pub mod redirect;
pub mod refresh;
pub mod scope;
pub mod token;

pub use client::{AccessTokenLifetime, Authentication, Client, Party, Secrets};
pub use client_auth::{AuthenticatedClient, Credentials};
pub use error::{Error, ErrorCode};
pub use grant::{GrantType, TokenRequest};
pub use origin::Origin;
pub use pkce::Challenge;
pub use redirect::RedirectUri;
pub use scope::{Scope, Scopes};
pub use token::{Kind, Token, TokenHash};
