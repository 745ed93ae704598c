//! A person with an account in one brand.

use kit::{Entity, Id, Time};

/// The entity behind `usr_…`.
#[derive(Debug)]
pub struct Person;

impl Entity for Person {
    const PREFIX: &'static str = "usr";
}

pub type UserId = Id<Person>;

#[derive(Clone, Debug)]
pub struct User {
    pub id: UserId,
    pub email: Email,
    pub name: String,
    pub created_at: Time,
}

/// An e-mail address in the one spelling that is compared: lower case, without spaces around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// `None` for what cannot be an address: longer than 254 bytes (RFC 5321 section 4.5.3.1.3),
    /// without an `@` inside, or with characters beyond visible ASCII.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let (local, domain) = text.rsplit_once('@')?;
        let allowed = text.len() <= 254 && text.bytes().all(|it| it.is_ascii_graphic());
        (allowed && !local.is_empty() && !domain.is_empty()).then_some(Self(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_address_has_one_spelling() {
        let email = Email::parse(" Ada@Loop.TEST\n").unwrap();
        assert_eq!(email.as_str(), "ada@loop.test");
        assert_eq!(Email::parse("ada@loop.test"), Some(email));
    }

    #[test]
    fn what_cannot_be_an_address_is_none() {
        let long = "a".repeat(250) + "@b.test";
        for text in ["", "ada", "@loop.test", "ada@", "a da@loop.test", "ä@loop.test", &long] {
            assert_eq!(Email::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_was_read_is_read_again_as_itself(text in "\\PC*|[ A-Za-z@.]{0,12}") {
            if let Some(email) = Email::parse(&text) {
                prop_assert_eq!(Email::parse(email.as_str()), Some(email));
            }
        }
    }
}
