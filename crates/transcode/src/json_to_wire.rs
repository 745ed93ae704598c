//! JSON text to protobuf bytes, in one pass by plan.
//!
//! A client mostly sends the members of an object in the order of its fields. So the next
//! name is first compared with those of the next fields, and only then read and looked up.
//! Nested messages are written in place and their length is patched afterwards.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::fault::{Fault, Within, broken};
use crate::json::Scanner;
use crate::number::{enum_number, put_number};
use crate::plan::{
    EnumId, FieldPlan, Kind, MessageId, MessagePlan, Plans, Shape, Style, WellKnown,
};
use crate::seen::Seen;
use crate::text::{enum_by_name, put_text, put_well_known};
use crate::wire::{
    END_GROUP, LENGTH, close_length, close_length_of, open_length, open_length_of, put_sized,
    put_tag, put_varint,
};

type Result<T> = std::result::Result<T, Fault>;

/// How many of the next fields' names are compared before a name is looked up.
const PREDICTED: usize = 3;
/// How many of the next values of an enum are compared before a name is looked up.
const LIKELY: usize = 8;
/// How many levels of messages are told apart by their usual size.
const LEVELS: usize = 8;
/// How much of an unknown name an error repeats.
const NAME_SHOWN: usize = 64;

/// What happens to members that no field has, and to names that no enum value has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// An error that names the member.
    Reject,
    /// They are passed over.
    Ignore,
}

/// Appends the fields of the message that the text holds.
pub(crate) fn put_message(
    out: &mut Vec<u8>,
    plans: &Plans,
    id: MessageId,
    text: &str,
    style: Style,
    unknown: Unknown,
) -> Result<()> {
    let mut decoder = Decoder::new(out, plans, text, style, unknown);
    decoder.message(id, 0)?;
    decoder.scanner.end()
}

/// Appends one field, tag included, whose value is the whole text.
pub(crate) fn put_field(
    out: &mut Vec<u8>,
    plans: &Plans,
    field: &FieldPlan,
    text: &str,
    style: Style,
) -> Result<()> {
    let mut decoder = Decoder::new(out, plans, text, style, Unknown::Reject);
    if !decoder.is_absent(field)? {
        decoder.field(field, 0).within(&field.name)?;
    }
    decoder.scanner.end()
}

/// Appends one value of a field, tag included: of a list one element, of a map all entries.
pub(crate) fn put_element(
    out: &mut Vec<u8>,
    plans: &Plans,
    field: &FieldPlan,
    text: &str,
    style: Style,
) -> Result<()> {
    let mut decoder = Decoder::new(out, plans, text, style, Unknown::Reject);
    match field.shape {
        Shape::List { .. } => decoder.element(field, false, 0)?,
        _ if decoder.is_absent(field)? => {}
        _ => decoder.field(field, 0)?,
    }
    decoder.scanner.end()
}

pub(crate) struct Decoder<'a> {
    pub(crate) plans: &'a Plans,
    pub(crate) style: Style,
    unknown: Unknown,
    pub(crate) scanner: Scanner<'a>,
    pub(crate) out: &'a mut Vec<u8>,
    /// How many bytes the length of the last message needed, by level: the elements of a list are
    /// mostly of a size.
    widths: [u8; LEVELS],
}

impl<'a> Decoder<'a> {
    fn new(
        out: &'a mut Vec<u8>,
        plans: &'a Plans,
        text: &'a str,
        style: Style,
        unknown: Unknown,
    ) -> Self {
        let scanner = Scanner::new(text);
        Self { plans, style, unknown, scanner, out, widths: [1; LEVELS] }
    }

    pub(crate) fn message(&mut self, id: MessageId, depth: u32) -> Result<()> {
        let plans = self.plans;
        let plan = plans.message(id);
        match plan.well_known {
            None => {
                let depth = self.open(b'{', "must be an object", depth)?;
                self.members(plan, depth, false)
            }
            Some(WellKnown::Duration | WellKnown::FieldMask | WellKnown::Timestamp) => {
                let text = self.string("must be a string")?;
                put_well_known(self.out, plans, self.style, id, &text)
            }
            Some(WellKnown::Wrapper) => self.wrapper(plan, depth),
            Some(WellKnown::Struct) => self.structure(depth),
            Some(WellKnown::ListValue) => self.list_value(depth),
            Some(WellKnown::Value) => self.any_value(depth),
            Some(WellKnown::Any) => self.any(depth),
        }
    }

    /// The members of an object whose brace is open. In an Any, `@type` is no field.
    pub(crate) fn members(
        &mut self,
        plan: &'a MessagePlan,
        depth: u32,
        in_any: bool,
    ) -> Result<()> {
        let (mut seen, mut oneofs) = (Seen::default(), Seen::default());
        let mut next = 0;
        if self.scanner.accept(b'}') {
            return Ok(());
        }
        loop {
            if let Some(index) = self.member_index(plan, next, in_any, depth)? {
                let field = &plan.fields[index];
                next = index + 1;
                if !seen.insert(index) {
                    return Err(broken("is there twice")).within(&field.name);
                }
                if !self.is_absent(field)? {
                    if field.oneof.is_some_and(|oneof| !oneofs.insert(oneof.into())) {
                        return Err(broken("excludes another field that is also there"))
                            .within(&field.name);
                    }
                    self.field(field, depth).within(&field.name)?;
                }
            }
            if !self.scanner.another(b'}')? {
                return Ok(());
            }
        }
    }

    /// The field that the next name means; none if the member was passed over.
    #[inline]
    fn member_index(
        &mut self,
        plan: &MessagePlan,
        next: usize,
        in_any: bool,
        depth: u32,
    ) -> Result<Option<usize>> {
        self.scanner.peek();
        for (ahead, field) in plan.fields.iter().skip(next).take(PREDICTED).enumerate() {
            if self.scanner.accept_bytes(&field.key(self.style)[1..]) {
                return Ok(Some(next + ahead));
            }
        }
        let name = self.scanner.name()?;
        match plan.index_of_name(&name) {
            Some(index) => Ok(Some(index)),
            None => self.unknown_member(&name, in_any, depth).map(|()| None),
        }
    }

    pub(crate) fn unknown_member(&mut self, name: &str, in_any: bool, depth: u32) -> Result<()> {
        if self.unknown == Unknown::Ignore || (in_any && name == "@type") {
            return self.scanner.skip_value(depth);
        }
        let shown: String = name.chars().take(NAME_SHOWN).collect();
        Err(broken("is not a known field")).within(&shown)
    }

    /// Whether the value is a `null` that means absence; it is passed over.
    #[inline]
    fn is_absent(&mut self, field: &FieldPlan) -> Result<bool> {
        if self.scanner.peek() != Some(b'n') {
            return Ok(false);
        }
        if !field.is_repeated() && self.plans.null_is_value(field.kind) {
            return Ok(false);
        }
        self.scanner.word("null").map(|()| true)
    }

    #[inline]
    fn field(&mut self, field: &FieldPlan, depth: u32) -> Result<()> {
        match field.shape {
            Shape::Implicit | Shape::Explicit => self.tagged(field, depth),
            Shape::List { packed } => self.list(field, packed, depth),
            Shape::Map => self.map(field, depth),
        }
    }

    /// One value with its tag; nothing if the value is to be ignored.
    #[inline]
    pub(crate) fn tagged(&mut self, field: &FieldPlan, depth: u32) -> Result<()> {
        let start = self.out.len();
        put_tag(self.out, field.number, field.kind.wire_type());
        if !self.value(field.kind, depth)? {
            self.out.truncate(start);
        } else if let Kind::Group(_) = field.kind {
            put_tag(self.out, field.number, END_GROUP);
        }
        Ok(())
    }

    fn list(&mut self, field: &FieldPlan, packed: bool, depth: u32) -> Result<()> {
        let depth = self.open(b'[', "must be a list", depth)?;
        if self.scanner.accept(b']') {
            return Ok(());
        }
        let start = packed.then(|| {
            put_tag(self.out, field.number, LENGTH);
            open_length(self.out)
        });
        for index in 0.. {
            self.element(field, packed, depth).at(index)?;
            if !self.scanner.another(b']')? {
                break;
            }
        }
        if let Some(start) = start {
            close_length(self.out, start);
        }
        Ok(())
    }

    fn element(&mut self, field: &FieldPlan, packed: bool, depth: u32) -> Result<()> {
        if self.scanner.peek() == Some(b'n') && !self.plans.null_is_value(field.kind) {
            return Err(broken("must not be null"));
        }
        if packed { self.value(field.kind, depth).map(drop) } else { self.tagged(field, depth) }
    }

    fn map(&mut self, field: &FieldPlan, depth: u32) -> Result<()> {
        let depth = self.open(b'{', "must be an object", depth)?;
        let Some((key, value)) = field.entry(self.plans) else {
            return Err(broken("is not a map"));
        };
        let mut keys = HashSet::new();
        if self.scanner.accept(b'}') {
            return Ok(());
        }
        loop {
            self.entry(field, key, value, &mut keys, depth).within("[]")?;
            if !self.scanner.another(b'}')? {
                return Ok(());
            }
        }
    }

    fn entry(
        &mut self,
        field: &FieldPlan,
        key: &FieldPlan,
        value: &FieldPlan,
        keys: &mut HashSet<Vec<u8>>,
        depth: u32,
    ) -> Result<()> {
        let name = self.scanner.name()?;
        let before = self.out.len();
        put_tag(self.out, field.number, LENGTH);
        let start = open_length(self.out);
        put_tag(self.out, 1, key.kind.wire_type());
        put_text(self.out, self.plans, self.style, key.kind, &name)?;
        if !keys.insert(self.out[start..].to_vec()) {
            return Err(broken("must not have a key twice"));
        }
        if self.scanner.peek() == Some(b'n') && !self.plans.null_is_value(value.kind) {
            return Err(broken("must not be null"));
        }
        put_tag(self.out, 2, value.kind.wire_type());
        if self.value(value.kind, depth)? {
            close_length(self.out, start);
        } else {
            self.out.truncate(before);
        }
        Ok(())
    }

    /// A value without its tag. False if it is an unknown enum name that is to be ignored.
    #[inline]
    fn value(&mut self, kind: Kind, depth: u32) -> Result<bool> {
        match kind {
            Kind::String => match self.scanner.plain_string() {
                Some(text) => put_sized(self.out, text.as_bytes()),
                None => {
                    let text = self.string("must be a string")?;
                    put_sized(self.out, text.as_bytes());
                }
            },
            Kind::Decimal => self.decimal()?,
            Kind::Bytes => {
                let text = self.string("must be a string of base64")?;
                put_text(self.out, self.plans, self.style, kind, &text)?;
            }
            Kind::Bool => self.boolean()?,
            Kind::Enum(_) => return self.enumeration(kind),
            Kind::Message(id) => {
                let level = LEVELS.min(depth as usize + 1) - 1;
                let width = self.widths[level].into();
                let start = open_length_of(self.out, width);
                self.message(id, depth)?;
                self.widths[level] = close_length_of(self.out, start, width) as u8;
            }
            Kind::Group(id) => self.message(id, depth)?,
            _ => self.number(kind)?,
        }
        Ok(true)
    }

    fn number(&mut self, kind: Kind) -> Result<()> {
        match self.scanner.peek() {
            Some(b'"') => {
                let text = self.scanner.string()?;
                put_number(self.out, kind, &text)
            }
            Some(b'-' | b'0'..=b'9') => put_number(self.out, kind, self.scanner.number()?),
            _ => Err(self.wrong("must be a number")),
        }
    }

    /// A number is kept as it is written; in canonical JSON only a string will do.
    fn decimal(&mut self) -> Result<()> {
        let text = match self.scanner.peek() {
            Some(b'-' | b'0'..=b'9') if self.style == Style::Rest => {
                Cow::Borrowed(self.scanner.number()?)
            }
            _ if self.style == Style::Rest => self.string("must be a number")?,
            _ => self.string("must be a string")?,
        };
        put_sized(self.out, text.as_bytes());
        Ok(())
    }

    pub(crate) fn boolean(&mut self) -> Result<()> {
        let value = match self.scanner.peek() {
            Some(b't') => self.scanner.word("true").map(|()| 1)?,
            Some(b'f') => self.scanner.word("false").map(|()| 0)?,
            _ => return Err(self.wrong("must be true or false")),
        };
        self.out.push(value);
        Ok(())
    }

    fn enumeration(&mut self, kind: Kind) -> Result<bool> {
        let Kind::Enum(id) = kind else { return Ok(false) };
        let number = match self.scanner.peek() {
            Some(b'"') => {
                if let Some(number) = self.likely_value(id) {
                    put_varint(self.out, i64::from(number) as u64);
                    return Ok(true);
                }
                let name = self.scanner.string()?;
                match enum_by_name(self.plans, self.style, id, &name) {
                    Err(_) if self.unknown == Unknown::Ignore => return Ok(false),
                    found => found?,
                }
            }
            Some(b'-' | b'0'..=b'9') => enum_number(self.scanner.number()?)?,
            Some(b'n') if self.plans.enumeration(id).is_null => {
                self.scanner.word("null").map(|()| 0)?
            }
            _ => return Err(self.wrong("must be the name of an enum value")),
        };
        put_varint(self.out, i64::from(number) as u64);
        Ok(true)
    }

    /// The value that is next by its own name, if it is one of the first.
    fn likely_value(&mut self, id: EnumId) -> Option<i32> {
        let values = self.plans.enumeration(id).values.iter().take(LIKELY);
        let mut values = values.map(|it| (it.number, it.quoted(self.style)));
        values.find(|(_, name)| self.scanner.accept_bytes(name)).map(|(number, _)| number)
    }

    pub(crate) fn string(&mut self, rule: &'static str) -> Result<Cow<'a, str>> {
        if self.scanner.peek() == Some(b'"') {
            self.scanner.string()
        } else {
            Err(self.wrong(rule))
        }
    }

    pub(crate) fn open(&mut self, bracket: u8, rule: &'static str, depth: u32) -> Result<u32> {
        if !self.scanner.accept(bracket) {
            return Err(self.wrong(rule));
        }
        self.scanner.deeper(depth)
    }

    /// A value of another type breaks a rule; what is no value at all is no JSON.
    #[cold]
    fn wrong(&mut self, rule: &'static str) -> Fault {
        match self.scanner.clone().skip_value(0) {
            Ok(()) => broken(rule),
            Err(fault) => fault,
        }
    }
}
