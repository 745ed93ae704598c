//! Exact decimals as laboratories write them, with the comparator that may precede them.

use crate::error::{DecimalRule, Error};
use rust_decimal::Decimal;
use std::fmt;

const MAX_INTEGER_DIGITS: usize = 12;

/// Digits after the point that a value may have: in its text, and after a conversion.
pub const MAX_DECIMALS: u32 = 10;

/// A concentration: a magnitude, and whether the truth equals it or only lies beside it.
///
/// "<0.2" is not 0.2: the comparator stays with the magnitude wherever the value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    pub comparator: Comparator,
    pub magnitude: Decimal,
}

/// How the true value stands to the magnitude.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparator {
    Exactly,
    /// Below the limit of detection: the text begins with `<`.
    LessThan,
    /// Above the measuring range: the text begins with `>`.
    GreaterThan,
}

impl Value {
    /// Reads `5.70`, `<0.2` or `>1000`, in the notation of [`parse_decimal`].
    pub fn parse(text: &str) -> Result<Self, DecimalRule> {
        let (comparator, number) = match text.as_bytes().first() {
            Some(b'<') => (Comparator::LessThan, &text[1..]),
            Some(b'>') => (Comparator::GreaterThan, &text[1..]),
            _ => (Comparator::Exactly, text),
        };
        Ok(Self { comparator, magnitude: parse_decimal(number)? })
    }

    /// The same value with its magnitude converted by a function that keeps order.
    pub(crate) fn try_map(
        self,
        convert: impl FnOnce(Decimal) -> Result<Decimal, Error>,
    ) -> Result<Self, Error> {
        Ok(Self { magnitude: convert(self.magnitude)?, ..self })
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = match self.comparator {
            Comparator::Exactly => "",
            Comparator::LessThan => "<",
            Comparator::GreaterThan => ">",
        };
        write!(f, "{prefix}{}", self.magnitude)
    }
}

/// Reads a plain decimal: digits, then optionally a point and digits. No sign, exponent, leading
/// zeros, separators or spaces; at most 12 digits before the point and 10 after it.
pub fn parse_decimal(text: &str) -> Result<Decimal, DecimalRule> {
    let (integer, fraction) = match text.split_once('.') {
        Some((integer, fraction)) => (integer, Some(fraction)),
        None => (text, None),
    };
    check_characters(text, integer, fraction)?;
    if integer.len() > 1 && integer.starts_with('0') {
        return Err(DecimalRule::LeadingZero);
    }
    if integer.len() > MAX_INTEGER_DIGITS {
        return Err(DecimalRule::TooManyIntegerDigits);
    }
    if fraction.is_some_and(|digits| digits.len() > MAX_DECIMALS as usize) {
        return Err(DecimalRule::TooManyDecimals);
    }
    Ok(Decimal::from_str_exact(text).expect("22 digits fit in 96 bits"))
}

fn check_characters(text: &str, integer: &str, fraction: Option<&str>) -> Result<(), DecimalRule> {
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if text.is_empty() {
        Err(DecimalRule::Empty)
    } else if text.starts_with(['+', '-']) {
        Err(DecimalRule::Signed)
    } else if text.starts_with(|first: char| first.is_ascii_digit()) && text.contains(['e', 'E']) {
        Err(DecimalRule::Exponent)
    } else if !all_digits(integer) || !fraction.is_none_or(all_digits) {
        Err(DecimalRule::Digits)
    } else if integer.is_empty() || fraction == Some("") {
        Err(DecimalRule::BarePoint)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_plain_decimal_keeps_its_digits() {
        for text in ["0", "0.0", "5.70", "140", "999999999999.0123456789"] {
            assert_eq!(Value::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_comparator_is_kept_apart_from_the_magnitude() {
        let value = Value::parse("<0.2").unwrap();
        assert_eq!(value.comparator, Comparator::LessThan);
        assert_eq!(value.magnitude, Decimal::new(2, 1));
        assert_eq!(value.to_string(), "<0.2");
        assert_eq!(Value::parse(">1000").unwrap().comparator, Comparator::GreaterThan);
    }

    #[test]
    fn each_broken_rule_is_named() {
        for (text, rule) in [
            ("", DecimalRule::Empty),
            ("<", DecimalRule::Empty),
            ("-1", DecimalRule::Signed),
            (">+1", DecimalRule::Signed),
            ("1e3", DecimalRule::Exponent),
            ("1,234", DecimalRule::Digits),
            ("1.2.3", DecimalRule::Digits),
            (" 1", DecimalRule::Digits),
            ("<=1", DecimalRule::Digits),
            ("< 1", DecimalRule::Digits),
            ("١", DecimalRule::Digits),
            ("Negative", DecimalRule::Digits),
            ("NaN", DecimalRule::Digits),
            (".5", DecimalRule::BarePoint),
            ("5.", DecimalRule::BarePoint),
            (".", DecimalRule::BarePoint),
            ("007", DecimalRule::LeadingZero),
            ("1234567890123", DecimalRule::TooManyIntegerDigits),
            ("0.12345678901", DecimalRule::TooManyDecimals),
        ] {
            assert_eq!(Value::parse(text), Err(rule), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in any::<String>()) {
            let _ = Value::parse(&text);
        }

        #[test]
        fn parsing_near_numbers_never_panics(text in "[<>]?[-+]?[0-9]{0,30}[.eE,]?[0-9]{0,30}") {
            let _ = Value::parse(&text);
        }

        #[test]
        fn what_is_accepted_is_written_back_unchanged(
            text in "[<>]?(0|[1-9][0-9]{0,11})(\\.[0-9]{1,10})?"
        ) {
            prop_assert_eq!(Value::parse(&text).unwrap().to_string(), text);
        }
    }
}
