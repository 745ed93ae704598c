//! Passwords: argon2id with a salt of its own for each (RFC 9106).

use std::sync::LazyLock;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc},
};

/// A password's hash in the PHC string format.
#[derive(Clone)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Hashes with a fresh salt: 19 MiB and two passes, some 20 ms of one core.
    pub fn of(password: &str) -> Self {
        let hash: phc::PasswordHash = Argon2::default()
            .hash_password(password.as_bytes())
            .expect("the default parameters are valid");
        Self(hash.to_string())
    }

    /// A hash that was stored.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn matches(&self, password: &str) -> bool {
        phc::PasswordHash::new(&self.0)
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    }
}

/// Whether the password is the one behind `stored`. Costs the same work when there is none, so
/// that nobody can tell from the time who has an account.
pub fn verify(stored: Option<&PasswordHash>, password: &str) -> bool {
    static NOBODYS: LazyLock<PasswordHash> = LazyLock::new(|| PasswordHash::of("nobody's"));
    let matches = stored.unwrap_or(&NOBODYS).matches(password);
    matches && stored.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_matches_its_own_hash_only() {
        let hash = PasswordHash::of("correct horse");
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(verify(Some(&hash), "correct horse"));
        assert!(!verify(Some(&hash), "correct horse "));
        assert!(!verify(Some(&PasswordHash::stored("plain".into())), "plain"));
    }

    #[test]
    fn nobodys_password_matches_nothing() {
        assert!(!verify(None, "nobody's"));
        assert!(!verify(None, ""));
    }

    #[test]
    fn two_hashes_of_one_password_differ() {
        assert_ne!(PasswordHash::of("a").as_str(), PasswordHash::of("a").as_str());
    }
}
