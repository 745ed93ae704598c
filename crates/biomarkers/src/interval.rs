//! A range of values with inclusive bounds, either of which may be absent.

use crate::error::Error;
use rust_decimal::Decimal;

/// A range whose low bound is never above its high bound. An absent bound is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interval {
    low: Option<Decimal>,
    high: Option<Decimal>,
}

impl Interval {
    /// Fails with [`Error::RangeInverted`] when low is above high.
    pub fn new(low: Option<Decimal>, high: Option<Decimal>) -> Result<Self, Error> {
        match (low, high) {
            (Some(low), Some(high)) if low > high => Err(Error::RangeInverted),
            _ => Ok(Self { low, high }),
        }
    }

    pub fn low(&self) -> Option<Decimal> {
        self.low
    }

    pub fn high(&self) -> Option<Decimal> {
        self.high
    }

    pub fn contains(&self, magnitude: Decimal) -> bool {
        self.low.is_none_or(|low| low <= magnitude)
            && self.high.is_none_or(|high| magnitude <= high)
    }

    /// The smallest interval that holds both.
    pub fn union(&self, other: &Self) -> Self {
        Self {
            low: self.low.zip(other.low).map(|(left, right)| left.min(right)),
            high: self.high.zip(other.high).map(|(left, right)| left.max(right)),
        }
    }

    /// What lies in both, if anything does.
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let low = self.low.max(other.low);
        let high = [self.high, other.high].into_iter().flatten().min();
        Self::new(low, high).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(low: Option<i64>, high: Option<i64>) -> Interval {
        Interval::new(low.map(Decimal::from), high.map(Decimal::from)).unwrap()
    }

    #[test]
    fn both_bounds_belong_to_the_interval() {
        let range = interval(Some(1), Some(3));
        let held: Vec<i64> = (0..5).filter(|v| range.contains(Decimal::from(*v))).collect();
        assert_eq!(held, [1, 2, 3]);
    }

    #[test]
    fn an_inverted_range_is_refused() {
        let inverted = Interval::new(Some(Decimal::TWO), Some(Decimal::ONE));
        assert_eq!(inverted, Err(Error::RangeInverted));
    }

    #[test]
    fn a_union_with_an_open_end_is_open() {
        let union = interval(Some(1), Some(3)).union(&interval(Some(0), None));
        assert_eq!(union, interval(Some(0), None));
    }

    #[test]
    fn an_intersection_keeps_the_stricter_bounds() {
        let left = interval(None, Some(5));
        assert_eq!(left.intersection(&interval(Some(2), None)), Some(interval(Some(2), Some(5))));
        assert_eq!(left.intersection(&interval(Some(6), Some(7))), None);
    }
}
