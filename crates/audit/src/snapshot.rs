//! Postgres snapshots: which transactions were over at a moment.

use std::{fmt, str::FromStr};

use crate::Error;

/// A `pg_snapshot`. It sees a transaction that is below `xmax` and was not in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    xmin: u64,
    xmax: u64,
    /// Sorted, each from `xmin` to below `xmax`.
    in_progress: Vec<u64>,
}

impl Snapshot {
    /// Sees nothing: where the first seal starts.
    pub const NOTHING: Self = Self { xmin: 1, xmax: 1, in_progress: Vec::new() };

    /// The first transaction id that had not been given out.
    pub fn xmax(&self) -> u64 {
        self.xmax
    }

    /// Whether the transaction was over.
    pub fn sees(&self, xid: u64) -> bool {
        xid < self.xmax && self.in_progress.binary_search(&xid).is_err()
    }

    /// This snapshot without the transactions after `last`. It too splits the rows into those
    /// before and those after, because what it sees is over.
    pub fn through(mut self, last: u64) -> Self {
        self.xmax = self.xmax.min(last.saturating_add(1));
        self.in_progress.retain(|xid| *xid < self.xmax);
        self.xmin = self.in_progress.first().copied().unwrap_or(self.xmax);
        self
    }
}

/// Postgres' own text: `xmin:xmax:xid,xid`.
impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.xmin, self.xmax)?;
        for (place, xid) in self.in_progress.iter().enumerate() {
            write!(f, "{}{xid}", if place == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl FromStr for Snapshot {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).ok_or_else(|| Error::InvalidSnapshot(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Snapshot> {
    let mut parts = text.splitn(3, ':');
    let xmin = parts.next()?.parse().ok()?;
    let xmax = parts.next()?.parse().ok()?;
    let list = parts.next()?;
    let in_progress = if list.is_empty() {
        Vec::new()
    } else {
        list.split(',').map(|xid| xid.parse().ok()).collect::<Option<Vec<u64>>>()?
    };
    let sorted = in_progress.is_sorted_by(|left, right| left < right);
    let inside = in_progress.iter().all(|xid| (xmin..xmax).contains(xid));
    (sorted && inside && 0 < xmin && xmin <= xmax).then_some(Snapshot { xmin, xmax, in_progress })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn snapshots() -> impl Strategy<Value = Snapshot> {
        (1..50_u64, 0..50_u64, proptest::collection::btree_set(1..100_u64, 0..10)).prop_map(
            |(xmin, span, xids)| {
                let inside = xids.into_iter().filter(|xid| (xmin..xmin + span).contains(xid));
                Snapshot { xmin, xmax: xmin + span, in_progress: inside.collect() }
            },
        )
    }

    #[test]
    fn a_text_that_postgres_would_not_print_is_refused() {
        for text in ["", "1", "1:2", "0:1:", "3:2:", "1:5:4,3", "1:5:3,3", "1:5:5", "2:5:1", "a:1:"]
        {
            assert!(text.parse::<Snapshot>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_first_snapshot_sees_nothing() {
        assert!(!Snapshot::NOTHING.sees(1) && !Snapshot::NOTHING.sees(u64::MAX));
    }

    proptest! {
        #[test]
        fn a_snapshot_reads_what_it_prints(snapshot in snapshots()) {
            prop_assert_eq!(snapshot.to_string().parse::<Snapshot>().unwrap(), snapshot);
        }

        #[test]
        fn a_shortened_snapshot_sees_the_same_up_to_its_end(
            snapshot in snapshots(), last in 1..120_u64,
        ) {
            let short = snapshot.clone().through(last);
            prop_assert_eq!(&short.to_string().parse::<Snapshot>().unwrap(), &short);
            for xid in 1..130 {
                prop_assert_eq!(short.sees(xid), xid <= last && snapshot.sees(xid), "{}", xid);
            }
        }
    }
}
