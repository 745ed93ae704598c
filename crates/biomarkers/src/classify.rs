//! How a value stands to its range: six statuses inside, four at the API.

use crate::interval::Interval;
use crate::value::{Comparator, Value};
use rust_decimal::Decimal;

/// What a value is classified by, all in the value's unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Inside, bounds included, is normal or optimal. Goes before the other two.
    pub reference: Interval,
    pub optimal: Option<Interval>,
    /// Outside is critical, unless it is within the bounds that the reference range names.
    pub critical: Interval,
}

/// How a value stands to its thresholds, from far below to far above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    CriticalLow,
    Low,
    Normal,
    Optimal,
    High,
    CriticalHigh,
}

/// The statuses the API shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoldedStatus {
    Normal,
    Low,
    High,
    Critical,
}

impl Thresholds {
    /// The critical bounds, moved outwards where a laboratory's own range reaches beyond them.
    fn critical_bounds(&self) -> (Option<Decimal>, Option<Decimal>) {
        let reference = [self.reference.low(), self.reference.high()];
        let within = || reference.into_iter().flatten();
        let low = self.critical.low().map(|bound| within().fold(bound, Decimal::min));
        let high = self.critical.high().map(|bound| within().fold(bound, Decimal::max));
        (low, high)
    }
}

impl Status {
    pub fn folded(self) -> FoldedStatus {
        match self {
            Self::CriticalLow | Self::CriticalHigh => FoldedStatus::Critical,
            Self::Low => FoldedStatus::Low,
            Self::Normal | Self::Optimal => FoldedStatus::Normal,
            Self::High => FoldedStatus::High,
        }
    }

    /// `critical_low` and so on.
    pub fn name(self) -> &'static str {
        match self {
            Self::CriticalLow => "critical_low",
            Self::Low => "low",
            Self::Normal => "normal",
            Self::Optimal => "optimal",
            Self::High => "high",
            Self::CriticalHigh => "critical_high",
        }
    }
}

/// A status, and whether the value was too vague to be sure of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Classification {
    pub status: Status,
    /// The value is a mere bound ("<5") and does not prove that the truth is out of range.
    pub imprecise: bool,
}

/// Classifies a value. A value with a comparator is low, high, critical or optimal only when
/// everything it may stand for is; otherwise it is normal and imprecise.
pub fn classify(value: Value, thresholds: &Thresholds) -> Classification {
    let status = status(value, thresholds);
    let in_range = status.folded() == FoldedStatus::Normal;
    Classification { status, imprecise: in_range && value.comparator != Comparator::Exactly }
}

fn status(value: Value, thresholds: &Thresholds) -> Status {
    let Thresholds { reference, optimal, critical } = thresholds;
    let (critical_low, critical_high) = thresholds.critical_bounds();
    let below = |bound| lies_below(value, bound);
    let above = |bound| lies_above(value, bound);
    if critical_low.is_some_and(below) {
        Status::CriticalLow
    } else if reference.low().is_some_and(below) {
        Status::Low
    } else if critical_high.is_some_and(above) {
        Status::CriticalHigh
    } else if reference.high().is_some_and(above) {
        Status::High
    } else if let Some(optimal) = optimal
        && [reference, critical, optimal].iter().all(|interval| lies_inside(value, interval))
    {
        Status::Optimal
    } else {
        Status::Normal
    }
}

fn lies_below(value: Value, bound: Decimal) -> bool {
    match value.comparator {
        Comparator::Exactly => value.magnitude < bound,
        Comparator::LessThan => value.magnitude <= bound,
        Comparator::GreaterThan => false,
    }
}

fn lies_above(value: Value, bound: Decimal) -> bool {
    match value.comparator {
        Comparator::Exactly => value.magnitude > bound,
        Comparator::LessThan => false,
        Comparator::GreaterThan => value.magnitude >= bound,
    }
}

/// Whether all that the value may stand for is inside. A concentration is never below zero.
fn lies_inside(value: Value, interval: &Interval) -> bool {
    let Value { comparator, magnitude } = value;
    match comparator {
        Comparator::Exactly => interval.contains(magnitude),
        Comparator::LessThan => {
            interval.low().is_none_or(|low| low.is_zero())
                && interval.high().is_none_or(|high| magnitude <= high)
        }
        Comparator::GreaterThan => {
            interval.high().is_none() && interval.low().is_none_or(|low| low <= magnitude)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn interval(low: Option<&str>, high: Option<&str>) -> Interval {
        let decimal = |text| Decimal::from_str_exact(text).unwrap();
        Interval::new(low.map(decimal), high.map(decimal)).unwrap()
    }

    fn only(reference: Interval) -> Thresholds {
        Thresholds { reference, optimal: None, critical: Interval::default() }
    }

    fn all_six() -> Thresholds {
        Thresholds {
            reference: interval(Some("300"), Some("1000")),
            optimal: Some(interval(Some("500"), Some("900"))),
            critical: interval(Some("100"), Some("2000")),
        }
    }

    fn status_of(text: &str, thresholds: &Thresholds) -> Status {
        classify(Value::parse(text).unwrap(), thresholds).status
    }

    #[test]
    fn bounds_belong_to_the_milder_status() {
        for (text, status) in [
            ("99.9", Status::CriticalLow),
            ("100", Status::Low),
            ("299.9", Status::Low),
            ("300", Status::Normal),
            ("499.9", Status::Normal),
            ("500", Status::Optimal),
            ("650", Status::Optimal),
            ("900", Status::Optimal),
            ("900.1", Status::Normal),
            ("1000", Status::Normal),
            ("1000.1", Status::High),
            ("2000", Status::High),
            ("2000.1", Status::CriticalHigh),
        ] {
            assert_eq!(status_of(text, &all_six()), status, "{text}");
        }
    }

    #[test]
    fn six_statuses_fold_to_four() {
        use FoldedStatus::{Critical, High, Low, Normal};
        let folded = [
            Status::CriticalLow,
            Status::Low,
            Status::Normal,
            Status::Optimal,
            Status::High,
            Status::CriticalHigh,
        ]
        .map(Status::folded);
        assert_eq!(folded, [Critical, Low, Normal, Normal, High, Critical]);
        assert_eq!(Status::CriticalHigh.name(), "critical_high");
    }

    #[test]
    fn a_comparator_counts_for_what_it_proves() {
        for (text, range, status, imprecise) in [
            ("<0.2", interval(Some("0.4"), Some("4.0")), Status::Low, false),
            ("<0.4", interval(Some("0.4"), Some("4.0")), Status::Low, false),
            ("<0.5", interval(Some("0.4"), Some("4.0")), Status::Normal, true),
            (">1000", interval(Some("300"), Some("1000")), Status::High, false),
            (">999", interval(Some("300"), Some("1000")), Status::Normal, true),
            ("<5", interval(Some("0"), Some("10")), Status::Normal, true),
            (">60", interval(Some("60"), None), Status::Normal, true),
        ] {
            let classification = classify(Value::parse(text).unwrap(), &only(range));
            assert_eq!(classification, Classification { status, imprecise }, "{text}");
        }
    }

    #[test]
    fn a_comparator_may_prove_a_critical_or_an_optimal_value() {
        assert_eq!(status_of("<100", &all_six()), Status::CriticalLow);
        assert_eq!(status_of(">2000", &all_six()), Status::CriticalHigh);
        assert_eq!(status_of(">600", &all_six()), Status::Normal);
        let filtration = Thresholds {
            optimal: Some(interval(Some("90"), None)),
            ..only(interval(Some("60"), None))
        };
        assert_eq!(status_of(">90", &filtration), Status::Optimal);
        assert_eq!(status_of(">60", &filtration), Status::Normal);
    }

    #[test]
    fn a_laboratory_range_goes_before_our_critical_bounds() {
        let thresholds = Thresholds { reference: interval(Some("50"), Some("3000")), ..all_six() };
        assert_eq!(status_of("60", &thresholds), Status::Normal);
        assert_eq!(status_of("2500", &thresholds), Status::Normal);
        assert_eq!(status_of("40", &thresholds), Status::CriticalLow);
    }

    #[test]
    fn a_one_sided_laboratory_range_leaves_our_critical_bound_on_the_other_side() {
        let thresholds = Thresholds { reference: interval(Some("300"), None), ..all_six() };
        assert_eq!(status_of("1500", &thresholds), Status::Normal);
        assert_eq!(status_of("2001", &thresholds), Status::CriticalHigh);
    }

    #[test]
    fn a_value_above_the_laboratory_range_is_not_critically_low() {
        let thresholds = Thresholds { reference: interval(None, Some("10")), ..all_six() };
        assert_eq!(status_of("20", &thresholds), Status::High);
    }

    fn side(status: Status) -> i8 {
        match status {
            Status::CriticalLow => -2,
            Status::Low => -1,
            Status::Normal | Status::Optimal => 0,
            Status::High => 1,
            Status::CriticalHigh => 2,
        }
    }

    fn any_interval() -> impl Strategy<Value = Interval> {
        let bound = || proptest::option::of((0_i64..1000).prop_map(Decimal::from));
        (bound(), bound()).prop_map(|(left, right)| {
            Interval::new(left, right).or_else(|_| Interval::new(right, left)).unwrap()
        })
    }

    fn any_thresholds() -> impl Strategy<Value = Thresholds> {
        (any_interval(), proptest::option::of(any_interval()), any_interval())
            .prop_map(|(reference, optimal, critical)| Thresholds { reference, optimal, critical })
    }

    proptest! {
        #[test]
        fn a_greater_value_is_never_classified_lower(
            thresholds in any_thresholds(),
            left in 0_i64..1000,
            right in 0_i64..1000,
        ) {
            let side_of = |number: i64| {
                side(status_of(&number.to_string(), &thresholds))
            };
            prop_assert!(side_of(left.min(right)) <= side_of(left.max(right)));
        }

        #[test]
        fn what_a_comparator_proves_holds_for_every_value_it_stands_for(
            thresholds in any_thresholds(),
            bound in 1_i64..1000,
            beside in 1_i64..1000,
        ) {
            let at_most = status_of(&format!("<{bound}"), &thresholds);
            if at_most != Status::Normal && beside < bound {
                let exact = status_of(&beside.to_string(), &thresholds);
                prop_assert!(at_most == exact || (at_most == Status::Low && exact == Status::CriticalLow));
            }
            let at_least = status_of(&format!(">{bound}"), &thresholds);
            if at_least != Status::Normal && beside > bound {
                let exact = status_of(&beside.to_string(), &thresholds);
                prop_assert!(at_least == exact || (at_least == Status::High && exact == Status::CriticalHigh));
            }
        }
    }
}
