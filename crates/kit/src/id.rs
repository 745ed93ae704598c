//! TypeIDs: a type prefix and a UUIDv7, so that an id tells what it is and sorts by time.
//! <https://github.com/jetify-com/typeid/tree/main/spec>

use std::{fmt, marker::PhantomData};

use uuid::Uuid;

use crate::{Error, Result};

/// What an id identifies. One unit type per entity, so that ids cannot be mixed up.
pub trait Entity {
    /// Lower case, such as `bio`.
    const PREFIX: &'static str;
}

/// The id of an entity: `bio_01h455vb4pex5vsknk084sn02q` in text, a uuid in the database.
pub struct Id<E> {
    uuid: Uuid,
    entity: PhantomData<fn() -> E>,
}

impl<E: Entity> Id<E> {
    /// A new id, later than all before.
    pub fn mint() -> Self {
        Self::of(Uuid::now_v7())
    }

    pub fn of(uuid: Uuid) -> Self {
        Self { uuid, entity: PhantomData }
    }

    pub fn uuid(&self) -> Uuid {
        self.uuid
    }

    /// Reads an id that a caller sent in `field`.
    pub fn parse(field: &str, text: &str) -> Result<Self> {
        let suffix = text.strip_prefix(E::PREFIX).and_then(|it| it.strip_prefix('_'));
        suffix.and_then(decode).map(Self::of).ok_or_else(|| {
            let rule = format!("must be an id of the form {}_…", E::PREFIX);
            Error::invalid("ID_INVALID", field, rule)
        })
    }

    /// Reads an id that names a resource. One that cannot exist is as absent as one that does not.
    pub fn find(text: &str) -> Option<Self> {
        Self::parse("id", text).ok()
    }
}

impl<E: Entity> fmt::Display for Id<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", E::PREFIX, encode(self.uuid))
    }
}

impl<E: Entity> fmt::Debug for Id<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<E> Clone for Id<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Id<E> {}

impl<E> PartialEq for Id<E> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}

impl<E> Eq for Id<E> {}

/// Crockford's alphabet in lower case.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

fn encode(uuid: Uuid) -> String {
    let value = uuid.as_u128();
    (0..26).rev().map(|i| ALPHABET[(value >> (5 * i)) as usize & 31] as char).collect()
}

/// Exactly 26 characters, the first at most `7`: more would not fit into 128 bits.
fn decode(text: &str) -> Option<Uuid> {
    if text.len() != 26 || text.as_bytes()[0] > b'7' {
        return None;
    }
    let digit = |c: u8| ALPHABET.iter().position(|it| *it == c).map(|it| it as u128);
    let value = text.bytes().try_fold(0u128, |value, c| Some(value << 5 | digit(c)?))?;
    Some(Uuid::from_u128(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Thing;
    impl Entity for Thing {
        const PREFIX: &'static str = "prefix";
    }

    #[test]
    fn the_published_vectors_hold() {
        for (text, uuid) in [
            ("prefix_00000000000000000000000000", "00000000-0000-0000-0000-000000000000"),
            ("prefix_7zzzzzzzzzzzzzzzzzzzzzzzzz", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
            ("prefix_01h455vb4pex5vsknk084sn02q", "01890a5d-ac96-774b-bcce-b302099a8057"),
        ] {
            let id = Id::<Thing>::parse("id", text).unwrap();
            assert_eq!(id.uuid().to_string(), uuid);
            assert_eq!(id.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "prefix_",
            "other_01h455vb4pex5vsknk084sn02q",
            "prefix_8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "prefix_01h455vb4pex5vsknk084sn02u",
            "prefix_01H455VB4PEX5VSKNK084SN02Q",
            "prefix_é1h455vb4pex5vsknk084sn02",
        ] {
            assert!(Id::<Thing>::find(text).is_none(), "{text}");
        }
    }

    #[test]
    fn ids_sort_by_the_time_they_were_made() {
        let ids: Vec<_> = (0..100).map(|_| Id::<Thing>::mint().to_string()).collect();
        assert!(ids.is_sorted());
    }
}
