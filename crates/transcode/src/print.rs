//! What an answer's JSON may differ in: names, absent values and enums.

use crate::plan::{EnumValuePlan, FieldPlan, Kind, MessagePlan, Shape, Style};
use crate::verbatim::Verbatim;

/// How messages are written as JSON: a [`Style`], and what differs from it. Protobuf calls these
/// `JsonPrintOptions`. Requests are read in every way that they can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrintOptions {
    pub style: Style,
    pub defaults: Defaults,
    pub enums: Enums,
}

/// Which fields without presence are there though they have no value: zero, `false`, an empty
/// string or list. Fields with presence are there when they are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defaults {
    Omitted,
    /// Lists, maps, numbers and bools.
    Countable,
    /// All of them: `always_print_fields_with_no_presence`. A decimal of [`Style::Rest`] is none
    /// of them: no number stands for the lack of one.
    Emitted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enums {
    Names,
    /// `always_print_enums_as_ints`.
    Numbers,
}

impl From<Style> for PrintOptions {
    fn from(style: Style) -> PrintOptions {
        let defaults = match style {
            Style::Canonical => Defaults::Omitted,
            Style::Rest => Defaults::Countable,
        };
        PrintOptions { style, defaults, enums: Enums::Names }
    }
}

impl PrintOptions {
    /// The fields of a message that are written even when absent, ascending.
    #[inline]
    pub(crate) fn always(self, plan: &MessagePlan) -> &[u16] {
        match self.defaults {
            Defaults::Omitted => &[],
            Defaults::Countable => &plan.countable,
            Defaults::Emitted => &plan.without_presence,
        }
    }

    /// Whether a field is left out when its value is zero or empty.
    #[inline]
    pub(crate) fn omits(self, field: &FieldPlan) -> bool {
        match (field.shape, self.defaults) {
            (Shape::Explicit, _) => false,
            (_, Defaults::Omitted) => true,
            (Shape::List { .. } | Shape::Map, _) => false,
            (Shape::Implicit, Defaults::Countable) => !field.kind.is_number_or_bool(),
            (Shape::Implicit, Defaults::Emitted) => self.has_no_zero(field),
        }
    }

    /// Whether nothing stands for the absent value of a field.
    pub(crate) fn has_no_zero(self, field: &FieldPlan) -> bool {
        field.kind == Kind::Decimal && self.style == Style::Rest && !field.is_repeated()
    }

    /// How a value of an enum is written; none if it is its number.
    #[inline]
    pub(crate) fn quoted(self, value: &EnumValuePlan) -> Option<&Verbatim> {
        (self.enums == Enums::Names).then(|| value.quoted(self.style))
    }
}
