//! Units by their UCUM code, the spellings laboratories use for them, and conversion by marker.
//!
//! Mass to amount of substance depends on what is measured, so a conversion always names a marker.

use crate::catalogue::Marker;
use crate::error::Error;
use rust_decimal::Decimal;
use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

/// UCUM codes and further spellings of each, folded as by [`fold`].
const SPELLINGS: &[(&str, &[&str])] = &[
    ("%", &["percent", "pct"]),
    ("/uL", &["cells/ul", "/mm3", "/cumm", "cells/mm3", "cells/cumm"]),
    ("10*3/uL", &["k/ul", "k/mm3", "k/cumm", "thou/ul", "thous/ul", "thousand/ul", "10*3/mm3"]),
    ("10*9/L", &["giga/l"]),
    ("L/L", &[]),
    ("U/L", &["unit/l", "units/l"]),
    ("[IU]/L", &["iu/l"]),
    ("[IU]/mL", &["iu/ml"]),
    ("fL", &["um3", "um*3"]),
    ("g/L", &["gm/l"]),
    ("g/dL", &["gm/dl", "g/100ml", "g%"]),
    ("m[IU]/L", &["miu/l", "mu/l"]),
    ("mL/min/{1.73_m2}", &["ml/min/1.73", "ml/min/1.73m2", "ml/min/1.73m*2", "ml/min/1.73.m2"]),
    ("mg/L", &[]),
    ("mg/dL", &["mg/100ml", "mg%"]),
    ("mmol/L", &[]),
    ("mmol/mol", &[]),
    ("ng/L", &[]),
    ("ng/dL", &["ng/100ml"]),
    ("ng/mL", &[]),
    ("nmol/L", &[]),
    ("pg/mL", &[]),
    ("pmol/L", &[]),
    ("u[IU]/mL", &["uiu/ml", "uu/ml"]),
    ("ug/L", &[]),
    ("ug/dL", &["ug/100ml"]),
    ("ukat/L", &[]),
    ("umol/L", &[]),
];

static BY_SPELLING: LazyLock<HashMap<String, Unit>> = LazyLock::new(|| {
    let mut units = HashMap::new();
    for (code, others) in SPELLINGS {
        units.insert(fold(code), Unit(code));
        units.extend(others.iter().map(|other| ((*other).to_owned(), Unit(code))));
    }
    units
});

/// A unit that laboratories report in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unit(&'static str);

impl Unit {
    /// Reads a UCUM code or a laboratory spelling, such as `K/uL`, `mcg/dL`, `10^3/µL`, `x10E3/uL`.
    ///
    /// Case does not count: no laboratory reports in mega, and many write in capitals.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let unit = BY_SPELLING.get(&fold(text));
        unit.copied().ok_or_else(|| Error::UnknownUnit { unit: text.to_owned() })
    }

    /// The UCUM code (case-sensitive), such as `g/dL`.
    pub fn code(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// One spelling for the many ways to write micro, powers of ten and spaces.
fn fold(text: &str) -> String {
    let mut folded: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
    folded.make_ascii_lowercase();
    for (written, meant) in [
        ("µ", "u"),
        ("μ", "u"),
        ("mcg", "ug"),
        ("mcl", "ul"),
        ("mcmol", "umol"),
        ("mciu", "uiu"),
        ("²", "2"),
        ("³", "*3"),
        ("⁹", "*9"),
        ("^", "*"),
        ("×10", "10"),
        ("x10", "10"),
        ("10e", "10*"),
    ] {
        folded = folded.replace(written, meant);
    }
    folded
}

/// How a unit of one marker becomes the canonical unit: `value * multiply / divide + offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Conversion {
    pub(crate) unit: Unit,
    pub(crate) multiply: Decimal,
    pub(crate) divide: Decimal,
    pub(crate) offset: Decimal,
}

impl Conversion {
    fn forward(self, value: Decimal) -> Option<Decimal> {
        value.checked_mul(self.multiply)?.checked_div(self.divide)?.checked_add(self.offset)
    }

    fn backward(self, value: Decimal) -> Option<Decimal> {
        value.checked_sub(self.offset)?.checked_mul(self.divide)?.checked_div(self.multiply)
    }
}

/// Converts a value of `marker` between two of its units, unrounded.
///
/// Fails with [`Error::UnitNotConvertible`] when the marker is not reported in either unit.
pub fn convert(marker: &Marker, value: Decimal, from: Unit, to: Unit) -> Result<Decimal, Error> {
    let (source, target) = (conversion(marker, from)?, conversion(marker, to)?);
    if from == to {
        return Ok(value);
    }
    let canonical = source.map_or(Some(value), |conversion| conversion.forward(value));
    canonical
        .and_then(|value| target.map_or(Some(value), |conversion| conversion.backward(value)))
        .ok_or(Error::Overflow)
}

/// The conversion of a unit of the marker; none when the unit is the canonical one.
fn conversion(marker: &Marker, unit: Unit) -> Result<Option<Conversion>, Error> {
    if unit == marker.unit {
        return Ok(None);
    }
    let found = marker.conversions.iter().find(|conversion| conversion.unit == unit);
    found.copied().map(Some).ok_or(Error::UnitNotConvertible {
        code: marker.code,
        unit: unit.code(),
        canonical: marker.unit.code(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{marker, markers};
    use proptest::prelude::*;

    fn unit(text: &str) -> Unit {
        Unit::parse(text).unwrap()
    }

    fn decimal(text: &str) -> Decimal {
        Decimal::from_str_exact(text).unwrap()
    }

    #[test]
    fn every_code_and_spelling_is_found_under_one_code_only() {
        let mut seen = std::collections::HashSet::new();
        for (code, others) in SPELLINGS {
            assert_eq!(unit(code).code(), *code);
            assert!(seen.insert(fold(code)), "{code}");
            for other in *others {
                assert_eq!(fold(other), *other, "aliases are written folded");
                assert!(seen.insert((*other).to_owned()), "{other}");
            }
        }
    }

    #[test]
    fn laboratory_spellings_are_understood() {
        for (spelling, code) in [
            ("K/uL", "10*3/uL"),
            ("10^3/µL", "10*3/uL"),
            ("10³/μL", "10*3/uL"),
            ("x10E3/uL", "10*3/uL"),
            ("x 10^9/L", "10*9/L"),
            ("Thousand/uL", "10*3/uL"),
            ("cells/mcL", "/uL"),
            ("mcg/dL", "ug/dL"),
            ("µg/dL", "ug/dL"),
            ("IU/mL", "[IU]/mL"),
            ("mIU/L", "m[IU]/L"),
            ("uIU/mL", "u[IU]/mL"),
            ("IU/L", "[IU]/L"),
            ("umol/l", "umol/L"),
            ("MG/DL", "mg/dL"),
            ("mL/min/1.73", "mL/min/{1.73_m2}"),
            ("mL/min/1.73 m²", "mL/min/{1.73_m2}"),
            ("%", "%"),
        ] {
            assert_eq!(unit(spelling).code(), code, "{spelling}");
        }
    }

    #[test]
    fn an_unknown_unit_is_refused() {
        for text in ["", "stone", "mg", "g/dL/h"] {
            assert_eq!(Unit::parse(text), Err(Error::UnknownUnit { unit: text.to_owned() }));
        }
    }

    /// The checked pairs of conventional and SI values.
    #[test]
    fn conversions_give_the_published_values() {
        for (code, value, from, to, expected, decimals) in [
            ("glucose", "100", "mg/dL", "mmol/L", "5.551", 3),
            ("cholesterol-total", "200", "mg/dL", "mmol/L", "5.17", 2),
            ("triglycerides", "150", "mg/dL", "mmol/L", "1.69", 2),
            ("creatinine", "1.0", "mg/dL", "umol/L", "88.4017", 4),
            ("bun", "14", "mg/dL", "mmol/L", "5.0", 1),
            ("bilirubin-total", "1.0", "mg/dL", "umol/L", "17.1", 1),
            ("testosterone-total", "650", "ng/dL", "nmol/L", "22.54", 2),
            ("testosterone-total", "650", "ng/dL", "ng/mL", "6.5", 1),
            ("vitamin-d", "30", "ng/mL", "nmol/L", "74.9", 1),
            ("vitamin-b12", "400", "pg/mL", "pmol/L", "295", 0),
            ("free-t4", "1.2", "ng/dL", "pmol/L", "15.4", 1),
            ("free-t3", "3.2", "pg/mL", "pmol/L", "4.9", 1),
            ("crp", "0.5", "mg/L", "mg/dL", "0.05", 2),
            ("insulin", "10", "uIU/mL", "pmol/L", "60", 0),
            ("hba1c", "5.7", "%", "mmol/mol", "38.8", 1),
            ("tsh", "2.1", "uIU/mL", "mIU/L", "2.1", 1),
            ("alt", "30", "U/L", "ukat/L", "0.5", 1),
            ("wbc", "5500", "/uL", "K/uL", "5.5", 1),
        ] {
            let marker = marker(code).unwrap();
            let converted = convert(marker, decimal(value), unit(from), unit(to)).unwrap();
            assert_eq!(converted.round_dp(decimals), decimal(expected), "{code} {from} {to}");
        }
    }

    #[test]
    fn a_conversion_that_does_not_exist_is_refused() {
        for (code, from) in [("albumin", "umol/L"), ("hba1c", "mmol/L"), ("wbc", "g/L")] {
            let marker = marker(code).unwrap();
            let refused = convert(marker, Decimal::ONE, unit(from), marker.unit);
            assert!(matches!(refused, Err(Error::UnitNotConvertible { .. })), "{code} {from}");
            assert_eq!(convert(marker, Decimal::ONE, unit(from), unit(from)), refused);
        }
    }

    #[test]
    fn an_overflow_is_an_error() {
        let tsh = marker("tsh").unwrap();
        let refused = convert(tsh, Decimal::MAX, unit("IU/mL"), tsh.unit);
        assert_eq!(refused, Err(Error::Overflow));
    }

    proptest! {
        #[test]
        fn a_conversion_and_its_reverse_give_the_value_back(
            which in any::<proptest::sample::Index>(),
            mantissa in 1_i64..1_000_000_000_000,
            scale in 0_u32..=6,
        ) {
            let pairs: Vec<_> = markers()
                .iter()
                .flat_map(|marker| marker.conversions.iter().map(move |c| (marker, c.unit)))
                .collect();
            let (marker, other) = pairs[which.index(pairs.len())];
            let value = Decimal::new(mantissa, scale);
            let there = convert(marker, value, marker.unit, other).unwrap();
            let back = convert(marker, there, other, marker.unit).unwrap();
            prop_assert!((back - value).abs() <= value * Decimal::new(1, 9), "{} {}", marker.code, other);
        }

        #[test]
        fn reading_a_unit_never_panics(text in any::<String>()) {
            let _ = Unit::parse(&text);
        }
    }
}
