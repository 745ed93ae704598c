//! Maps out of the wire: entries that may lack parts and come more than once.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::normal::fits;
use crate::plan::{FieldPlan, Kind};
use crate::well_known_to_json::join;
use crate::wire::Reader;
use crate::wire_to_json::{Encoder, Halt, next_of};

impl Encoder<'_> {
    /// The entries of a map, as far as they follow each other; of equal keys the last counts.
    pub(crate) fn map(
        &mut self,
        field: &FieldPlan,
        reader: &mut Reader<'_>,
        depth: u32,
    ) -> Result<bool, Halt> {
        let (key, value) = field.entry(self.plans).expect("an entry has a key and a value");
        let mut entries: Vec<(Vec<u8>, Entry<'_>)> = Vec::new();
        let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
        loop {
            let entry = Entry::read(key, value, reader.length_delimited()?)?;
            let written = self.map_key(key, &entry)?;
            match places.get(&written) {
                Some(&place) => entries[place].1 = entry,
                None => {
                    places.insert(written.clone(), entries.len());
                    entries.push((written, entry));
                }
            }
            if next_of(field, reader)?.is_none() {
                break;
            }
        }
        let start = self.out.len();
        for (written, entry) in &entries {
            self.map_entry(written, value, entry, depth)?;
        }
        let is_empty = self.out.len() == start;
        self.braces(start);
        Ok(is_empty)
    }

    /// The key as a member's name: numbers and bools in quotes.
    fn map_key(&mut self, key: &FieldPlan, entry: &Entry<'_>) -> Result<Vec<u8>, Halt> {
        let start = self.out.len();
        match entry.key {
            Some(bytes) => drop(self.value(key, &mut Reader::new(bytes), 0)?),
            None => self.zero(key)?,
        }
        let text = self.out.split_off(start);
        if text.starts_with(b"\"") {
            return Ok(text);
        }
        Ok([b"\"".as_slice(), &text, b"\""].concat())
    }

    fn map_entry(
        &mut self,
        key: &[u8],
        value: &FieldPlan,
        entry: &Entry<'_>,
        depth: u32,
    ) -> Result<(), Halt> {
        let start = self.out.len();
        self.out.push(b',');
        self.out.extend_from_slice(key);
        self.out.push(b':');
        let before = self.out.len();
        match (&entry.value, value.kind) {
            (_, Kind::Message(id) | Kind::Group(id)) => {
                self.message(id, entry.value.as_deref().unwrap_or_default(), depth + 1)?;
            }
            (Some(bytes), _) => drop(self.value(value, &mut Reader::new(bytes), depth)?),
            (None, _) => self.zero(value)?,
        }
        if self.out.len() == before {
            self.out.truncate(start);
        }
        Ok(())
    }
}

/// One entry of a map: its payloads, absent where the default is meant. A message is without
/// its length, because it may come in parts.
struct Entry<'a> {
    key: Option<&'a [u8]>,
    value: Option<Cow<'a, [u8]>>,
}

impl<'a> Entry<'a> {
    fn read(key: &FieldPlan, value: &FieldPlan, bytes: &'a [u8]) -> Result<Entry<'a>, Halt> {
        let mut reader = Reader::new(bytes);
        let mut entry = Entry { key: None, value: None };
        while !reader.is_empty() {
            let (number, wire_type) = reader.tag()?;
            let before = reader.rest();
            let payload = reader.payload(number, wire_type)?;
            let sized = &before[..before.len() - reader.rest().len()];
            if number == 1 && fits(key, wire_type) {
                entry.key = Some(sized);
            } else if number == 2 && fits(value, wire_type) {
                match value.kind.message() {
                    Some(_) => join(entry.value.get_or_insert_default(), payload),
                    None => entry.value = Some(Cow::Borrowed(sized)),
                }
            }
        }
        Ok(entry)
    }
}
