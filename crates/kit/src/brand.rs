//! The tenant that every row belongs to.

use std::{fmt, sync::Arc};

use crate::{Error, Result};

/// A brand's slug, or the platform itself. Checked when made, so that it can stand in SQL text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Brand(Arc<str>);

impl Brand {
    /// `^[a-z0-9_-]{1,32}$`, or `*` for rows of the platform itself.
    pub fn new(slug: impl AsRef<str>) -> Result<Self> {
        let slug = slug.as_ref();
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
        if slug == "*" || (1..=32).contains(&slug.len()) && slug.chars().all(allowed) {
            Ok(Self(slug.into()))
        } else {
            Err(Error::invalid("BRAND_INVALID", "brand_id", "must match ^[a-z0-9_-]{1,32}$"))
        }
    }

    /// The platform itself: rows that belong to no tenant.
    pub fn platform() -> Self {
        Self("*".into())
    }

    pub fn is_platform(&self) -> bool {
        &*self.0 == "*"
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Brand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_brand_cannot_carry_sql() {
        for slug in ["loop", "loop-bio", "a_1", "*"] {
            assert_eq!(Brand::new(slug).unwrap().as_str(), slug);
        }
        for slug in ["", "Loop", "a'b", "a b", "a;--", "**", &"a".repeat(33)] {
            assert!(Brand::new(slug).is_err(), "{slug}");
        }
    }
}
