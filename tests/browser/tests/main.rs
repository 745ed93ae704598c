//! The API reference as a person meets it, and pages of other origins: a real platform, a real
//! browser.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod calling;
mod elsewhere;
mod page;
mod platform;
mod reading;
mod seeing;
mod signing_in;
