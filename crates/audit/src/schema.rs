//! The name of a service's schema, safe to be written into SQL.

use std::{fmt, str::FromStr};

use crate::Error;

/// A schema name that matches `^[a-z_]{1,63}$`. Identifiers cannot be bound as parameters, so this
/// type is the only way a name reaches a statement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Schema(String);

impl Schema {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Schema {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        if (1..=63).contains(&name.len()) && name.bytes().all(allowed) {
            Ok(Self(name.to_owned()))
        } else {
            Err(Error::InvalidSchema(name.to_owned()))
        }
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_services_are_schemas() {
        for name in ["clinical", "patient_graph", "x", &"a".repeat(63)] {
            assert_eq!(name.parse::<Schema>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn whatever_could_end_an_identifier_is_refused() {
        for name in ["", "Clinical", "a b", "a;b", "a\"b", "a.b", "a1", "é", "a\n", &"a".repeat(64)]
        {
            assert!(name.parse::<Schema>().is_err(), "{name:?}");
        }
    }
}
