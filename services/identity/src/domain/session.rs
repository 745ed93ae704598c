//! A browser in which a person has signed in.

use chrono::TimeDelta;
use kit::{Brand, Time};
use oauth_core::TokenHash;

use super::user::UserId;

/// How long a person stays signed in.
pub const LIFETIME: TimeDelta = TimeDelta::days(14);

/// A session as it is stored, under its hash.
#[derive(Clone, Debug)]
pub struct Session {
    pub hash: TokenHash,
    pub brand: Brand,
    pub user_id: UserId,
    /// The user's epoch at sign-in.
    pub user_epoch: i64,
    pub started_at: Time,
    pub expires_at: Time,
}
