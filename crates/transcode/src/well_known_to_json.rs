//! The messages of `google.protobuf` that have a JSON form of their own, out of the wire.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::json::write_string;
use crate::mask;
use crate::number::write_float;
use crate::plan::{MessagePlan, WellKnown};
use crate::time::{Instant, write_duration, write_timestamp};
use crate::wire::{FIXED64, LENGTH, MAX_DEPTH, Reader, VARINT, WireError, last, payloads};
use crate::wire_to_json::{Encoder, Halt, unprintable, utf8};

impl Encoder<'_> {
    pub(crate) fn well_known(
        &mut self,
        well_known: WellKnown,
        plan: &MessagePlan,
        bytes: &[u8],
        depth: u32,
    ) -> Result<(), Halt> {
        match well_known {
            WellKnown::Timestamp => write_timestamp(&mut self.out, instant(bytes)?)
                .ok_or_else(|| unprintable(&plan.full_name, "is outside of years 1 to 9999")),
            WellKnown::Duration => write_duration(&mut self.out, instant(bytes)?)
                .ok_or_else(|| unprintable(&plan.full_name, "is out of range")),
            WellKnown::FieldMask => self.field_mask(plan, bytes),
            WellKnown::Wrapper => self.wrapper(plan, bytes, depth),
            WellKnown::Struct => self.structure(bytes, depth),
            WellKnown::ListValue => self.list_value(bytes, depth),
            WellKnown::Value => self.any_value(bytes, depth),
            WellKnown::Any => self.any(plan, bytes, depth),
        }
    }

    fn field_mask(&mut self, plan: &MessagePlan, bytes: &[u8]) -> Result<(), Halt> {
        let mut paths = Vec::new();
        for payload in payloads(bytes, 1) {
            let path = mask::to_json(utf8(payload?)?, self.print.style);
            paths.push(path.ok_or_else(|| unprintable(&plan.full_name, "does not round-trip"))?);
        }
        write_string(&mut self.out, &paths.join(","));
        Ok(())
    }

    fn wrapper(&mut self, plan: &MessagePlan, bytes: &[u8], depth: u32) -> Result<(), Halt> {
        let field = plan.fields.first().expect("a wrapper has a value");
        let mut reader = Reader::new(bytes);
        let mut value = None;
        while !reader.is_empty() {
            let (number, wire_type) = reader.tag()?;
            if number == 1 && wire_type == field.kind.wire_type() {
                value = Some(reader);
            }
            reader.skip(number, wire_type)?;
        }
        match value {
            Some(mut reader) => self.value(field, &mut reader, depth).map(drop),
            None => self.zero(field),
        }
    }

    /// `google.protobuf.Struct`; of equal names the last counts.
    fn structure(&mut self, bytes: &[u8], depth: u32) -> Result<(), Halt> {
        let depth = deeper(depth)?;
        let mut members: Vec<(&str, Cow<'_, [u8]>)> = Vec::new();
        let mut places = HashMap::new();
        for entry in payloads(bytes, 1) {
            let entry = entry?;
            let name = utf8(last(entry, 1)?)?;
            let value = merged(entry, 2)?;
            let place = *places.entry(name).or_insert(members.len());
            match members.get_mut(place) {
                Some(member) => member.1 = value,
                None => members.push((name, value)),
            }
        }
        let start = self.out.len();
        for (name, value) in members {
            self.out.push(b',');
            write_string(&mut self.out, name);
            self.out.push(b':');
            self.any_value(&value, depth)?;
        }
        self.braces(start);
        Ok(())
    }

    fn list_value(&mut self, bytes: &[u8], depth: u32) -> Result<(), Halt> {
        let depth = deeper(depth)?;
        self.out.push(b'[');
        for (index, value) in payloads(bytes, 1).enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.any_value(value?, depth)?;
        }
        self.out.push(b']');
        Ok(())
    }

    /// `google.protobuf.Value`: the last member of its oneof; an unset one is `null`.
    fn any_value(&mut self, bytes: &[u8], depth: u32) -> Result<(), Halt> {
        let (number, payload) = chosen(bytes)?;
        let mut reader = Reader::new(&payload);
        match number {
            2 => {
                let value = f64::from_bits(reader.fixed64()?);
                if !value.is_finite() {
                    return Err(unprintable("google.protobuf.Value", "is not a finite number"));
                }
                write_float(&mut self.out, value);
            }
            3 => write_string(&mut self.out, utf8(&payload)?),
            4 => self.out.extend_from_slice(if reader.varint()? != 0 { b"true" } else { b"false" }),
            5 => self.structure(&payload, depth)?,
            6 => self.list_value(&payload, depth)?,
            _ => self.out.extend_from_slice(b"null"),
        }
        Ok(())
    }

    fn any(&mut self, plan: &MessagePlan, bytes: &[u8], depth: u32) -> Result<(), Halt> {
        let depth = deeper(depth)?;
        let url = utf8(last(bytes, 1)?)?;
        let value = last(bytes, 2)?;
        let start = self.out.len();
        if url.is_empty() && value.is_empty() {
            self.braces(start);
            return Ok(());
        }
        let plans = self.plans;
        let id = plans.by_type_url(url);
        let id = id.ok_or_else(|| unprintable(&plan.full_name, "holds an unknown message"))?;
        self.out.extend_from_slice(b",\"@type\":");
        write_string(&mut self.out, url);
        if plans.message(id).well_known.is_some() {
            self.out.extend_from_slice(b",\"value\":");
            self.message(id, value, depth)?;
        } else {
            self.members(plans.message(id), value, depth)?;
        }
        self.braces(start);
        Ok(())
    }
}

/// A message out of all its parts.
fn merged(bytes: &[u8], wanted: u32) -> Result<Cow<'_, [u8]>, WireError> {
    let mut whole = Cow::Borrowed(&[][..]);
    for payload in payloads(bytes, wanted) {
        join(&mut whole, payload?);
    }
    Ok(whole)
}

/// Protobuf merges messages by joining their bytes.
pub(crate) fn join<'a>(whole: &mut Cow<'a, [u8]>, part: &'a [u8]) {
    if whole.is_empty() {
        *whole = Cow::Borrowed(part);
    } else {
        whole.to_mut().extend_from_slice(part);
    }
}

/// Which member of a Value's oneof is set, 0 for none, and its payload.
fn chosen(bytes: &[u8]) -> Result<(u32, Cow<'_, [u8]>), WireError> {
    let mut reader = Reader::new(bytes);
    let mut chosen = (0, Cow::Borrowed(&[][..]));
    while !reader.is_empty() {
        let (number, wire_type) = reader.tag()?;
        let payload = reader.payload(number, wire_type)?;
        let fits =
            matches!((number, wire_type), (1 | 4, VARINT) | (2, FIXED64) | (3 | 5 | 6, LENGTH));
        if fits && number == chosen.0 && number >= 5 {
            join(&mut chosen.1, payload);
        } else if fits {
            chosen = (number, Cow::Borrowed(payload));
        }
    }
    Ok(chosen)
}

/// Seconds and nanoseconds, the last of each.
fn instant(bytes: &[u8]) -> Result<Instant, WireError> {
    let mut reader = Reader::new(bytes);
    let mut instant = (0, 0);
    while !reader.is_empty() {
        match reader.tag()? {
            (1, VARINT) => instant.0 = reader.varint()? as i64,
            (2, VARINT) => instant.1 = reader.varint()? as i32,
            (number, wire_type) => reader.skip(number, wire_type)?,
        }
    }
    Ok(instant)
}

fn deeper(depth: u32) -> Result<u32, WireError> {
    if depth >= MAX_DEPTH { Err(WireError::TooDeep) } else { Ok(depth + 1) }
}
