//! Plans: what the codecs know of each message and enum, compiled once and never changed.
//!
//! Plans refer to each other by index, so that messages may contain themselves.

use std::collections::HashMap;

use crate::verbatim::Verbatim;
use crate::wire;

/// How JSON spells what protobuf leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// proto3 JSON: lowerCamelCase names, enum names as declared, defaults omitted.
    Canonical,
    /// The platform's REST JSON: names as declared or as `json_name` gives them, enum values in lower case without their
    /// type's prefix; lists, numbers and bools always there; decimals as numbers.
    Rest,
}

/// What kind of protected data a field holds (`loop.options.v1.phi`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phi {
    Identifier,
    Contact,
    Demographic,
    Clinical,
    FreeText,
    Secret,
}

/// Every message and enum of a descriptor pool.
#[derive(Debug, Default)]
pub(crate) struct Plans {
    pub(crate) messages: Vec<MessagePlan>,
    pub(crate) enums: Vec<EnumPlan>,
    pub(crate) message_ids: HashMap<Box<str>, MessageId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MessageId(pub(crate) u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EnumId(pub(crate) u32);

#[derive(Debug)]
pub(crate) struct MessagePlan {
    pub(crate) full_name: Box<str>,
    pub(crate) well_known: Option<WellKnown>,
    /// Ascending by number.
    pub(crate) fields: Box<[FieldPlan]>,
    /// Index + 1 of the field with this number, 0 for none; only small numbers are here.
    pub(crate) small_numbers: Box<[u16]>,
    /// Declared and JSON names, sorted.
    pub(crate) names: Box<[(Box<str>, u16)]>,
    /// Fields without presence, ascending.
    pub(crate) without_presence: Box<[u16]>,
    /// Those that are lists, maps, numbers and bools: [`Style::Rest`] writes them even when absent.
    pub(crate) countable: Box<[u16]>,
}

#[derive(Debug)]
pub(crate) struct FieldPlan {
    pub(crate) number: u32,
    pub(crate) kind: Kind,
    pub(crate) shape: Shape,
    /// [`Kind::wire_type`] of the kind.
    pub(crate) wire_type: u8,
    /// The oneof it belongs to, counted within the message; none for a synthetic one.
    pub(crate) oneof: Option<u16>,
    pub(crate) name: Box<str>,
    pub(crate) json_name: Box<str>,
    pub(crate) phi: Option<Phi>,
    /// `,"jsonName":`
    pub(crate) canonical_key: Verbatim,
    /// `,"declared_name":`, or the `json_name` that the contract gives.
    pub(crate) rest_key: Verbatim,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Absent and zero are the same.
    Implicit,
    /// Absent differs from zero.
    Explicit,
    List {
        packed: bool,
    },
    /// The kind is the entry: a message with key 1 and value 2.
    Map,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    String,
    /// A string that [`Style::Rest`] shows as a number (`loop.options.v1.decimal`).
    Decimal,
    Bytes,
    Enum(EnumId),
    Message(MessageId),
    Group(MessageId),
}

/// Messages whose JSON is not an object of their fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WellKnown {
    Any,
    Duration,
    FieldMask,
    ListValue,
    Struct,
    Timestamp,
    Value,
    /// A wrapper, such as `StringValue`: JSON is that of its field 1.
    Wrapper,
}

#[derive(Debug)]
pub(crate) struct EnumPlan {
    /// `google.protobuf.NullValue`, whose JSON is `null`.
    pub(crate) is_null: bool,
    /// Closed enums (proto2) do not hold numbers that they do not declare.
    pub(crate) closed: bool,
    /// Ascending by number; of aliases the first declared.
    pub(crate) values: Box<[EnumValuePlan]>,
    /// Declared names, sorted.
    pub(crate) canonical_names: Box<[(Box<str>, i32)]>,
    /// REST spellings, sorted.
    pub(crate) rest_names: Box<[(Box<str>, i32)]>,
}

#[derive(Debug)]
pub(crate) struct EnumValuePlan {
    pub(crate) number: i32,
    /// `"NAME"`
    pub(crate) canonical: Verbatim,
    /// `"name"`
    pub(crate) rest: Verbatim,
}

impl Plans {
    pub(crate) fn message(&self, id: MessageId) -> &MessagePlan {
        &self.messages[id.0 as usize]
    }

    pub(crate) fn enumeration(&self, id: EnumId) -> &EnumPlan {
        &self.enums[id.0 as usize]
    }

    /// The message that a type URL such as `type.googleapis.com/google.rpc.Help` names.
    pub(crate) fn by_type_url(&self, url: &str) -> Option<MessageId> {
        let (_, name) = url.rsplit_once('/')?;
        self.message_ids.get(name).copied()
    }

    pub(crate) fn is_http_body(&self, id: MessageId) -> bool {
        &*self.message(id).full_name == "google.api.HttpBody"
    }

    /// Whether JSON `null` is a value of this kind and not its absence.
    pub(crate) fn null_is_value(&self, kind: Kind) -> bool {
        match kind {
            Kind::Enum(id) => self.enumeration(id).is_null,
            Kind::Message(id) => self.message(id).well_known == Some(WellKnown::Value),
            _ => false,
        }
    }
}

impl MessagePlan {
    #[inline]
    pub(crate) fn index_of_number(&self, number: u32) -> Option<usize> {
        match self.small_numbers.get(number as usize) {
            Some(&index) => usize::from(index).checked_sub(1),
            None => self.fields.binary_search_by_key(&number, |field| field.number).ok(),
        }
    }

    /// Finds a field by its declared name or its JSON name.
    pub(crate) fn index_of_name(&self, name: &str) -> Option<usize> {
        let at = self.names.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
        Some(usize::from(self.names[at].1))
    }

    /// A field that is known to exist, such as the key of a map entry.
    pub(crate) fn field_by_number(&self, number: u32) -> Option<&FieldPlan> {
        self.index_of_number(number).map(|index| &self.fields[index])
    }
}

impl FieldPlan {
    #[inline]
    pub(crate) fn key(&self, style: Style) -> &Verbatim {
        match style {
            Style::Canonical => &self.canonical_key,
            Style::Rest => &self.rest_key,
        }
    }

    pub(crate) fn is_repeated(&self) -> bool {
        matches!(self.shape, Shape::List { .. } | Shape::Map)
    }

    /// The key and the value of a map's entries.
    pub(crate) fn entry<'p>(&self, plans: &'p Plans) -> Option<(&'p FieldPlan, &'p FieldPlan)> {
        let entry = plans.message(self.kind.message().filter(|_| self.shape == Shape::Map)?);
        Some((entry.field_by_number(1)?, entry.field_by_number(2)?))
    }

    /// What stands for the field in [`Style::Rest`] when it is absent and must be written.
    pub(crate) fn empty(&self) -> &'static [u8] {
        match (self.shape, self.kind) {
            (Shape::Map, _) => b"{}",
            (Shape::List { .. }, _) => b"[]",
            (_, Kind::Bool) => b"false",
            (_, kind) if kind.is_quoted_number() => b"\"0\"",
            _ => b"0",
        }
    }
}

impl Kind {
    #[inline]
    pub(crate) fn wire_type(self) -> u8 {
        match self {
            Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => wire::FIXED64,
            Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => wire::FIXED32,
            Kind::String | Kind::Decimal | Kind::Bytes | Kind::Message(_) => wire::LENGTH,
            Kind::Group(_) => wire::START_GROUP,
            _ => wire::VARINT,
        }
    }

    /// Numbers, bools and enums may share one length-delimited field.
    #[inline]
    pub(crate) fn is_packable(self) -> bool {
        !matches!(self.wire_type(), wire::LENGTH | wire::START_GROUP)
    }

    /// 64-bit integers are strings in JSON: JavaScript would round them.
    pub(crate) fn is_quoted_number(self) -> bool {
        use Kind::*;
        matches!(self, Int64 | Uint64 | Sint64 | Fixed64 | Sfixed64)
    }

    pub(crate) fn is_number_or_bool(self) -> bool {
        self.is_packable() && !matches!(self, Kind::Enum(_))
    }

    pub(crate) fn message(self) -> Option<MessageId> {
        match self {
            Kind::Message(id) | Kind::Group(id) => Some(id),
            _ => None,
        }
    }
}

impl EnumPlan {
    pub(crate) fn value(&self, number: i32) -> Option<&EnumValuePlan> {
        let at = match self.values.get(usize::try_from(number).unwrap_or(usize::MAX)) {
            Some(value) if value.number == number => return Some(value),
            _ => self.values.binary_search_by_key(&number, |value| value.number).ok()?,
        };
        Some(&self.values[at])
    }

    /// The number of a name: as declared, and in [`Style::Rest`] also in its spelling.
    pub(crate) fn number(&self, name: &str, style: Style) -> Option<i32> {
        let find = |names: &[(Box<str>, i32)]| {
            let at = names.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
            Some(names[at].1)
        };
        match style {
            Style::Canonical => find(&self.canonical_names),
            Style::Rest => find(&self.rest_names).or_else(|| find(&self.canonical_names)),
        }
    }
}

impl EnumValuePlan {
    pub(crate) fn quoted(&self, style: Style) -> &Verbatim {
        match style {
            Style::Canonical => &self.canonical,
            Style::Rest => &self.rest,
        }
    }
}
