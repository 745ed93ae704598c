//! What a rule found wrong, told so that it can be mended.

use std::fmt;

use crate::{Case, Surface};

/// What a pure check expected of an observation, and what it got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    pub expected: String,
    pub got: String,
}

impl Breach {
    pub fn new(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self { expected: expected.into(), got: got.into() }
    }

    /// `Ok` if it holds.
    pub fn unless(
        holds: bool,
        expected: impl Into<String>,
        got: impl fmt::Debug,
    ) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self::new(expected, format!("{got:?}"))) }
    }
}

/// A breach of a rule, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub rule: &'static str,
    /// The service and the method, or the part of the platform that the rule looks at.
    pub subject: String,
    pub surface: Option<Surface>,
    pub breach: Breach,
}

impl Violation {
    pub fn of_case(rule: &'static str, case: &Case, surface: Surface, breach: Breach) -> Self {
        Self { rule, subject: case.to_string(), surface: Some(surface), breach }
    }

    pub fn of_part(rule: &'static str, subject: impl Into<String>, breach: Breach) -> Self {
        Self { rule, subject: subject.into(), surface: None, breach }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, subject, surface, breach } = self;
        let surface = surface.map_or(String::new(), |it| format!(" over {it}"));
        let Breach { expected, got } = breach;
        write!(
            f,
            "{subject}{surface}\n  rule      {rule}\n  expected  {expected}\n  got       {got}"
        )
    }
}
