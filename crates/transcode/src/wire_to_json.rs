//! Protobuf bytes to JSON text, in one pass by plan.
//!
//! The pass holds while fields come in normal order (see [`crate::normal`]), as every
//! mainstream encoder writes them. Where they do not, the text is begun again in a second
//! mode that looks at each message first and puts it in order.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::json::write_utf8;
use crate::normal::{Order, fits, is_normal, normalise};
use crate::number::{from_zigzag, is_interoperable, write_float, write_integer, write_quoted};
use crate::plan::{FieldPlan, Kind, MessageId, MessagePlan, Plans, Shape, Style};
use crate::print::PrintOptions;
use crate::wire::{LENGTH, MAX_DEPTH, Reader, WireError};

/// Why a message cannot be shown as JSON: the service's fault, not the client's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    #[error(transparent)]
    Malformed(#[from] WireError),
    /// A value that its type allows on the wire and not in JSON.
    #[error("{message} {rule}")]
    Unprintable { message: String, rule: &'static str },
}

/// Appends the JSON of a message. On an error the text is incomplete.
pub(crate) fn write_message(
    out: &mut Vec<u8>,
    plans: &Plans,
    id: MessageId,
    bytes: &[u8],
    print: impl Into<PrintOptions>,
) -> Result<(), ResponseError> {
    write_with(out, plans, print.into(), |encoder| encoder.message(id, bytes, 0))
}

/// Appends the JSON of one field: all that `bytes`, a whole message, holds of it. Absent, it
/// is `null`, or what [`Style::Rest`] writes for it.
pub(crate) fn write_field(
    out: &mut Vec<u8>,
    plans: &Plans,
    field: &FieldPlan,
    bytes: &[u8],
    print: PrintOptions,
) -> Result<(), ResponseError> {
    write_with(out, plans, print, |encoder| encoder.only_field(field, bytes))
}

/// Appends the JSON of one number, bool or enum value.
pub(crate) fn write_scalar(
    out: &mut Vec<u8>,
    plans: &Plans,
    field: &FieldPlan,
    reader: &mut Reader<'_>,
) -> Result<(), ResponseError> {
    write_with(out, plans, Style::Rest.into(), |encoder| {
        encoder.value(field, &mut reader.clone(), 0).map(drop)
    })?;
    reader.skip(field.number, field.kind.wire_type())?;
    Ok(())
}

fn write_with(
    out: &mut Vec<u8>,
    plans: &Plans,
    print: PrintOptions,
    write: impl Fn(&mut Encoder<'_>) -> Result<(), Halt>,
) -> Result<(), ResponseError> {
    let start = out.len();
    for careful in [false, true] {
        out.truncate(start);
        let mut encoder = Encoder { plans, print, out: std::mem::take(out), careful };
        let written = write(&mut encoder);
        *out = encoder.out;
        match written {
            Ok(()) => return Ok(()),
            Err(Halt::Disorder) => {}
            Err(Halt::Error(error)) => return Err(*error),
        }
    }
    unreachable!("the second mode puts each message in order")
}

/// Why a pass ends early.
pub(crate) enum Halt {
    /// The fields are not in normal order.
    Disorder,
    /// Boxed, because results on the fast path should be small.
    Error(Box<ResponseError>),
}

impl From<WireError> for Halt {
    fn from(error: WireError) -> Halt {
        Halt::Error(Box::new(error.into()))
    }
}

pub(crate) struct Encoder<'a> {
    pub(crate) plans: &'a Plans,
    pub(crate) print: PrintOptions,
    pub(crate) out: Vec<u8>,
    /// Whether each message is looked at before it is written.
    careful: bool,
}

impl<'a> Encoder<'a> {
    pub(crate) fn message(&mut self, id: MessageId, bytes: &[u8], depth: u32) -> Result<(), Halt> {
        if depth >= MAX_DEPTH {
            return Err(WireError::TooDeep.into());
        }
        let plans = self.plans;
        let plan = plans.message(id);
        if let Some(well_known) = plan.well_known {
            return self.well_known(well_known, plan, bytes, depth);
        }
        let start = self.out.len();
        self.members(plan, bytes, depth)?;
        self.braces(start);
        Ok(())
    }

    /// Turns `,"a":1,"b":2` into an object: the first comma becomes the brace.
    pub(crate) fn braces(&mut self, start: usize) {
        if self.out.len() == start {
            self.out.push(b'{');
        } else {
            self.out[start] = b'{';
        }
        self.out.push(b'}');
    }

    /// Writes the members of an object, each with a comma before it.
    pub(crate) fn members(
        &mut self,
        plan: &MessagePlan,
        bytes: &[u8],
        depth: u32,
    ) -> Result<(), Halt> {
        if self.careful && !is_normal(plan, bytes)? {
            let normal = normalise(self.plans, plan, bytes)?;
            return self.ordered_members(plan, &normal, depth);
        }
        self.ordered_members(plan, bytes, depth)
    }

    fn ordered_members(
        &mut self,
        plan: &MessagePlan,
        bytes: &[u8],
        depth: u32,
    ) -> Result<(), Halt> {
        let mut reader = Reader::new(bytes);
        let mut order = Order::default();
        let mut always = self.print.always(plan);
        while !reader.is_empty() {
            let (number, wire_type) = reader.tag()?;
            let Some(index) = plan.index_of_number(number) else {
                reader.skip(number, wire_type)?;
                continue;
            };
            let field = &plan.fields[index];
            if !fits(field, wire_type) {
                reader.skip(number, wire_type)?;
                continue;
            }
            if !order.accepts(index, field) {
                return Err(Halt::Disorder);
            }
            while let Some((&absent, rest)) = always.split_first()
                && usize::from(absent) <= index
            {
                always = rest;
                if usize::from(absent) < index {
                    self.absent(&plan.fields[usize::from(absent)])?;
                }
            }
            self.field(field, wire_type, &mut reader, depth)?;
        }
        for &absent in always {
            self.absent(&plan.fields[usize::from(absent)])?;
        }
        Ok(())
    }

    fn absent(&mut self, field: &FieldPlan) -> Result<(), Halt> {
        if self.print.has_no_zero(field) {
            return Ok(());
        }
        field.key(self.print.style).put(&mut self.out);
        if field.is_repeated() {
            self.out.extend_from_slice(field.empty());
            return Ok(());
        }
        self.zero(field)
    }

    #[inline]
    fn field(
        &mut self,
        field: &FieldPlan,
        wire_type: u8,
        reader: &mut Reader<'_>,
        depth: u32,
    ) -> Result<(), Halt> {
        let start = self.out.len();
        let key = field.key(self.print.style);
        key.put(&mut self.out);
        let is_default = self.field_value(field, wire_type, reader, depth)?;
        // A closed enum's undeclared number is unknown to the message, default or not.
        let undeclared = self.out.len() == start + key.len();
        if is_default && (undeclared || self.print.omits(field)) {
            self.out.truncate(start);
        }
        Ok(())
    }

    /// The value after the key; tells whether it is zero or empty.
    #[inline]
    fn field_value(
        &mut self,
        field: &FieldPlan,
        wire_type: u8,
        reader: &mut Reader<'_>,
        depth: u32,
    ) -> Result<bool, Halt> {
        match field.shape {
            Shape::Implicit | Shape::Explicit => self.value(field, reader, depth),
            Shape::List { .. } => self.list(field, wire_type, reader, depth),
            Shape::Map => self.map(field, reader, depth),
        }
    }

    /// The elements of a list, as far as they follow each other.
    fn list(
        &mut self,
        field: &FieldPlan,
        mut wire_type: u8,
        reader: &mut Reader<'_>,
        depth: u32,
    ) -> Result<bool, Halt> {
        self.out.push(b'[');
        let start = self.out.len();
        loop {
            if wire_type == LENGTH && field.kind.is_packable() {
                let mut packed = Reader::new(reader.length_delimited()?);
                while !packed.is_empty() {
                    self.element(field, &mut packed, depth)?;
                }
            } else {
                self.element(field, reader, depth)?;
            }
            match next_of(field, reader)? {
                Some(next) => wire_type = next,
                None => break,
            }
        }
        let is_empty = self.out.len() == start;
        if !is_empty {
            self.out.pop();
        }
        self.out.push(b']');
        Ok(is_empty)
    }

    /// An element and a comma after it.
    #[inline]
    fn element(
        &mut self,
        field: &FieldPlan,
        reader: &mut Reader<'_>,
        depth: u32,
    ) -> Result<(), Halt> {
        let start = self.out.len();
        self.value(field, reader, depth)?;
        if self.out.len() > start {
            self.out.push(b',');
        }
        Ok(())
    }

    /// What an absent value of a map entry or a wrapper is.
    pub(crate) fn zero(&mut self, field: &FieldPlan) -> Result<(), Halt> {
        match field.kind {
            Kind::Enum(_) => self.value(field, &mut Reader::new(&[0]), 0).map(drop),
            Kind::String | Kind::Decimal | Kind::Bytes => {
                self.out.extend_from_slice(b"\"\"");
                Ok(())
            }
            _ => {
                self.out.extend_from_slice(field.empty());
                Ok(())
            }
        }
    }

    /// One value after its tag; tells whether it is zero or empty. Writes nothing for a number
    /// that a closed enum does not declare.
    #[inline]
    pub(crate) fn value(
        &mut self,
        field: &FieldPlan,
        reader: &mut Reader<'_>,
        depth: u32,
    ) -> Result<bool, Halt> {
        match field.kind {
            Kind::String => self.string(reader.length_delimited()?),
            Kind::Message(id) => {
                self.message(id, reader.length_delimited()?, depth + 1)?;
                Ok(false)
            }
            Kind::Group(id) => {
                let bytes = reader.payload(field.number, crate::wire::START_GROUP)?;
                self.message(id, bytes, depth + 1)?;
                Ok(false)
            }
            Kind::Enum(id) => self.enumeration(id, reader.varint()? as i32),
            Kind::Decimal => self.decimal(reader.length_delimited()?),
            Kind::Bytes => {
                let bytes = reader.length_delimited()?;
                self.bytes(bytes);
                Ok(bytes.is_empty())
            }
            Kind::Double => {
                let bits = reader.fixed64()?;
                write_float(&mut self.out, f64::from_bits(bits));
                Ok(bits == 0)
            }
            Kind::Float => {
                let bits = reader.fixed32()?;
                write_float(&mut self.out, f32::from_bits(bits));
                Ok(bits == 0)
            }
            Kind::Bool => {
                let value = reader.varint()? != 0;
                self.out.extend_from_slice(if value { b"true" } else { b"false" });
                Ok(!value)
            }
            Kind::Fixed32 => Ok(self.integer(reader.fixed32()?.into())),
            Kind::Sfixed32 => Ok(self.integer((reader.fixed32()? as i32).into())),
            Kind::Int32 => Ok(self.integer((reader.varint()? as i32).into())),
            Kind::Uint32 => Ok(self.integer((reader.varint()? as u32).into())),
            Kind::Sint32 => Ok(self.integer(from_zigzag((reader.varint()? as u32).into()))),
            Kind::Fixed64 => Ok(self.unsigned(reader.fixed64()?)),
            Kind::Uint64 => Ok(self.unsigned(reader.varint()?)),
            Kind::Sfixed64 => Ok(self.signed(reader.fixed64()? as i64)),
            Kind::Int64 => Ok(self.signed(reader.varint()? as i64)),
            Kind::Sint64 => Ok(self.signed(from_zigzag(reader.varint()?))),
        }
    }

    fn integer(&mut self, value: i64) -> bool {
        write_integer(&mut self.out, value);
        value == 0
    }

    fn unsigned(&mut self, value: u64) -> bool {
        write_quoted(&mut self.out, value);
        value == 0
    }

    fn signed(&mut self, value: i64) -> bool {
        write_quoted(&mut self.out, value);
        value == 0
    }

    #[inline]
    fn string(&mut self, bytes: &[u8]) -> Result<bool, Halt> {
        match write_utf8(&mut self.out, bytes) {
            true => Ok(bytes.is_empty()),
            false => Err(WireError::NotUtf8.into()),
        }
    }

    /// A number in REST if it is one that clients can read, with every digit as the service
    /// wrote it.
    fn decimal(&mut self, bytes: &[u8]) -> Result<bool, Halt> {
        if self.print.style == Style::Rest && is_interoperable(bytes) {
            self.out.extend_from_slice(bytes);
            return Ok(false);
        }
        self.string(bytes)
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.out.push(b'"');
        let start = self.out.len();
        self.out.resize(start + bytes.len().div_ceil(3) * 4, 0);
        let written = STANDARD.encode_slice(bytes, &mut self.out[start..]).unwrap_or_default();
        self.out.truncate(start + written);
        self.out.push(b'"');
    }

    fn enumeration(&mut self, id: crate::plan::EnumId, number: i32) -> Result<bool, Halt> {
        let plan = self.plans.enumeration(id);
        if plan.is_null {
            self.out.extend_from_slice(b"null");
        } else if let Some(value) = plan.value(number) {
            match self.print.quoted(value) {
                Some(quoted) => quoted.put(&mut self.out),
                None => write_integer(&mut self.out, number),
            }
        } else if plan.closed {
            return Ok(true);
        } else {
            write_integer(&mut self.out, number);
        }
        Ok(number == 0)
    }

    fn only_field(&mut self, field: &FieldPlan, bytes: &[u8]) -> Result<(), Halt> {
        let mut reader = Reader::new(bytes);
        let mut content = Vec::new();
        while !reader.is_empty() {
            let before = reader.rest();
            let (number, wire_type) = reader.tag()?;
            reader.skip(number, wire_type)?;
            if number == field.number && fits(field, wire_type) {
                content.push(&before[..before.len() - reader.rest().len()]);
            }
        }
        let content = match (content.as_slice(), field.is_repeated(), field.kind) {
            ([], true, _) => {
                self.out.extend_from_slice(field.empty());
                return Ok(());
            }
            ([], false, Kind::Message(_) | Kind::Group(_)) => {
                self.out.extend_from_slice(b"null");
                return Ok(());
            }
            ([], false, _) => return self.zero(field),
            (_, false, Kind::Message(id)) => return self.merged(id, &content),
            ([.., last], false, _) => last.to_vec(),
            (all, true, _) => all.concat(),
        };
        let mut reader = Reader::new(&content);
        let (_, wire_type) = reader.tag()?;
        self.field_value(field, wire_type, &mut reader, 0).map(drop)
    }

    /// One message of all its parts: protobuf merges by joining.
    fn merged(&mut self, id: MessageId, parts: &[&[u8]]) -> Result<(), Halt> {
        let mut payloads = Vec::with_capacity(parts.len());
        for part in parts {
            let mut reader = Reader::new(part);
            reader.tag()?;
            payloads.push(reader.length_delimited()?);
        }
        match payloads.as_slice() {
            [only] => self.message(id, only, 1),
            _ => self.message(id, &payloads.concat(), 1),
        }
    }
}

/// The wire type of the next field if it is the same field; then its tag is passed over.
#[inline]
pub(crate) fn next_of(field: &FieldPlan, reader: &mut Reader<'_>) -> Result<Option<u8>, WireError> {
    if reader.is_empty() {
        return Ok(None);
    }
    let mut ahead = *reader;
    let (number, wire_type) = ahead.tag()?;
    if number != field.number || !fits(field, wire_type) {
        return Ok(None);
    }
    *reader = ahead;
    Ok(Some(wire_type))
}

#[inline]
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, WireError> {
    std::str::from_utf8(bytes).map_err(|_| WireError::NotUtf8)
}

#[cold]
pub(crate) fn unprintable(message: &str, rule: &'static str) -> Halt {
    Halt::Error(Box::new(ResponseError::Unprintable { message: message.to_owned(), rule }))
}
