//! From a laboratory's result to its interpretation: the whole path in one place.
//!
//! The answer is in the marker's canonical unit; what the laboratory wrote is kept beside it.

use crate::catalogue::{Marker, Sex, marker};
use crate::classify::{Classification, classify};
use crate::error::{Bound, DecimalRule, Error, Field, ReportError};
use crate::interval::Interval;
use crate::unit::{Unit, convert};
use crate::value::{MAX_DECIMALS, Value, parse_decimal};
use rust_decimal::Decimal;
use std::collections::HashSet;

/// One result as the laboratory wrote it.
#[derive(Clone, Copy, Debug, Default)]
pub struct LabResult<'a> {
    /// The marker's code, such as `albumin`.
    pub code: &'a str,
    /// A plain decimal, with `<` or `>` before it where the laboratory wrote one.
    pub value: &'a str,
    /// A UCUM code or a laboratory spelling.
    pub unit: &'a str,
    /// The laboratory's own range, in `unit`. One bound alone is a range with an open end; with
    /// neither, the platform's range applies.
    pub reference_low: Option<&'a str>,
    pub reference_high: Option<&'a str>,
    /// When the sample was taken, in microseconds since 1970-01-01T00:00:00Z. Only compared.
    pub collected_at_micros: i64,
}

/// What a result means.
#[derive(Clone, Copy, Debug)]
pub struct Interpreted {
    pub marker: &'static Marker,
    /// In the marker's unit, with at most ten decimals.
    pub value: Value,
    /// The range that the value was classified by, in the marker's unit.
    pub reference: Interval,
    pub range_source: RangeSource,
    pub classification: Classification,
    pub original: Original,
}

/// The parts of a result as the laboratory reported them, in its own unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Original {
    pub value: Value,
    pub unit: Unit,
    /// The laboratory's own range.
    pub reference: Option<Interval>,
}

/// Whose range a value was classified by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeSource {
    Laboratory,
    Platform,
}

/// Interprets every result of a report, or names the first that is refused.
///
/// One code may occur once for each instant.
pub fn interpret_report(
    results: &[LabResult<'_>],
    sex: Sex,
) -> Result<Vec<Interpreted>, ReportError> {
    let mut seen = HashSet::new();
    let mut interpret_next = |result: &LabResult<'_>| {
        let interpreted = interpret(result, sex)?;
        let code = interpreted.marker.code;
        if seen.insert((code, result.collected_at_micros)) {
            Ok(interpreted)
        } else {
            Err(Error::Duplicate { code })
        }
    };
    let numbered = results.iter().enumerate();
    numbered
        .map(|(index, result)| interpret_next(result).map_err(|error| ReportError { index, error }))
        .collect()
}

/// Interprets one result for a person of the given sex.
pub fn interpret(result: &LabResult<'_>, sex: Sex) -> Result<Interpreted, Error> {
    let marker =
        marker(result.code).ok_or_else(|| Error::UnknownMarker { code: result.code.to_owned() })?;
    let original = Original::read(result)?;
    let canonical = |magnitude| to_canonical(marker, magnitude, original.unit);
    let value = original.value.try_map(canonical)?;
    let ranges = marker.ranges(sex);
    check_plausible(marker, value, &ranges.plausible)?;
    let laboratory = match original.reference {
        Some(range) => Some(Interval::new(
            range.low().map(canonical).transpose()?,
            range.high().map(canonical).transpose()?,
        )?),
        None => None,
    };
    let thresholds = ranges.thresholds(laboratory);
    Ok(Interpreted {
        marker,
        value,
        reference: thresholds.reference,
        range_source: laboratory.map_or(RangeSource::Platform, |_| RangeSource::Laboratory),
        classification: classify(value, &thresholds),
        original,
    })
}

impl Original {
    fn read(result: &LabResult<'_>) -> Result<Self, Error> {
        let value = Value::parse(result.value).map_err(not_decimal(Field::Value))?;
        let unit = Unit::parse(result.unit)?;
        let low = result.reference_low.map(parse_decimal).transpose();
        let high = result.reference_high.map(parse_decimal).transpose();
        let reference = Interval::new(
            low.map_err(not_decimal(Field::ReferenceLow))?,
            high.map_err(not_decimal(Field::ReferenceHigh))?,
        )?;
        let given = reference != Interval::default();
        Ok(Self { value, unit, reference: given.then_some(reference) })
    }
}

fn not_decimal(field: Field) -> impl Fn(DecimalRule) -> Error {
    move |rule| Error::NotDecimal { field, rule }
}

/// Rounds what was computed, so that the stored number and the classified one are the same. What
/// was reported in the canonical unit keeps its digits.
fn to_canonical(marker: &Marker, magnitude: Decimal, unit: Unit) -> Result<Decimal, Error> {
    if unit == marker.unit {
        return Ok(magnitude);
    }
    let converted = convert(marker, magnitude, unit, marker.unit)?;
    Ok(converted.round_dp(MAX_DECIMALS).normalize())
}

fn check_plausible(marker: &Marker, value: Value, plausible: &Interval) -> Result<(), Error> {
    let beyond = |bound, limit| Error::Implausible {
        code: marker.code,
        bound,
        limit,
        unit: marker.unit.code(),
    };
    match (plausible.low(), plausible.high()) {
        (Some(low), _) if value.magnitude < low => Err(beyond(Bound::Low, low)),
        (_, Some(high)) if value.magnitude > high => Err(beyond(Bound::High, high)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::markers;
    use crate::classify::Status;
    use proptest::prelude::*;

    fn result<'a>(code: &'a str, value: &'a str, unit: &'a str) -> LabResult<'a> {
        LabResult { code, value, unit, ..LabResult::default() }
    }

    fn status(result: &LabResult<'_>, sex: Sex) -> Status {
        interpret(result, sex).unwrap().classification.status
    }

    #[test]
    fn a_value_is_answered_in_the_canonical_unit_beside_the_original() {
        let interpreted = interpret(&result("glucose", "5.0", "mmol/L"), Sex::Male).unwrap();
        assert_eq!(interpreted.value.to_string(), "90.078");
        assert_eq!(interpreted.marker.unit.code(), "mg/dL");
        assert_eq!(interpreted.original.value.to_string(), "5.0");
        assert_eq!(interpreted.original.unit.code(), "mmol/L");
        assert_eq!(interpreted.classification.status, Status::Normal);
    }

    #[test]
    fn a_value_in_the_canonical_unit_keeps_its_digits() {
        let interpreted = interpret(&result("albumin", "4.50", "G/DL"), Sex::Male).unwrap();
        assert_eq!(interpreted.value.to_string(), "4.50");
    }

    #[test]
    fn the_range_depends_on_sex() {
        let testosterone = result("testosterone-total", "650", "ng/dL");
        assert_eq!(status(&testosterone, Sex::Male), Status::Optimal);
        assert_eq!(status(&testosterone, Sex::Female), Status::High);
        assert_eq!(status(&testosterone, Sex::Unknown), Status::Normal);
    }

    #[test]
    fn the_laboratory_range_goes_first_and_is_converted() {
        let with_range = LabResult {
            reference_low: Some("8.0"),
            reference_high: Some("20.0"),
            ..result("testosterone-total", "22.54", "nmol/L")
        };
        let interpreted = interpret(&with_range, Sex::Male).unwrap();
        assert_eq!(interpreted.range_source, RangeSource::Laboratory);
        assert_eq!(interpreted.classification.status, Status::High);
        assert_eq!(interpreted.reference.high().unwrap().to_string(), "576.84");
        let original = interpreted.original.reference.unwrap();
        assert_eq!(original.high().unwrap().to_string(), "20.0");
        let without = result("testosterone-total", "22.54", "nmol/L");
        let interpreted = interpret(&without, Sex::Male).unwrap();
        assert_eq!(interpreted.range_source, RangeSource::Platform);
        assert_eq!(interpreted.classification.status, Status::Optimal);
    }

    #[test]
    fn a_value_on_the_laboratory_bound_is_inside_in_every_unit() {
        for unit in ["%", "mmol/mol"] {
            let on_both = LabResult {
                reference_low: Some("19.7"),
                reference_high: Some("19.7"),
                ..result("hba1c", "19.7", unit)
            };
            assert_eq!(status(&on_both, Sex::Male), Status::Normal, "{unit}");
        }
    }

    #[test]
    fn a_limit_published_as_below_holds_in_other_units() {
        for (code, unit, normal, high) in [
            ("glucose", "mmol/L", "5.5", "5.6"),
            ("hba1c", "mmol/mol", "38", "39"),
            ("cholesterol-total", "mmol/L", "5.17", "5.18"),
        ] {
            assert_eq!(status(&result(code, normal, unit), Sex::Male), Status::Normal, "{code}");
            assert_eq!(status(&result(code, high, unit), Sex::Male), Status::High, "{code}");
        }
    }

    #[test]
    fn a_comparator_survives_conversion() {
        let interpreted = interpret(&result("crp", "<0.2", "mg/L"), Sex::Male).unwrap();
        assert_eq!(interpreted.value.to_string(), "<0.02");
        assert_eq!(status(&result("tsh", "<0.2", "mIU/L"), Sex::Male), Status::Low);
    }

    #[test]
    fn an_implausible_value_is_refused_by_the_bound_it_breaks() {
        for (value, bound, limit) in [("42", Bound::High, "8"), ("0.44", Bound::Low, "0.5")] {
            assert_eq!(
                interpret(&result("albumin", value, "g/dL"), Sex::Male).unwrap_err(),
                Error::Implausible {
                    code: "albumin",
                    bound,
                    limit: parse_decimal(limit).unwrap(),
                    unit: "g/dL",
                }
            );
        }
        assert_eq!(status(&result("albumin", "42", "g/L"), Sex::Male), Status::Normal);
    }

    #[test]
    fn each_refusal_names_its_cause() {
        let albumin = result("albumin", "4.2", "g/dL");
        let inverted = LabResult { reference_low: Some("5"), reference_high: Some("3"), ..albumin };
        let signed = LabResult { reference_high: Some("-5"), ..albumin };
        let unit = |unit: &str| Error::UnknownUnit { unit: unit.to_owned() };
        let field = Field::ReferenceHigh;
        for (refused, error) in [
            (result("kryptonite", "1", "g/dL"), Error::UnknownMarker { code: "kryptonite".into() }),
            (result("albumin", "4.2", "stone"), unit("stone")),
            (inverted, Error::RangeInverted),
            (signed, Error::NotDecimal { field, rule: DecimalRule::Signed }),
            (
                result("albumin", "4,2", "g/dL"),
                Error::NotDecimal { field: Field::Value, rule: DecimalRule::Digits },
            ),
            (
                result("albumin", "4.2", "mmol/L"),
                Error::UnitNotConvertible { code: "albumin", unit: "mmol/L", canonical: "g/dL" },
            ),
        ] {
            assert_eq!(interpret(&refused, Sex::Female).unwrap_err(), error);
        }
    }

    #[test]
    fn a_report_is_interpreted_whole_or_names_its_first_bad_result() {
        let good = result("albumin", "4.2", "g/dL");
        let bad = result("glucose", "90", "stone");
        let worse = result("kryptonite", "1", "g/dL");
        assert_eq!(interpret_report(&[good], Sex::Male).unwrap().len(), 1);
        let refused = interpret_report(&[good, bad, worse], Sex::Male).unwrap_err();
        assert_eq!(refused.index, 1);
        assert_eq!(refused.error, Error::UnknownUnit { unit: "stone".into() });
    }

    #[test]
    fn a_code_may_occur_once_for_each_instant() {
        let first = result("albumin", "4.2", "g/dL");
        let later = LabResult { collected_at_micros: 1, ..first };
        assert_eq!(interpret_report(&[first, later], Sex::Male).unwrap().len(), 2);
        let again = LabResult { value: "42", unit: "g/L", ..first };
        let refused = interpret_report(&[first, later, again], Sex::Male).unwrap_err();
        let error = Error::Duplicate { code: "albumin" };
        assert_eq!(refused, ReportError { index: 2, error });
    }

    proptest! {
        #[test]
        fn interpreting_never_panics(
            which in any::<proptest::sample::Index>(),
            value in "[<>]?[0-9]{1,13}(\\.[0-9]{1,11})?",
            unit in "(g|mg|ug|ng|pg|mmol|umol|nmol|pmol|uIU|mIU|IU)/(L|dL|mL)|%|fL|U/L|K/uL",
            low in proptest::option::of("[0-9]{1,4}"),
            high in proptest::option::of("[0-9]{1,4}"),
        ) {
            let code = markers()[which.index(markers().len())].code;
            let (reference_low, reference_high) = (low.as_deref(), high.as_deref());
            let result =
                LabResult { reference_low, reference_high, ..result(code, &value, &unit) };
            if let Ok(interpreted) = interpret(&result, Sex::Unknown) {
                let stored = interpreted.value.to_string();
                prop_assert_eq!(Value::parse(&stored), Ok(interpreted.value));
            }
        }
    }
}
