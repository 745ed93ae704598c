//! Why a result is refused.

use rust_decimal::Decimal;
use std::fmt;
use thiserror::Error;

/// Why the engine refuses a result. No message repeats a measured value.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// The catalogue has no marker of this code.
    #[error("unknown biomarker {code:?}")]
    UnknownMarker { code: String },
    /// The text is neither a UCUM code that laboratories use nor a known spelling of one.
    #[error("unknown unit {unit:?}")]
    UnknownUnit { unit: String },
    /// The unit is known, but there is no valid conversion of this marker from or to it.
    #[error("{code} has no conversion between {unit} and {canonical}")]
    UnitNotConvertible { code: &'static str, unit: &'static str, canonical: &'static str },
    #[error("{field} is not a plain decimal")]
    NotDecimal {
        field: Field,
        #[source]
        rule: DecimalRule,
    },
    /// The value is physiologically impossible: a slipped decimal point or a wrong unit.
    #[error("the value is beyond the plausible {bound} {limit} {unit} of {code}")]
    Implausible { code: &'static str, bound: Bound, limit: Decimal, unit: &'static str },
    /// The low bound of a range is above its high bound.
    #[error("the reference range ends before it begins")]
    RangeInverted,
    /// The report has this code twice for the same instant.
    #[error("{code} occurs twice for the same instant")]
    Duplicate { code: &'static str },
    /// The conversion leaves the range of a 96-bit decimal.
    #[error("the value is too large to convert")]
    Overflow,
}

/// The error of one result of a report.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("result {index} is refused")]
pub struct ReportError {
    /// The result's place in the report, from 0.
    pub index: usize,
    #[source]
    pub error: Error,
}

/// The rule of decimal notation that a text breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecimalRule {
    #[error("a number is required")]
    Empty,
    #[error("a sign is not allowed")]
    Signed,
    #[error("an exponent is not allowed")]
    Exponent,
    #[error("only the digits 0 to 9 and one point are allowed")]
    Digits,
    #[error("a point needs digits on both sides")]
    BarePoint,
    #[error("leading zeros are not allowed")]
    LeadingZero,
    #[error("at most 12 digits are allowed before the point")]
    TooManyIntegerDigits,
    #[error("at most 10 digits are allowed after the point")]
    TooManyDecimals,
}

/// The part of a result that an error is about, named as in the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Value,
    ReferenceLow,
    ReferenceHigh,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Value => "value",
            Self::ReferenceLow => "reference_low",
            Self::ReferenceHigh => "reference_high",
        })
    }
}

/// Which end of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    Low,
    High,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "minimum",
            Self::High => "maximum",
        })
    }
}
