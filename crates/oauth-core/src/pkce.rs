//! Proof Key for Code Exchange (RFC 7636): S256 only, for every client.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::error::{Error, ErrorCode};

/// SHA-256 of a verifier that only the client that began the request knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Challenge(pub [u8; 32]);

impl Challenge {
    /// Reads `code_challenge` and `code_challenge_method` of an authorization request.
    ///
    /// Fails with `invalid_request`. An absent method means `plain` (RFC 7636 section 4.3), which
    /// is refused (RFC 9700 section 2.1.1).
    pub fn parse(challenge: Option<&str>, method: Option<&str>) -> Result<Challenge, Error> {
        let invalid = |what| Error::new(ErrorCode::InvalidRequest, what);
        let challenge = challenge.ok_or_else(|| invalid("code_challenge is missing"))?;
        if method != Some("S256") {
            return Err(invalid("code_challenge_method must be S256"));
        }
        let mut hash = [0; 32];
        match URL_SAFE_NO_PAD.decode_slice(challenge, &mut hash) {
            Ok(32) => Ok(Challenge(hash)),
            _ => Err(invalid("code_challenge must be 43 characters of base64url")),
        }
    }

    /// Checks the `code_verifier` of a token request (RFC 7636 section 4.6), in constant time.
    ///
    /// Fails with `invalid_grant`.
    pub fn verify(&self, verifier: &str) -> Result<(), Error> {
        let invalid = |what| Err(Error::new(ErrorCode::InvalidGrant, what));
        if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(is_unreserved) {
            return invalid("code_verifier must be 43 to 128 unreserved characters");
        }
        let hash: [u8; 32] = Sha256::digest(verifier).into();
        if bool::from(hash.ct_eq(&self.0)) {
            Ok(())
        } else {
            invalid("code_verifier does not match the challenge")
        }
    }
}

/// RFC 3986 section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn challenge() -> Challenge {
        Challenge::parse(Some(CHALLENGE), Some("S256")).unwrap()
    }

    #[test]
    fn the_example_of_rfc_7636_appendix_b_holds() {
        assert_eq!(challenge().verify(VERIFIER), Ok(()));
    }

    #[test]
    fn another_verifier_is_invalid_grant() {
        let other = VERIFIER.replace("dBj", "eBj");
        assert_eq!(challenge().verify(&other).unwrap_err().code(), ErrorCode::InvalidGrant);
    }

    #[test]
    fn a_verifier_has_43_to_128_unreserved_characters() {
        for (verifier, allowed) in [
            ("a".repeat(42), false),
            ("a".repeat(43), true),
            ("~".repeat(128), true),
            ("a".repeat(129), false),
            ("a".repeat(42) + "+", false),
            ("a".repeat(42) + "é", false),
        ] {
            let hash = Challenge(Sha256::digest(&verifier).into());
            assert_eq!(hash.verify(&verifier).is_ok(), allowed, "{verifier}");
        }
    }

    #[test]
    fn only_s256_is_a_method() {
        for method in [None, Some("plain"), Some("s256"), Some("")] {
            let error = Challenge::parse(Some(CHALLENGE), method).unwrap_err();
            assert_eq!(error.description(), "code_challenge_method must be S256");
        }
    }

    #[test]
    fn a_challenge_is_32_bytes_in_unpadded_base64url() {
        let long = CHALLENGE.to_owned() + "A";
        let padded = CHALLENGE.to_owned() + "=";
        let standard = CHALLENGE.replace('-', "+");
        // The last character of 43 carries two bits that must be zero.
        let trailing_bits = CHALLENGE[..42].to_owned() + "N";
        for wrong in ["", &CHALLENGE[..42], &long, &padded, &standard, &trailing_bits] {
            let error = Challenge::parse(Some(wrong), Some("S256")).unwrap_err();
            assert_eq!(error.code(), ErrorCode::InvalidRequest, "{wrong}");
        }
        assert!(Challenge::parse(None, Some("S256")).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "\\PC*") {
            let _ = Challenge::parse(Some(&text), Some("S256"));
            prop_assert!(challenge().verify(&text).is_err());
        }
    }
}
