//! Recomputes a schema's chain of seals from its rows and says where it first breaks.

use std::{iter::Peekable, time::Duration, vec};

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::{
    Error, Head, KeyId, PublicKeys, Result, Schema, Seal, Snapshot,
    chain::{self, Stored},
    log::{self, Entry, Span},
    merkle::{self, Hash},
};

/// What [`verify`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Seals and rows that hold, counted from the first.
    pub seals: i64,
    pub rows: i64,
    /// Where the part of the chain that holds ends; none if not even the first seal does.
    pub head: Option<Head>,
    pub verdict: Verdict,
}

/// Whether the log is as it was sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Intact {
        tail: Tail,
    },
    /// The first seal that does not hold. Later ones were not looked at.
    Broken {
        n: i64,
        problem: Problem,
    },
}

/// Committed rows that no seal holds yet. Many or old ones mean that no sealer runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    pub rows: i64,
    /// How long ago the oldest of them occurred.
    pub age: Option<Duration>,
}

/// What is wrong with a seal or its rows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("the seal is missing: the next one is {found}")]
    SealMissing { found: i64 },
    #[error("the seal is missing, but another chain has seen seal {n}: the end was cut off")]
    Truncated { n: i64 },
    #[error("the seal's column {0} holds what no seal holds")]
    Malformed(&'static str),
    #[error("the seal does not follow from the head of the one before")]
    Link,
    #[error("the seal's window does not take up where the one before ends")]
    Window,
    #[error("the head is not that of what the seal says")]
    Head,
    #[error("no public key {0} is known")]
    UnknownKey(KeyId),
    #[error("the signature is not that of the seal's key")]
    Signature,
    #[error("another chain has seen another head, {0}")]
    Witness(Hash),
    #[error("the row {id} of seq {seq} was changed")]
    RowChanged { seq: i64, id: Uuid },
    #[error("the row {id} of seq {seq} was not there when its batch was sealed")]
    RowInserted { seq: i64, id: Uuid },
    #[error("row {place} of the batch, counted from 0, is gone")]
    RowMissing { place: usize },
    #[error("the rows are not those under the root; which one, its damaged leaf hashes hide")]
    Root,
    #[error("the rows are good, but the leaf hashes stored beside the seal are damaged")]
    Leaves,
    #[error("the rows are good, but the seal's count or seq range is not theirs")]
    Bounds,
}

/// Walks the chain of `schema` from its first seal and recomputes everything: windows, roots,
/// heads, signatures. `witnessed` are the heads of this chain that others saw
/// ([`witnessed`](crate::witnessed)); without them a chain cut off at its end looks whole. `pool`
/// acts as the role `{schema}_audit`.
///
/// Memory does not grow with the log; with one row a seal, time goes into one query a seal.
pub async fn verify(
    pool: &PgPool,
    schema: &Schema,
    keys: &PublicKeys,
    witnessed: &[Head],
) -> Result<Report> {
    let mut tx = pool.begin_with("BEGIN READ ONLY").await?;
    log::plan_for_index_scans(&mut tx).await?;
    let mut witnessed = witnessed.to_vec();
    witnessed.sort();
    let mut walk =
        Walk { schema, keys, witnessed: witnessed.into_iter().peekable(), last: None, rows: 0 };
    let verdict = match walk.finish(&mut tx).await {
        Ok(tail) => Verdict::Intact { tail },
        Err(Stop::Broken { n, problem }) => Verdict::Broken { n, problem },
        Err(Stop::Failed(error)) => return Err(error),
    };
    let head = walk.last.as_ref().map(Seal::position);
    Ok(Report { seals: head.map_or(0, |head| head.n), rows: walk.rows, head, verdict })
}

/// A walk along the chain, and how far it has come.
struct Walk<'a> {
    schema: &'a Schema,
    keys: &'a PublicKeys,
    witnessed: Peekable<vec::IntoIter<Head>>,
    last: Option<Seal>,
    rows: i64,
}

/// Why a walk ends early.
enum Stop {
    Broken { n: i64, problem: Problem },
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        match error.into() {
            Error::MalformedSeal { n, column, .. } => {
                Self::Broken { n, problem: Problem::Malformed(column) }
            }
            error => Self::Failed(error),
        }
    }
}

impl Walk<'_> {
    async fn finish(&mut self, conn: &mut PgConnection) -> Result<Tail, Stop> {
        let mut after = None;
        loop {
            let page = chain::page(conn, self.schema, after).await?;
            let Some((end, _)) = page.last() else { break };
            after = Some(*end);
            for (n, stored) in page {
                self.step(conn, n, stored).await?;
            }
        }
        match self.witnessed.next() {
            Some(head) => broken(self.next_n(), Problem::Truncated { n: head.n }),
            None => self.tail(conn).await,
        }
    }

    async fn step(
        &mut self,
        conn: &mut PgConnection,
        n: i64,
        stored: Result<Stored>,
    ) -> Result<(), Stop> {
        if n != self.next_n() {
            return broken(self.next_n(), Problem::SealMissing { found: n });
        }
        let Stored { seal, leaves } = stored?;
        let hold = |checked: Result<(), Problem>| checked.or_else(|problem| broken(n, problem));
        hold(self.check_link(&seal))?;
        hold(seal.check(self.keys))?;
        hold(self.check_witnesses(&seal))?;
        self.check_rest_of_window(conn, &seal).await?;
        let entries = self.entries(conn, &seal).await?;
        hold(check_rows(&seal, &leaves, &entries))?;
        self.rows += seal.claim.row_count;
        self.last = Some(seal);
        Ok(())
    }

    fn next_n(&self) -> i64 {
        self.last.as_ref().map_or(1, |last| last.claim.n + 1)
    }

    fn check_link(&self, seal: &Seal) -> Result<(), Problem> {
        let claim = &seal.claim;
        let (head, follows) = match &self.last {
            None => (Hash::ZERO, claim.since == Snapshot::NOTHING),
            Some(last) => (last.head, seal.continues(last) || claim.since == last.claim.until),
        };
        if claim.prev_head != head {
            return Err(Problem::Link);
        }
        if follows { Ok(()) } else { Err(Problem::Window) }
    }

    fn check_witnesses(&mut self, seal: &Seal) -> Result<(), Problem> {
        while let Some(head) = self.witnessed.next_if(|head| head.n <= seal.claim.n) {
            if head != seal.position() {
                return Err(Problem::Witness(head.hash));
            }
        }
        Ok(())
    }

    /// When a new window opens after a full seal, the old one must have no rows left.
    async fn check_rest_of_window(&self, conn: &mut PgConnection, seal: &Seal) -> Result<(), Stop> {
        let Some(last) = self.last.as_ref().filter(|last| last.is_full() && !seal.continues(last))
        else {
            return Ok(());
        };
        let (since, until) = (&last.claim.since, &last.claim.until);
        let rest = Span { since, until, seqs: last.rest_of_window() };
        match log::entries(conn, self.schema, &rest, 1).await?.first() {
            Some(row) => broken(last.claim.n, Problem::RowInserted { seq: row.seq, id: row.id }),
            None => Ok(()),
        }
    }

    /// The rows that the seal must hold, and one more if there is one. The first seal of a window
    /// answers for all that is before it, the last one for all that is after it.
    async fn entries(&self, conn: &mut PgConnection, seal: &Seal) -> Result<Vec<Entry>> {
        let claim = &seal.claim;
        let first = match &self.last {
            Some(last) if seal.continues(last) => *last.rest_of_window().start(),
            _ => i64::MIN,
        };
        let through = if seal.is_full() { claim.max_seq } else { i64::MAX };
        let span = Span { since: &claim.since, until: &claim.until, seqs: first..=through };
        log::entries(conn, self.schema, &span, claim.row_count.saturating_add(1)).await
    }

    async fn tail(&self, conn: &mut PgConnection) -> Result<Tail, Stop> {
        let Some(last) = &self.last else {
            let nothing =
                Span { since: &Snapshot::NOTHING, until: &Snapshot::NOTHING, seqs: 0..=0 };
            return Ok(log::tail(conn, self.schema, &Snapshot::NOTHING, &nothing).await?);
        };
        let (since, until) = (&last.claim.since, &last.claim.until);
        let rest = Span { since, until, seqs: last.rest_of_window() };
        Ok(log::tail(conn, self.schema, until, &rest).await?)
    }
}

fn broken<T>(n: i64, problem: Problem) -> Result<T, Stop> {
    Err(Stop::Broken { n, problem })
}

/// Compares the rows with what the seal's root commits to.
fn check_rows(seal: &Seal, stored: &[Hash], entries: &[Entry]) -> Result<(), Problem> {
    let claim = &seal.claim;
    let leaves: Vec<Hash> = entries.iter().map(|entry| entry.leaf).collect();
    if merkle::root(&leaves) != claim.root {
        let genuine = merkle::root(stored) == claim.root;
        return Err(if genuine { difference(stored, entries) } else { Problem::Root });
    }
    if stored != leaves {
        return Err(Problem::Leaves);
    }
    let bounds = entries.first().zip(entries.last()).map(|(first, last)| (first.seq, last.seq));
    let counted = claim.row_count == entries.len() as i64;
    let bounded = bounds == Some((claim.min_seq, claim.max_seq));
    if counted && bounded { Ok(()) } else { Err(Problem::Bounds) }
}

/// The first difference between the rows as sealed and as they are; there is one.
fn difference(sealed: &[Hash], entries: &[Entry]) -> Problem {
    let alike = sealed.iter().zip(entries).take_while(|(leaf, entry)| **leaf == entry.leaf);
    let place = alike.count();
    let Some(row) = entries.get(place) else { return Problem::RowMissing { place } };
    let (seq, id) = (row.seq, row.id);
    let expected = sealed.get(place);
    if expected.is_none_or(|leaf| entries[place..].iter().any(|entry| entry.leaf == *leaf)) {
        Problem::RowInserted { seq, id }
    } else if sealed[place..].contains(&row.leaf) {
        Problem::RowMissing { place }
    } else {
        Problem::RowChanged { seq, id }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Claim, MAX_ROWS, SealingKey, Witnesses};

    fn seal(edit: impl FnOnce(&mut Claim)) -> Seal {
        let mut claim = Claim {
            schema: "clinical".parse().unwrap(),
            n: 1,
            prev_head: Hash::ZERO,
            root: Hash::ZERO,
            row_count: 1,
            min_seq: 1,
            max_seq: 1,
            since: Snapshot::NOTHING,
            until: "5:5:".parse().unwrap(),
            witnesses: Witnesses::new(),
            sealed_at: chrono::DateTime::UNIX_EPOCH,
        };
        edit(&mut claim);
        claim.sign(&SealingKey::from_seed([1; 32]))
    }

    fn check_link(last: Option<&Seal>, seal: &Seal) -> Result<(), Problem> {
        let (schema, keys) = (&seal.claim.schema, &PublicKeys::default());
        let witnessed = Vec::new().into_iter().peekable();
        Walk { schema, keys, witnessed, last: last.cloned(), rows: 0 }.check_link(seal)
    }

    #[test]
    fn a_seal_follows_only_the_head_before_it_though_the_right_key_signed_another() {
        let (first, fork) = (seal(|_| {}), seal(|claim| claim.root = Hash([1; 32])));
        let second = seal(|claim| {
            (claim.prev_head, claim.since) = (first.head, first.claim.until.clone());
        });
        assert_eq!(check_link(Some(&first), &second), Ok(()));
        assert_eq!(check_link(Some(&fork), &second), Err(Problem::Link));
        assert_eq!(check_link(None, &second), Err(Problem::Link));
    }

    #[test]
    fn a_window_leaves_no_gap_and_is_continued_only_after_a_full_seal() {
        let follows = |last: &Seal, since: &Snapshot| {
            let next = seal(|claim| {
                (claim.prev_head, claim.since) = (last.head, since.clone());
            });
            check_link(Some(last), &next)
        };
        let (short, full) = (seal(|_| {}), seal(|claim| claim.row_count = MAX_ROWS as i64));
        assert_eq!(follows(&short, &short.claim.until), Ok(()));
        assert_eq!(follows(&full, &full.claim.since), Ok(()));
        assert_eq!(follows(&short, &short.claim.since), Err(Problem::Window));
        assert_eq!(follows(&full, &"6:6:".parse().unwrap()), Err(Problem::Window));
        let late = seal(|claim| claim.since = "2:2:".parse().unwrap());
        assert_eq!(check_link(None, &late), Err(Problem::Window));
    }

    fn entry(seq: i64) -> Entry {
        Entry { seq, id: Uuid::from_u128(seq as u128), leaf: merkle::leaf(&seq.to_be_bytes()) }
    }

    fn named(sealed: &[i64], found: &[i64]) -> Problem {
        let sealed: Vec<Hash> = sealed.iter().map(|seq| entry(*seq).leaf).collect();
        difference(&sealed, &found.iter().map(|seq| entry(*seq)).collect::<Vec<_>>())
    }

    fn id(seq: i64) -> Uuid {
        entry(seq).id
    }

    #[test]
    fn a_changed_row_is_named() {
        assert_eq!(named(&[1, 2, 3], &[1, 9, 3]), Problem::RowChanged { seq: 9, id: id(9) });
    }

    #[test]
    fn an_inserted_row_is_named_wherever_it_stands() {
        let inserted = Problem::RowInserted { seq: 9, id: id(9) };
        assert_eq!(named(&[1, 2], &[9, 1, 2]), inserted);
        assert_eq!(named(&[1, 2], &[1, 9, 2]), inserted);
        assert_eq!(named(&[1, 2], &[1, 2, 9]), inserted);
    }

    #[test]
    fn a_missing_row_is_named_by_its_place() {
        assert_eq!(named(&[1, 2, 3], &[2, 3]), Problem::RowMissing { place: 0 });
        assert_eq!(named(&[1, 2, 3], &[1, 3]), Problem::RowMissing { place: 1 });
        assert_eq!(named(&[1, 2, 3], &[1, 2]), Problem::RowMissing { place: 2 });
        assert_eq!(named(&[1, 2, 3], &[]), Problem::RowMissing { place: 0 });
    }
}
