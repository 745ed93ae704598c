//! The canonical bytes of an audit row: what its leaf hash is computed over.

use uuid::Uuid;

use crate::merkle::{self, Hash};

/// One row of an `audit_log`, all columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    pub brand_id: String,
    pub seq: i64,
    pub xid: u64,
    pub id: Uuid,
    /// Microseconds since 2000-01-01 UTC, as Postgres stores it; so `infinity` has an encoding too.
    pub occurred_at: i64,
    pub actor_type: String,
    pub actor_id: String,
    pub actor_brand_id: Option<String>,
    pub event_type: String,
    pub entity_type: Option<String>,
    pub entity_id: Option<String>,
    pub request_id: Option<String>,
    pub trace_id: Option<String>,
    /// `details::text`. Postgres prints a jsonb value one way only: keys sorted, spaces fixed.
    pub details: String,
}

impl AuditRow {
    /// Version 1 of the encoding: a version byte, then the columns in the order of the table.
    /// Integers are eight bytes big-endian, a text is its length and its bytes, and a nullable
    /// column starts with a byte that says whether a value follows. No two rows share an encoding.
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::version(1);
        encoder
            .text(&self.brand_id)
            .signed(self.seq)
            .unsigned(self.xid)
            .text_bytes(self.id.as_bytes())
            .signed(self.occurred_at)
            .text(&self.actor_type)
            .text(&self.actor_id)
            .nullable(self.actor_brand_id.as_deref())
            .text(&self.event_type)
            .nullable(self.entity_type.as_deref())
            .nullable(self.entity_id.as_deref())
            .nullable(self.request_id.as_deref())
            .nullable(self.trace_id.as_deref())
            .text(&self.details);
        encoder.finish()
    }

    /// The row's leaf in its seal's Merkle tree.
    pub fn leaf(&self) -> Hash {
        merkle::leaf(&self.encode())
    }
}

/// Writes values so that the bytes can be read back in one way only.
pub(crate) struct Encoder(Vec<u8>);

impl Encoder {
    pub(crate) fn version(version: u8) -> Self {
        let mut bytes = Vec::with_capacity(512);
        bytes.push(version);
        Self(bytes)
    }

    pub(crate) fn signed(&mut self, value: i64) -> &mut Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn unsigned(&mut self, value: u64) -> &mut Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub(crate) fn text(&mut self, value: &str) -> &mut Self {
        self.text_bytes(value.as_bytes())
    }

    pub(crate) fn text_bytes(&mut self, value: &[u8]) -> &mut Self {
        self.unsigned(value.len() as u64);
        self.0.extend(value);
        self
    }

    pub(crate) fn nullable(&mut self, value: Option<&str>) -> &mut Self {
        self.0.push(u8::from(value.is_some()));
        if let Some(value) = value {
            self.text(value);
        }
        self
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row() -> AuditRow {
        AuditRow {
            brand_id: "acme".to_owned(),
            seq: 7,
            xid: 901,
            id: Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001),
            occurred_at: 800_000_000_000_000,
            actor_type: "user".to_owned(),
            actor_id: "u1".to_owned(),
            actor_brand_id: None,
            event_type: "clinical.biomarker.parsed".to_owned(),
            entity_type: Some("biomarker".to_owned()),
            entity_id: Some(String::new()),
            request_id: None,
            trace_id: None,
            details: "{}".to_owned(),
        }
    }

    fn texts() -> impl Strategy<Value = Option<String>> {
        proptest::option::of("[a-c\u{0}]{0,3}")
    }

    prop_compose! {
        /// Rows of few letters and short texts, so that columns that run into one another collide.
        fn rows()(
            ids in (0..3_i64, 0..3_u64, 0..3_u128, -1..2_i64),
            required in proptest::array::uniform5("[a-c\u{0}]{0,3}"),
            optional in proptest::array::uniform5(texts()),
        ) -> AuditRow {
            let [brand_id, actor_type, actor_id, event_type, details] = required;
            let [actor_brand_id, entity_type, entity_id, request_id, trace_id] = optional;
            AuditRow {
                brand_id, seq: ids.0, xid: ids.1, id: Uuid::from_u128(ids.2), occurred_at: ids.3,
                actor_type, actor_id, actor_brand_id, event_type, entity_type, entity_id,
                request_id, trace_id, details,
            }
        }
    }

    /// Columns that may be moved from one row into the other.
    fn edit(row: &mut AuditRow, from: &AuditRow, column: usize) {
        match column {
            0 => row.brand_id.clone_from(&from.brand_id),
            1 => row.seq = from.seq,
            2 => row.xid = from.xid,
            3 => row.id = from.id,
            4 => row.occurred_at = from.occurred_at,
            5 => row.actor_type.clone_from(&from.actor_type),
            6 => row.actor_id.clone_from(&from.actor_id),
            7 => row.actor_brand_id.clone_from(&from.actor_brand_id),
            8 => row.event_type.clone_from(&from.event_type),
            9 => row.entity_type.clone_from(&from.entity_type),
            10 => row.entity_id.clone_from(&from.entity_id),
            11 => row.request_id.clone_from(&from.request_id),
            12 => row.trace_id.clone_from(&from.trace_id),
            _ => row.details.clone_from(&from.details),
        }
    }

    #[test]
    fn the_encoding_of_version_one_stays_as_it_is() {
        assert_eq!(
            row().leaf().to_string(),
            "c990c22d4bd84e6f4cd5c4c29848738f9e23d20f5a3d563434c7e2bec1d14bae",
        );
    }

    #[test]
    fn null_is_not_the_empty_text() {
        let null = AuditRow { request_id: None, ..row() };
        let empty = AuditRow { request_id: Some(String::new()), ..row() };
        assert_ne!(null.leaf(), empty.leaf());
    }

    #[test]
    fn text_cannot_move_between_neighbouring_columns() {
        let left = AuditRow { actor_type: "ab".into(), actor_id: "c".into(), ..row() };
        let right = AuditRow { actor_type: "a".into(), actor_id: "bc".into(), ..row() };
        assert_ne!(left.encode(), right.encode());
    }

    proptest! {
        #[test]
        fn two_rows_encode_alike_only_if_they_are_alike(left in rows(), right in rows()) {
            prop_assert_eq!(left == right, left.encode() == right.encode());
        }

        #[test]
        fn any_edit_of_any_row_changes_the_root(
            mut log in proptest::collection::vec(rows(), 1..20),
            other in rows(),
            place in any::<proptest::sample::Index>(),
            columns in proptest::collection::vec(0..14_usize, 1..4),
        ) {
            let before = log.clone();
            let row = place.get_mut(&mut log);
            columns.into_iter().for_each(|column| edit(row, &other, column));
            let root = |log: &[AuditRow]| {
                merkle::root(&log.iter().map(AuditRow::leaf).collect::<Vec<_>>())
            };
            prop_assert_eq!(log == before, root(&log) == root(&before));
        }

        #[test]
        fn deleting_doubling_or_swapping_rows_changes_the_root(
            log in proptest::collection::vec(rows(), 2..20),
            one in any::<proptest::sample::Index>(),
            two in any::<proptest::sample::Index>(),
        ) {
            let leaves: Vec<_> = log.iter().map(AuditRow::leaf).collect();
            let (one, two) = (one.index(leaves.len()), two.index(leaves.len()));
            let mut deleted = leaves.clone();
            deleted.remove(one);
            let mut doubled = leaves.clone();
            doubled.insert(one, leaves[two]);
            let mut swapped = leaves.clone();
            swapped.swap(one, two);
            prop_assert_ne!(merkle::root(&deleted), merkle::root(&leaves));
            prop_assert_ne!(merkle::root(&doubled), merkle::root(&leaves));
            prop_assert_eq!(leaves == swapped, merkle::root(&swapped) == merkle::root(&leaves));
        }
    }
}
