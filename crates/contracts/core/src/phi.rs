//! Protected values that cannot be printed.

use std::fmt;

/// A protected value. It can be used, compared and stored, but neither `Debug` nor `Display`
/// show it: a log line that should not have been written holds a marker and no more.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Phi<T>(T);

impl<T> Phi<T> {
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// Uses the value. Named so that a reviewer sees where protected data comes into the open.
    pub fn expose(&self) -> &T {
        &self.0
    }

    pub fn into_exposed(self) -> T {
        self.0
    }
}

impl<T> From<T> for Phi<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Phi<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Masked.fmt(f)
    }
}

/// What stands for a protected field in the `Debug` of a generated message.
pub struct Masked;

impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[phi]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protected_value_does_not_print() {
        let email = Phi::new("ada@example.test");
        assert_eq!(format!("{email:?}"), "[phi]");
        assert_eq!(email.expose(), &"ada@example.test");
    }
}
