//! What identity speaks of: people, programs, grants and what is issued under them. Pure.

pub mod client;
pub mod code;
pub mod grant;
pub mod password;
pub mod session;
pub mod token;
pub mod user;
