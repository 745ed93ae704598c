//! The markers the platform knows, with their ranges by sex, read once from `data/`.

use crate::classify::Thresholds;
use crate::interval::Interval;
use crate::unit::{Conversion, Unit};
use crate::value::parse_decimal;
use rust_decimal::Decimal;
use std::sync::LazyLock;

static CATALOGUE: LazyLock<Vec<Marker>> = LazyLock::new(|| {
    read_markers(include_str!("../data/markers.csv"), include_str!("../data/conversions.csv"))
});

/// Every marker, in the order of the table.
pub fn markers() -> &'static [Marker] {
    &CATALOGUE
}

/// The marker of a code such as `testosterone-total`.
pub fn marker(code: &str) -> Option<&'static Marker> {
    markers().iter().find(|marker| marker.code == code)
}

/// Something a laboratory measures.
#[derive(Debug)]
pub struct Marker {
    /// Kebab-case, unique.
    pub code: &'static str,
    /// For people, in English.
    pub name: &'static str,
    /// The group it is shown in, such as `lipids`.
    pub category: &'static str,
    /// The unit in which the platform stores and classifies.
    pub unit: Unit,
    male: Ranges,
    female: Ranges,
    pub(crate) conversions: Vec<Conversion>,
}

/// The ranges of one marker for one sex, in the marker's unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranges {
    /// Inside is normal.
    pub reference: Interval,
    /// Inside is better than normal. Absent when no source names such a range.
    pub optimal: Option<Interval>,
    /// Outside is critical.
    pub critical: Interval,
    /// Outside is a mistake of measuring, typing or unit.
    pub plausible: Interval,
}

/// Sex as reference ranges distinguish it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sex {
    Male,
    Female,
    Intersex,
    Unknown,
}

impl Marker {
    /// The ranges for a sex. For intersex and unknown: the union of both, and as optimal only
    /// what is optimal for both.
    pub fn ranges(&self, sex: Sex) -> Ranges {
        match sex {
            Sex::Male => self.male,
            Sex::Female => self.female,
            Sex::Intersex | Sex::Unknown => self.male.widened(&self.female),
        }
    }
}

impl Ranges {
    fn widened(&self, other: &Self) -> Self {
        let optimal = self.optimal.zip(other.optimal);
        Self {
            reference: self.reference.union(&other.reference),
            optimal: optimal.and_then(|(left, right)| left.intersection(&right)),
            critical: self.critical.union(&other.critical),
            plausible: self.plausible.union(&other.plausible),
        }
    }

    /// What to classify by: the laboratory's own range in place of the reference range, if given.
    pub fn thresholds(&self, laboratory: Option<Interval>) -> Thresholds {
        Thresholds {
            reference: laboratory.unwrap_or(self.reference),
            optimal: self.optimal,
            critical: self.critical,
        }
    }
}

/// The records of a table without quoting, as arrays of `N` fields, without the header.
fn records<const N: usize>(table: &'static str) -> impl Iterator<Item = [&'static str; N]> {
    table.lines().skip(1).map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        fields.try_into().expect("every record of an embedded table has all columns")
    })
}

fn read_markers(table: &'static str, conversions: &'static str) -> Vec<Marker> {
    let mut markers: Vec<Marker> = Vec::new();
    for [code, name, category, unit, sex, bounds @ .., _source] in records::<14>(table) {
        let ranges = read_ranges(bounds);
        match (sex, markers.last_mut().filter(|marker| marker.code == code)) {
            ("female", Some(marker)) => marker.female = ranges,
            ("any" | "male", None) => markers.push(Marker {
                code,
                name,
                category,
                unit: read_unit(unit),
                male: ranges,
                female: ranges,
                conversions: read_conversions(conversions, code),
            }),
            _ => panic!("{code}: a marker has one row for any sex, or male and then female"),
        }
    }
    markers
}

fn read_ranges(bounds: [&str; 8]) -> Ranges {
    let bounds = bounds.map(|text| (!text.is_empty()).then(|| read_decimal(text)));
    let [low, high, optimal_low, optimal_high, critical_low, critical_high, least, most] = bounds;
    let interval = |low, high| Interval::new(low, high).expect("embedded ranges are not inverted");
    let has_optimal = optimal_low.is_some() || optimal_high.is_some();
    Ranges {
        reference: interval(low, high),
        optimal: has_optimal.then(|| interval(optimal_low, optimal_high)),
        critical: interval(critical_low, critical_high),
        plausible: interval(least, most),
    }
}

fn read_conversions(table: &'static str, of: &str) -> Vec<Conversion> {
    records::<6>(table)
        .filter(|[code, ..]| *code == of)
        .map(|[_, unit, multiply, divide, offset, _source]| Conversion {
            unit: read_unit(unit),
            multiply: read_decimal(multiply),
            divide: read_decimal(divide),
            offset: read_decimal(offset),
        })
        .collect()
}

fn read_unit(code: &str) -> Unit {
    Unit::parse(code).expect("embedded tables use known units")
}

fn read_decimal(text: &str) -> Decimal {
    parse_decimal(text).expect("embedded tables hold plain decimals")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const CATEGORIES: [&str; 9] = [
        "hormones",
        "thyroid",
        "metabolic",
        "lipids",
        "liver",
        "kidney",
        "blood",
        "inflammation",
        "vitamins",
    ];

    fn both_sexes() -> impl Iterator<Item = (&'static Marker, Ranges)> {
        markers()
            .iter()
            .flat_map(|marker| [Sex::Male, Sex::Female].map(|sex| (marker, marker.ranges(sex))))
    }

    fn within(inner: &Interval, outer: &Interval) -> bool {
        let low = outer.low().is_none_or(|low| inner.low().is_none_or(|inner| low <= inner));
        let high = outer.high().is_none_or(|high| inner.high().is_none_or(|inner| inner <= high));
        low && high
    }

    fn decimal(text: &str) -> Decimal {
        Decimal::from_str_exact(text).unwrap()
    }

    #[test]
    fn codes_are_unique_and_kebab_case() {
        let codes: HashSet<&str> = markers().iter().map(|marker| marker.code).collect();
        assert_eq!(codes.len(), markers().len());
        for code in codes {
            let letters = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
            assert!(code.split('-').all(|w| !w.is_empty() && w.chars().all(letters)), "{code}");
        }
    }

    #[test]
    fn tables_write_ucum_codes_and_known_categories_and_name_their_sources() {
        for [code, name, category, unit, .., source] in
            records::<14>(include_str!("../data/markers.csv"))
        {
            assert!(CATEGORIES.contains(&category), "{code}");
            assert_eq!(Unit::parse(unit).unwrap().code(), unit, "{code}");
            assert!(!name.is_empty() && !source.is_empty(), "{code}");
        }
    }

    #[test]
    fn every_conversion_belongs_to_a_marker_once_and_divides_by_no_zero() {
        let mut seen = HashSet::new();
        for [code, unit, multiply, divide, _, source] in
            records::<6>(include_str!("../data/conversions.csv"))
        {
            let marker = marker(code).unwrap_or_else(|| panic!("{code} has no marker"));
            assert_eq!(Unit::parse(unit).unwrap().code(), unit, "{code}");
            assert_ne!(marker.unit.code(), unit, "{code}");
            assert!(seen.insert((code, unit)), "{code} {unit}");
            assert!(!decimal(multiply).is_zero() && !decimal(divide).is_zero(), "{code}");
            assert!(!source.is_empty(), "{code}");
        }
    }

    #[test]
    fn ranges_nest_and_plausible_ones_are_closed() {
        for (marker, ranges) in both_sexes() {
            let reference = ranges.reference;
            assert_ne!(reference, Interval::default(), "{}", marker.code);
            assert!(ranges.optimal.is_none_or(|o| within(&o, &reference)), "{}", marker.code);
            assert!(within(&reference, &ranges.critical), "{}", marker.code);
            assert!(within(&ranges.critical, &ranges.plausible), "{}", marker.code);
            assert!(ranges.plausible.low().is_some(), "{}", marker.code);
            assert!(ranges.plausible.high().is_some(), "{}", marker.code);
        }
    }

    #[test]
    fn documented_rows_are_as_documented() {
        let interval = |low, high| Interval::new(Some(decimal(low)), Some(decimal(high))).unwrap();
        let testosterone = marker("testosterone-total").unwrap();
        let (male, female) = (testosterone.ranges(Sex::Male), testosterone.ranges(Sex::Female));
        assert_eq!(male.reference, interval("300", "1000"));
        assert_eq!(male.optimal, Some(interval("500", "900")));
        assert_eq!(female.reference, interval("15", "70"));
        assert_eq!(female.optimal, Some(interval("20", "50")));
        let tsh = marker("tsh").unwrap().ranges(Sex::Unknown);
        assert_eq!(tsh.reference, interval("0.4", "4.0"));
        assert_eq!(tsh.optimal, Some(interval("1.0", "2.5")));
    }

    #[test]
    fn an_unknown_sex_gets_the_union_of_the_ranges() {
        let ranges = marker("testosterone-total").unwrap().ranges(Sex::Intersex);
        assert_eq!(ranges.reference.low(), Some(decimal("15")));
        assert_eq!(ranges.reference.high(), Some(decimal("1000")));
        assert_eq!(ranges.optimal, None);
    }

    /// Catches a range in the wrong unit: the middle half of American adults overlaps the
    /// reference range, and hardly anybody is critical or implausible.
    #[test]
    fn ranges_agree_with_the_population() {
        let table = include_str!("../data/nhanes_percentiles_adults_20_79.csv");
        let mut checked = 0;
        for [name, sex, _, p2_5, _, p25, _, p75, _, p97_5] in records::<10>(table) {
            let Some(marker) = marker(code_in_nhanes(name)) else { continue };
            let ranges = marker.ranges(if sex == "M" { Sex::Male } else { Sex::Female });
            let middle = Interval::new(Some(decimal(p25)), Some(decimal(p75))).unwrap();
            assert!(middle.intersection(&ranges.reference).is_some(), "{name} {sex}");
            for percentile in [p2_5, p97_5].map(decimal) {
                assert!(ranges.critical.contains(percentile), "{name} {sex} {percentile}");
                assert!(ranges.plausible.contains(percentile), "{name} {sex} {percentile}");
            }
            checked += 1;
        }
        assert_eq!(checked, 36);
    }

    fn code_in_nhanes(name: &str) -> &str {
        match name {
            "creat" => "creatinine",
            "glucose_fasting" => "glucose",
            "ttbl" => "bilirubin-total",
            "lymph" => "lymphocytes-percent",
            "trig" => "triglycerides",
            "totchol" => "cholesterol-total",
            same => same,
        }
    }
}
