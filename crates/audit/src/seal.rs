//! A seal: what it claims about a batch of rows, its place in the chain and its signature.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};

use crate::{
    Head, KeyId, Problem, PublicKeys, Schema, SealingKey, Snapshot, Witnesses, encode::Encoder,
    merkle::Hash,
};

/// How many rows a seal holds at most. Part of the format: a seal of fewer rows holds the last ones
/// of its window, after a full one the next seal may hold more of the same window.
pub const MAX_ROWS: usize = 4096;

/// What a seal says. Its rows are those that `until` sees and `since` does not (its window), with
/// `seq` from `min_seq` to `max_seq`, in the order of `seq`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub schema: Schema,
    /// Counts from 1.
    pub n: i64,
    /// The head of seal `n - 1`; zeros before the first.
    pub prev_head: Hash,
    /// RFC 6962 tree hash over the rows.
    pub root: Hash,
    pub row_count: i64,
    pub min_seq: i64,
    pub max_seq: i64,
    pub since: Snapshot,
    pub until: Snapshot,
    pub witnesses: Witnesses,
    /// By the database's clock, in whole microseconds.
    pub sealed_at: DateTime<Utc>,
}

/// A signed [`Claim`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    pub claim: Claim,
    pub key_id: KeyId,
    /// `SHA256(0x02 || prev_head || root || the rest)`: stands for this seal and all before it.
    pub head: Hash,
    /// ed25519 over `head`.
    pub signature: [u8; 64],
}

impl Claim {
    pub fn sign(self, key: &SealingKey) -> Seal {
        let head = self.head(key.id());
        Seal { head, signature: key.sign(&head), key_id: key.id().clone(), claim: self }
    }

    /// The schema is part of the head, so that no chain passes for another's.
    fn head(&self, key_id: &KeyId) -> Hash {
        let mut rest = Encoder::version(1);
        rest.text(self.schema.as_str())
            .signed(self.n)
            .signed(self.row_count)
            .signed(self.min_seq)
            .signed(self.max_seq)
            .text(&self.since.to_string())
            .text(&self.until.to_string())
            .signed(self.sealed_at.timestamp_micros())
            .text(key_id.as_str())
            .unsigned(self.witnesses.len() as u64);
        for (schema, head) in &self.witnesses {
            rest.text(schema.as_str()).signed(head.n).text_bytes(&head.hash.0);
        }
        Hash::of(&[&[0x02], &self.prev_head.0, &self.root.0, &rest.finish()])
    }
}

impl Seal {
    /// The seal's own evidence: that its head is of what it says, and that one of `keys` signed it.
    pub fn check(&self, keys: &PublicKeys) -> Result<(), Problem> {
        if self.claim.head(&self.key_id) != self.head {
            return Err(Problem::Head);
        }
        let key = keys.get(&self.key_id).ok_or_else(|| Problem::UnknownKey(self.key_id.clone()))?;
        if key.signed(&self.head, &self.signature) { Ok(()) } else { Err(Problem::Signature) }
    }

    /// Where the chain stands with this seal: what others witness.
    pub fn position(&self) -> Head {
        Head { n: self.claim.n, hash: self.head }
    }

    /// Whether the next seal may hold more rows of this one's window.
    pub fn is_full(&self) -> bool {
        self.claim.row_count == MAX_ROWS as i64
    }

    /// The `seq`s that the window's rows in later seals may have: none after a seal that is not
    /// full, which holds the last of them.
    pub(crate) fn rest_of_window(&self) -> RangeInclusive<i64> {
        match self.claim.max_seq.checked_add(1) {
            Some(next) if self.is_full() => next..=i64::MAX,
            _ => RangeInclusive::new(1, 0),
        }
    }

    /// Whether this seal holds more rows of the window of `previous`.
    pub(crate) fn continues(&self, previous: &Seal) -> bool {
        previous.is_full()
            && self.claim.since == previous.claim.since
            && self.claim.until == previous.claim.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim() -> Claim {
        Claim {
            schema: "clinical".parse().unwrap(),
            n: 3,
            prev_head: Hash([1; 32]),
            root: Hash([2; 32]),
            row_count: 2,
            min_seq: 10,
            max_seq: 12,
            since: "5:7:6".parse().unwrap(),
            until: "9:9:".parse().unwrap(),
            witnesses: [("events".parse().unwrap(), Head { n: 8, hash: Hash([3; 32]) })].into(),
            sealed_at: DateTime::from_timestamp_micros(1_700_000_000_000_001).unwrap(),
        }
    }

    fn key() -> SealingKey {
        SealingKey::from_seed([9; 32])
    }

    fn keys() -> PublicKeys {
        [key().public().clone()].into_iter().collect()
    }

    #[test]
    fn a_seal_as_signed_is_good() {
        assert_eq!(claim().sign(&key()).check(&keys()), Ok(()));
    }

    #[test]
    fn no_field_of_a_claim_can_change_under_its_head() {
        let edits: [fn(&mut Claim); 12] = [
            |claim| claim.schema = "events".parse().unwrap(),
            |claim| claim.n += 1,
            |claim| claim.prev_head = Hash::ZERO,
            |claim| claim.root = Hash::ZERO,
            |claim| claim.row_count += 1,
            |claim| claim.min_seq += 1,
            |claim| claim.max_seq += 1,
            |claim| claim.since = "5:7:5".parse().unwrap(),
            |claim| claim.until = "9:10:".parse().unwrap(),
            |claim| claim.witnesses.clear(),
            |claim| claim.witnesses.values_mut().for_each(|head| head.n += 1),
            |claim| claim.sealed_at += chrono::TimeDelta::microseconds(1),
        ];
        for (place, edit) in edits.into_iter().enumerate() {
            let mut seal = claim().sign(&key());
            edit(&mut seal.claim);
            assert_eq!(seal.check(&keys()), Err(Problem::Head), "edit {place}");
        }
    }

    #[test]
    fn a_head_computed_anew_needs_a_known_key() {
        let forger = SealingKey::from_seed([8; 32]);
        let forged = claim().sign(&forger);
        assert_eq!(forged.check(&keys()), Err(Problem::UnknownKey(forger.id().clone())));
        let mut renamed = claim().sign(&key());
        renamed.signature = forger.sign(&renamed.head);
        assert_eq!(renamed.check(&keys()), Err(Problem::Signature));
    }

    #[test]
    fn only_a_full_seal_is_continued_and_only_in_its_window() {
        let full = Claim { row_count: MAX_ROWS as i64, ..claim() }.sign(&key());
        let short = claim().sign(&key());
        let elsewhere = Claim { until: "9:10:".parse().unwrap(), ..claim() }.sign(&key());
        assert!(short.continues(&full));
        assert!(!full.continues(&short));
        assert!(!elsewhere.continues(&full));
    }
}
