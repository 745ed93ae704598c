//! Secrets: values that do not print, and the platform key that others are derived from.

use std::{fmt, str::FromStr};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The platform's root key, 32 bytes or more in hex. Passwords of database roles, secrets of the
/// platform's own clients and signatures of page tokens are derived from it, so that one secret
/// has to be kept and none is stored.
#[derive(Clone)]
pub struct PlatformKey(Vec<u8>);

impl PlatformKey {
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// HMAC-SHA256 of a label: the same label gives the same bytes in every process.
    pub fn derive(&self, label: &str) -> [u8; 32] {
        self.mac(label.as_bytes())
    }

    /// The password of a database role.
    pub fn role_password(&self, role: &str) -> String {
        hex::encode(self.derive(&format!("postgres role {role}")))
    }

    /// The secret of one of the platform's own OAuth clients.
    pub fn client_secret(&self, client_id: &str) -> oauth_core::Token {
        oauth_core::Token::derive(oauth_core::Kind::ClientSecret, &self.0, client_id)
    }

    pub fn mac(&self, message: &[u8]) -> [u8; 32] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(message);
        mac.finalize().into_bytes().into()
    }
}

impl FromStr for PlatformKey {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = hex::decode(text.trim()).map_err(|_| "must be hexadecimal")?;
        if bytes.len() < 32 {
            return Err("must have at least 32 bytes (64 hexadecimal digits)");
        }
        Ok(Self(bytes))
    }
}

impl fmt::Debug for PlatformKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlatformKey([secret])")
    }
}
