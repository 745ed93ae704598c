//! Refresh token rotation that a lost answer does not break and a thief does not survive.
//!
//! The tokens of one grant form a family, numbered from 1. Each use of the current token makes
//! the next one. The successor is stored encrypted under the token it replaces: a client that
//! never received the answer gets the very same successor again for a short while, and a stolen
//! database opens nothing. So a family never has two live tokens. An older token that comes back
//! is reuse, and the family dies (RFC 9700 section 4.14.2).
//!
//! Order is decided by sequence numbers, not by time. Lock the family's row while deciding.

use aes_gcm::aead::Aead;
use aes_gcm::{Aes256Gcm, KeyInit};
use chrono::{DateTime, TimeDelta, Utc};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::client_auth::AuthenticatedClient;
use crate::error::{Error, ErrorCode};
use crate::scope::Scopes;
use crate::token::{Kind, Token};

/// How long after its last use a refresh token holds.
pub const REFRESH_LIFETIME: TimeDelta = TimeDelta::days(90);
/// How long a client that lost the answer may ask again with the token it had.
pub const RETRY_WINDOW: TimeDelta = TimeDelta::seconds(30);

/// All refresh tokens that came from one grant, as stored.
#[derive(Debug, Clone)]
pub struct RefreshFamily {
    pub client_id: String,
    /// What the person granted.
    pub scopes: Scopes,
    /// The number of the newest token.
    pub current_sequence: i64,
    /// When the person must sign in again, however often the tokens are used. Absent: never.
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked: bool,
}

/// One refresh token as stored, under its hash.
#[derive(Debug, Clone)]
pub struct RefreshToken {
    pub sequence: i64,
    /// When it ends if it stays unused.
    pub expires_at: DateTime<Utc>,
    /// Present from the first use on.
    pub rotation: Option<Rotation>,
}

/// That a token was used, and what replaced it.
#[derive(Debug, Clone)]
pub struct Rotation {
    pub consumed_at: DateTime<Utc>,
    /// The successor, encrypted so that only the replaced token opens it.
    pub sealed_successor: Vec<u8>,
}

/// A refresh request (RFC 6749 section 6).
#[derive(Debug, Clone, Copy)]
pub struct RefreshAttempt<'a> {
    pub client: AuthenticatedClient<'a>,
    pub presented: &'a Token,
    pub requested: Option<&'a Scopes>,
    pub now: DateTime<Utc>,
}

/// What becomes of a refresh token that is presented.
#[derive(Debug)]
pub enum RefreshDecision {
    /// Store `rotation` with the presented token and `next` under the hash of `successor`; make
    /// `next.sequence` the family's current one; issue an access token for `scopes`.
    Rotate { scopes: Scopes, successor: Token, rotation: Rotation, next: RefreshToken },
    /// Answer with the successor of before and a fresh access token. The family stays as it is.
    Repeat { scopes: Scopes, successor: Token },
    /// Refuse. The family stays as it is.
    Reject(Error),
    /// Refuse with `invalid_grant`, revoke the family and the grant, and tell the person.
    Reuse,
}

impl RefreshFamily {
    /// Decides about a presented token of this family, whose stored row is `stored`.
    ///
    /// `successor` is a freshly minted token; it is used if the family rotates, else dropped.
    pub fn decide(
        &self,
        stored: &RefreshToken,
        attempt: RefreshAttempt<'_>,
        successor: Token,
    ) -> RefreshDecision {
        if self.client_id != attempt.client.id {
            return reject("the refresh token was issued to another client");
        }
        if self.revoked {
            return reject("the refresh token was revoked");
        }
        if self.is_reuse(stored, attempt.now) {
            return RefreshDecision::Reuse;
        }
        if attempt.now >= self.end_of(stored.expires_at) {
            return reject("the refresh token has expired");
        }
        let scopes = match self.scopes.narrowed_to(attempt.requested) {
            Ok(scopes) => scopes,
            Err(error) => return RefreshDecision::Reject(error),
        };
        match &stored.rotation {
            None => self.rotate(stored, attempt, scopes, successor),
            Some(rotation) => repeat(rotation, attempt.presented, scopes),
        }
    }

    /// When a token ends that would end at `at` if the family did not.
    fn end_of(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        self.expires_at.map_or(at, |it| it.min(at))
    }

    /// A token is good while it is the current one, and for a short while after, provided that
    /// its successor is still the current one.
    fn is_reuse(&self, stored: &RefreshToken, now: DateTime<Utc>) -> bool {
        match &stored.rotation {
            None => stored.sequence != self.current_sequence,
            Some(rotation) => {
                stored.sequence + 1 != self.current_sequence
                    || now >= rotation.consumed_at + RETRY_WINDOW
            }
        }
    }

    fn rotate(
        &self,
        stored: &RefreshToken,
        attempt: RefreshAttempt<'_>,
        scopes: Scopes,
        successor: Token,
    ) -> RefreshDecision {
        let sealed_successor = seal(attempt.presented, &successor);
        RefreshDecision::Rotate {
            scopes,
            successor,
            rotation: Rotation { consumed_at: attempt.now, sealed_successor },
            next: RefreshToken {
                sequence: stored.sequence + 1,
                expires_at: self.end_of(attempt.now + REFRESH_LIFETIME),
                rotation: None,
            },
        }
    }
}

fn repeat(rotation: &Rotation, presented: &Token, scopes: Scopes) -> RefreshDecision {
    match open(presented, &rotation.sealed_successor) {
        Some(successor) => RefreshDecision::Repeat { scopes, successor },
        None => RefreshDecision::Reject(Error::new(
            ErrorCode::ServerError,
            "the successor of the refresh token cannot be read",
        )),
    }
}

fn reject(description: &'static str) -> RefreshDecision {
    RefreshDecision::Reject(Error::new(ErrorCode::InvalidGrant, description))
}

const NONCE_LENGTH: usize = 12;

/// Nonce and ciphertext. The nonce follows from the successor, so that two different successors
/// of one token, as after a rollback, never share one.
fn seal(under: &Token, successor: &Token) -> Vec<u8> {
    let hash = successor.hash().0;
    let nonce = *hash.first_chunk::<NONCE_LENGTH>().expect("a hash is longer than a nonce");
    let ciphertext = cipher(under)
        .encrypt(&nonce.into(), successor.expose().as_bytes())
        .expect("a token is shorter than the longest plaintext of AES-GCM");
    [nonce.as_slice(), &ciphertext].concat()
}

fn open(under: &Token, sealed: &[u8]) -> Option<Token> {
    let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_LENGTH>()?;
    let text = Zeroizing::new(cipher(under).decrypt(&(*nonce).into(), ciphertext).ok()?);
    Token::parse(Kind::RefreshToken, std::str::from_utf8(&text).ok()?).ok()
}

/// AES-256-GCM under a key that only a holder of the token can derive.
fn cipher(under: &Token) -> Aes256Gcm {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(None, under.expose().as_bytes())
        .expand(b"oauth-core refresh successor v1", key.as_mut())
        .expect("HKDF-SHA256 gives 32 bytes");
    Aes256Gcm::new(&(*key).into())
}

#[cfg(test)]
mod tests;
