//! The view of a message that may be logged: protected data is replaced, not shortened.

use std::collections::HashSet;
use std::fmt;

use crate::json::write_string;
use crate::normal::fits;
use crate::plan::{FieldPlan, Kind, MessageId, Phi, Plans, Shape, Style, WellKnown};
use crate::wire::{LENGTH, MAX_DEPTH, Reader, WireError};
use crate::wire_to_json::write_message;

/// A view is at most this long, in bytes, before the ellipsis.
pub const SAFE_VIEW_LIMIT: usize = 4096;

/// Text in which protected data is masked. Only this crate makes one, so a log that takes
/// nothing else cannot leak.
#[derive(Clone, PartialEq, Eq)]
pub struct SafeView(String);

impl SafeView {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SafeView {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for SafeView {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Masks a message. Unknown fields are left out; bytes that are no message end the view.
pub(crate) fn safe_view(plans: &Plans, id: MessageId, wire: &[u8]) -> SafeView {
    let mut viewer = Viewer { plans, out: Vec::new() };
    let whole = viewer.message(id, wire, 0);
    let mut text = String::from_utf8_lossy(&viewer.out).into_owned();
    if text.len() > SAFE_VIEW_LIMIT {
        let end = (0..=SAFE_VIEW_LIMIT).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or_default());
    }
    match whole {
        Ok(()) => {}
        Err(Stop::Full) => text.push('…'),
        Err(Stop::Malformed) => text.push_str("[malformed]"),
    }
    SafeView(text)
}

enum Stop {
    Full,
    Malformed,
}

impl From<WireError> for Stop {
    fn from(_: WireError) -> Stop {
        Stop::Malformed
    }
}

struct Viewer<'a> {
    plans: &'a Plans,
    out: Vec<u8>,
}

impl Viewer<'_> {
    fn message(&mut self, id: MessageId, bytes: &[u8], depth: u32) -> Result<(), Stop> {
        if depth >= MAX_DEPTH {
            return Err(Stop::Malformed);
        }
        let plan = self.plans.message(id);
        match plan.well_known {
            None => self.members(id, bytes, depth),
            Some(WellKnown::Any) => self.mask("any"),
            Some(WellKnown::Struct | WellKnown::Value | WellKnown::ListValue) => {
                self.mask("struct")
            }
            Some(WellKnown::Wrapper) if plan.fields.iter().any(|f| f.kind == Kind::Bytes) => {
                self.mask("bytes")
            }
            Some(_) => {
                let mut text = Vec::new();
                let style = Style::Rest;
                write_message(&mut text, self.plans, id, bytes, style)
                    .map_err(|_| Stop::Malformed)?;
                self.write(&text)
            }
        }
    }

    fn members(&mut self, id: MessageId, bytes: &[u8], depth: u32) -> Result<(), Stop> {
        let plan = self.plans.message(id);
        let mut masked = HashSet::new();
        let mut reader = Reader::new(bytes);
        let mut separator: &[u8] = b"{";
        while !reader.is_empty() {
            let (number, wire_type) = reader.tag()?;
            let Some(index) = plan.index_of_number(number) else {
                reader.skip(number, wire_type)?;
                continue;
            };
            let field = &plan.fields[index];
            let mask = self.mask_of(field);
            if !fits(field, wire_type) || (mask.is_some() && !masked.insert(index)) {
                reader.skip(number, wire_type)?;
                continue;
            }
            self.write(separator)?;
            separator = b",";
            self.write(&field.rest_key[1..])?;
            match mask {
                Some(mask) => {
                    reader.skip(number, wire_type)?;
                    self.mask(mask)?;
                }
                None => self.field(field, wire_type, &mut reader, depth)?,
            }
        }
        self.write(if separator == b"{" { b"{}" } else { b"}" })
    }

    /// The marker of a field that must not be seen. It says nothing of length or count.
    fn mask_of(&self, field: &FieldPlan) -> Option<&'static str> {
        match (field.phi, field.shape, field.kind) {
            (Some(Phi::Secret), ..) => Some("secret"),
            (Some(_), ..) => Some("phi"),
            (None, Shape::Map, _) => Some("map"),
            (None, _, Kind::Bytes) => Some("bytes"),
            (None, _, Kind::Message(id)) => match self.plans.message(id).well_known {
                Some(WellKnown::Any) => Some("any"),
                Some(WellKnown::Struct | WellKnown::Value | WellKnown::ListValue) => Some("struct"),
                _ => None,
            },
            _ => None,
        }
    }

    fn field(
        &mut self,
        field: &FieldPlan,
        wire_type: u8,
        reader: &mut Reader<'_>,
        depth: u32,
    ) -> Result<(), Stop> {
        if !field.is_repeated() {
            return self.value(field, reader, depth);
        }
        self.write(b"[")?;
        if wire_type == LENGTH && field.kind.is_packable() {
            let mut packed = Reader::new(reader.length_delimited()?);
            self.elements(field, &mut packed, depth)?;
        } else {
            self.value(field, reader, depth)?;
            while let Some(mut next) = same_field(field, wire_type, reader)? {
                self.write(b",")?;
                self.value(field, &mut next, depth)?;
                *reader = next;
            }
        }
        self.write(b"]")
    }

    fn elements(
        &mut self,
        field: &FieldPlan,
        packed: &mut Reader<'_>,
        depth: u32,
    ) -> Result<(), Stop> {
        let mut separator: &[u8] = b"";
        while !packed.is_empty() {
            self.write(separator)?;
            separator = b",";
            self.value(field, packed, depth)?;
        }
        Ok(())
    }

    fn value(
        &mut self,
        field: &FieldPlan,
        reader: &mut Reader<'_>,
        depth: u32,
    ) -> Result<(), Stop> {
        match field.kind {
            Kind::Message(id) => self.message(id, reader.length_delimited()?, depth + 1),
            Kind::Group(id) => {
                let bytes = reader.payload(field.number, crate::wire::START_GROUP)?;
                self.message(id, bytes, depth + 1)
            }
            Kind::String | Kind::Decimal => {
                let bytes = reader.length_delimited()?;
                let shown = &bytes[..bytes.len().min(SAFE_VIEW_LIMIT)];
                let mut quoted = Vec::new();
                write_string(&mut quoted, &String::from_utf8_lossy(shown));
                self.write(&quoted)
            }
            _ => {
                let mut text = Vec::new();
                crate::wire_to_json::write_scalar(&mut text, self.plans, field, reader)
                    .map_err(|_| Stop::Malformed)?;
                self.write(if text.is_empty() { b"null" } else { &text })
            }
        }
    }

    fn mask(&mut self, what: &str) -> Result<(), Stop> {
        self.write(format!("\"[{what}]\"").as_bytes())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.out.extend_from_slice(bytes);
        if self.out.len() > SAFE_VIEW_LIMIT { Err(Stop::Full) } else { Ok(()) }
    }
}

/// The reader after the next tag, if that is of the same field again.
fn same_field<'a>(
    field: &FieldPlan,
    wire_type: u8,
    reader: &Reader<'a>,
) -> Result<Option<Reader<'a>>, WireError> {
    let mut next = *reader;
    if next.is_empty() || next.tag()? != (field.number, wire_type) {
        return Ok(None);
    }
    Ok(Some(next))
}
