//! Opaque tokens: `lph_<kind>_`, 256 random bits in base62, and a checksum.
//!
//! The checksum lets a wrong or truncated token be refused, and a leaked one be found by a secret
//! scanner, without a look into any table. Only [`TokenHash`] is ever stored.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::{Error, ErrorCode};

/// Characters of the random part: the least that hold 256 bits in base62.
const RANDOM_LENGTH: usize = 43;
/// Characters of the checksum: the least that hold 32 bits in base62.
const CHECKSUM_LENGTH: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A secret string that stands for a right. Shown to its holder once.
pub struct Token {
    kind: Kind,
    text: Zeroizing<String>,
}

/// What a token is for. Its prefix says so, thus one kind never passes for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    AccessToken,
    RefreshToken,
    AuthorizationCode,
    ClientSecret,
    Session,
}

/// SHA-256 of a token's full text: what is stored and looked up. Compares in constant time.
#[derive(Clone, Copy)]
pub struct TokenHash(pub [u8; 32]);

impl Token {
    /// A new token with 256 bits of the operating system's randomness.
    pub fn mint(kind: Kind) -> Token {
        let mut random = Zeroizing::new([0; 32]);
        getrandom::fill(random.as_mut()).expect("the operating system has randomness");
        Token::of(kind, &random)
    }

    /// The same token for the same key and label, for machines whose secret follows from a
    /// platform key (HMAC-SHA256 of the prefix and the label).
    pub fn derive(kind: Kind, key: &[u8], label: &str) -> Token {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        mac.update(kind.prefix().as_bytes());
        mac.update(label.as_bytes());
        Token::of(kind, &mac.finalize().into_bytes().into())
    }

    /// Reads a token that somebody presents. Says nothing about whether it was ever issued.
    ///
    /// Fails with the code of the kind when prefix, length, characters or checksum are wrong.
    pub fn parse(kind: Kind, text: &str) -> Result<Token, Error> {
        let malformed = |what| Err(Error::new(kind.error_code(), what));
        let Some(rest) = text.strip_prefix(kind.prefix()) else {
            return malformed("the token does not have the prefix of its kind");
        };
        if rest.len() != RANDOM_LENGTH + CHECKSUM_LENGTH {
            return malformed("the token does not have the right length");
        }
        if !rest.bytes().all(|it| it.is_ascii_alphanumeric()) {
            return malformed("the token has a character that no token has");
        }
        let (body, checksum) = text.split_at(text.len() - CHECKSUM_LENGTH);
        if checksum_of(body).as_str() != checksum {
            return malformed("the token's checksum does not match");
        }
        Ok(Token { kind, text: Zeroizing::new(text.to_owned()) })
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The full text. For the answer to its holder and for nothing else.
    pub fn expose(&self) -> &str {
        &self.text
    }

    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.text.as_bytes()).into())
    }

    fn of(kind: Kind, secret: &[u8; 32]) -> Token {
        let length = kind.prefix().len() + RANDOM_LENGTH + CHECKSUM_LENGTH;
        let mut text = Zeroizing::new(String::with_capacity(length));
        text.push_str(kind.prefix());
        text.push_str(&base62(secret, RANDOM_LENGTH));
        let checksum = checksum_of(&text);
        text.push_str(&checksum);
        Token { kind, text }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Token({}…)", self.kind.prefix())
    }
}

impl Kind {
    /// What a token of this kind begins with.
    pub fn prefix(self) -> &'static str {
        match self {
            Kind::AccessToken => "lph_at_",
            Kind::RefreshToken => "lph_rt_",
            Kind::AuthorizationCode => "lph_ac_",
            Kind::ClientSecret => "lph_cs_",
            Kind::Session => "lph_sk_",
        }
    }

    /// The code that answers a token of this kind that does not hold.
    fn error_code(self) -> ErrorCode {
        match self {
            Kind::AccessToken | Kind::Session => ErrorCode::InvalidToken,
            Kind::RefreshToken | Kind::AuthorizationCode => ErrorCode::InvalidGrant,
            Kind::ClientSecret => ErrorCode::InvalidClient,
        }
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &TokenHash) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for TokenHash {}

impl fmt::Debug for TokenHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TokenHash({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

fn checksum_of(body: &str) -> Zeroizing<String> {
    base62(&crc32fast::hash(body.as_bytes()).to_be_bytes(), CHECKSUM_LENGTH)
}

/// A big-endian number in base62, padded on the left with zeros to `length` digits.
fn base62(number: &[u8], length: usize) -> Zeroizing<String> {
    let mut number = Zeroizing::new(number.to_vec());
    let mut digits = Zeroizing::new(vec![ALPHABET[0]; length]);
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0u32;
        for byte in number.iter_mut() {
            let dividend = remainder << 8 | u32::from(*byte);
            *byte = (dividend / 62) as u8;
            remainder = dividend % 62;
        }
        *digit = ALPHABET[remainder as usize];
    }
    Zeroizing::new(digits.iter().map(|it| char::from(*it)).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KINDS: [Kind; 5] = [
        Kind::AccessToken,
        Kind::RefreshToken,
        Kind::AuthorizationCode,
        Kind::ClientSecret,
        Kind::Session,
    ];

    #[test]
    fn a_minted_token_is_read_back_as_its_own_kind_only() {
        for kind in KINDS {
            let token = Token::mint(kind);
            assert_eq!(token.expose().len(), 56);
            for other in KINDS {
                assert_eq!(Token::parse(other, token.expose()).is_ok(), other == kind);
            }
        }
    }

    #[test]
    fn two_minted_tokens_differ() {
        assert_ne!(Token::mint(Kind::Session).hash(), Token::mint(Kind::Session).hash());
    }

    #[test]
    fn debug_output_holds_no_part_of_the_secret() {
        let token = Token::mint(Kind::ClientSecret);
        assert_eq!(format!("{token:?}"), "Token(lph_cs_…)");
    }

    #[test]
    fn the_text_of_a_derived_token_never_changes_between_releases() {
        let token = Token::derive(Kind::ClientSecret, b"platform key", "clinical");
        assert_eq!(token.expose(), "lph_cs_9G1Wrhwqart7UmUgY1xViyC2XGT2nGvXJwlaSGfdIji17ogXc");
        assert_ne!(token.hash(), Token::derive(Kind::ClientSecret, b"other", "clinical").hash());
        assert_ne!(token.hash(), Token::derive(Kind::ClientSecret, b"platform key", "x").hash());
    }

    #[test]
    fn base62_counts_as_numbers_do() {
        assert_eq!(base62(&[0], 3).as_str(), "000");
        assert_eq!(base62(&[61], 3).as_str(), "00z");
        assert_eq!(base62(&[62], 3).as_str(), "010");
        assert_eq!(base62(&[0xff; 4], 6).as_str(), "4gfFC3");
    }

    #[test]
    fn each_fault_is_named() {
        let token = Token::derive(Kind::AccessToken, b"key", "label");
        let text = token.expose();
        let cases = [
            ("ghp_at_".to_owned() + &text[7..], "prefix"),
            (text[..55].to_owned(), "length"),
            (text[..55].to_owned() + "-", "character"),
            (text[..50].to_owned() + "000000", "checksum"),
        ];
        for (wrong, rule) in cases {
            let error = Token::parse(Kind::AccessToken, &wrong).unwrap_err();
            assert!(error.description().contains(rule), "{error}");
            assert_eq!(error.code(), ErrorCode::InvalidToken);
        }
    }

    proptest! {
        #[test]
        fn reading_any_text_never_panics(text in "\\PC*|lph_at_\\PC{0,60}") {
            let _ = Token::parse(Kind::AccessToken, &text);
        }

        #[test]
        fn one_changed_character_is_always_noticed(
            label in ".*",
            at in 0usize..56,
            character in any::<char>(),
        ) {
            let token = Token::derive(Kind::RefreshToken, b"key", &label);
            let mut characters: Vec<char> = token.expose().chars().collect();
            prop_assume!(characters[at] != character);
            characters[at] = character;
            let corrupted: String = characters.into_iter().collect();
            prop_assert!(Token::parse(Kind::RefreshToken, &corrupted).is_err());
        }

        #[test]
        fn one_changed_letter_or_digit_is_always_noticed(
            label in ".*",
            at in 7usize..56,
            digit in 0usize..62,
        ) {
            let token = Token::derive(Kind::RefreshToken, b"key", &label);
            let mut bytes = token.expose().as_bytes().to_vec();
            prop_assume!(bytes[at] != ALPHABET[digit]);
            bytes[at] = ALPHABET[digit];
            let corrupted = String::from_utf8(bytes).unwrap();
            prop_assert!(Token::parse(Kind::RefreshToken, &corrupted).is_err());
        }

        #[test]
        fn a_derived_token_is_read_back_whole(key in any::<Vec<u8>>(), label in ".*") {
            let token = Token::derive(Kind::Session, &key, &label);
            let read = Token::parse(Kind::Session, token.expose()).unwrap();
            prop_assert_eq!(read.hash(), token.hash());
        }
    }
}
