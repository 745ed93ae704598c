//! A set of small indexes that allocates only for a message of unusual size.

use std::collections::HashSet;

/// Which fields, or oneofs, of one message came already.
#[derive(Default)]
pub(crate) struct Seen {
    low: u64,
    high: HashSet<usize>,
}

impl Seen {
    /// False if it came before.
    #[inline]
    pub(crate) fn insert(&mut self, index: usize) -> bool {
        if index >= 64 {
            return self.high.insert(index);
        }
        let fresh = self.low & (1 << index) == 0;
        self.low |= 1 << index;
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_fresh_once_whatever_its_size() {
        let mut seen = Seen::default();
        for index in [0, 1, 63, 64, 1000] {
            assert!(seen.insert(index), "{index}");
            assert!(!seen.insert(index), "{index}");
        }
    }
}
