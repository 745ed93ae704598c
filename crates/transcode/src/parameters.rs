//! Names and values of a query or a form, put into the fields they name.

use std::collections::{HashMap, HashSet};

use percent_encoding::percent_decode_str;

use crate::fault::{Fault, Within, broken};
use crate::field_path::FieldPath;
use crate::json_to_wire::Unknown;
use crate::plan::{MessageId, Plans, Style};
use crate::text::{has_text_form, put_text};

type Result<T> = std::result::Result<T, Fault>;

/// How much of an unknown name an error repeats.
const NAME_SHOWN: usize = 64;

/// Appends the fields that parameters name.
pub(crate) struct Parameters<'a> {
    pub(crate) plans: &'a Plans,
    pub(crate) root: MessageId,
    pub(crate) style: Style,
    pub(crate) unknown: Unknown,
    /// Fields that the path sets.
    pub(crate) bound: &'a [FieldPath],
    /// The top-level field that the body sets, by index.
    pub(crate) body: Option<usize>,
}

/// What came already.
#[derive(Default)]
struct Seen {
    singular: HashSet<Vec<u16>>,
    /// The member of each oneof, by the way to its message.
    oneofs: HashMap<(Vec<u16>, u16), u16>,
}

impl Parameters<'_> {
    /// Puts `name=value&name=value`, percent-encoded, a plus for a space.
    pub(crate) fn put(&self, out: &mut Vec<u8>, encoded: &str) -> Result<()> {
        let mut seen = Seen::default();
        for pair in encoded.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name)?;
            self.parameter(out, &mut seen, &name, value)?;
        }
        Ok(())
    }

    fn parameter(&self, out: &mut Vec<u8>, seen: &mut Seen, name: &str, value: &str) -> Result<()> {
        let shown: String = name.chars().take(NAME_SHOWN).collect();
        let Some(path) = FieldPath::resolve(self.plans, self.root, name) else {
            return match self.unknown {
                Unknown::Ignore => Ok(()),
                Unknown::Reject => Err(broken("is not a known parameter")).within(&shown),
            };
        };
        self.check(&path, seen).within(&path.name)?;
        let value = decode(value).within(&path.name)?;
        path.put(out, self.plans, |out, field| {
            put_text(out, self.plans, self.style, field.kind, &value)
        })
        .within(&path.name)
    }

    fn check(&self, path: &FieldPath, seen: &mut Seen) -> Result<()> {
        let field = path.field(self.plans);
        let indexes = path.indexes();
        if self.bound.iter().any(|bound| bound.name == path.name) {
            return Err(broken("is part of the path and cannot be a parameter"));
        }
        if self.body == indexes.first().map(|index| usize::from(*index)) {
            return Err(broken("is the body and cannot be a parameter"));
        }
        if !has_text_form(self.plans, field.kind) {
            return Err(broken("cannot be a parameter"));
        }
        if !field.is_repeated() && !seen.singular.insert(indexes) {
            return Err(broken("is there twice"));
        }
        for (way, index, field) in path.steps(self.plans) {
            if let Some(oneof) = field.oneof
                && *seen.oneofs.entry((way, oneof)).or_insert(index) != index
            {
                return Err(broken("excludes another field that is also there"));
            }
        }
        Ok(())
    }
}

fn decode(text: &str) -> Result<String> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded.map(|text| text.into_owned()).map_err(|_| broken("must be UTF-8"))
}
