//! Names and values of a query, a form or a multipart body, put into the fields they name.
//!
//! A name is a dotted way to a field. Beyond that, `a[0].b` is a field of the first element of
//! the repeated message `a`, and `m[key]` is an entry of the map `m`. Elements may come in any
//! order, but their indexes leave no gap.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use percent_encoding::percent_decode_str;

use crate::fault::{Fault, Within, broken};
use crate::field_path::{FieldPath, is_open};
use crate::json_to_wire::Unknown;
use crate::multipart::Part;
use crate::plan::{FieldPlan, Kind, MessageId, Plans, Shape, Style, WellKnown};
use crate::text::{has_text_form, put_text};
use crate::wire::{MAX_DEPTH, put_sized, put_tag};

type Result<T> = std::result::Result<T, Fault>;

/// How much of an unknown name an error repeats.
const NAME_SHOWN: usize = 64;
/// Says how the answer is written, and nothing of the request: AIP-127 and Google's system
/// parameters. No field has such a name.
const SYSTEM_PARAMETER: &str = "$alt";
/// How many elements a list has at most.
const MOST_ELEMENTS: usize = 100;

/// Appends the fields that parameters name.
#[derive(Clone, Copy)]
pub(crate) struct Parameters<'a> {
    pub(crate) plans: &'a Plans,
    pub(crate) root: MessageId,
    pub(crate) style: Style,
    pub(crate) unknown: Unknown,
    /// Fields that the path sets.
    pub(crate) bound: &'a [FieldPath],
    /// The top-level field that the body sets, by index.
    pub(crate) body: Option<usize>,
    /// What errors call one of them.
    pub(crate) noun: &'static str,
    /// How many fields lead to the root.
    pub(crate) depth: usize,
}

/// The value of a parameter.
#[derive(Clone, Copy)]
pub(crate) enum Given<'a> {
    /// Percent-encoded text.
    Encoded(&'a str),
    Part(Part<'a>),
}

/// What a name means.
enum Target<'n> {
    Field(FieldPath),
    /// An entry of a map and its key.
    Entry(FieldPath, &'n str),
    /// An element of a list, and the rest of the name.
    Element(FieldPath, usize, &'n str),
}

/// What came already for one message, and its lists, which are written in the end.
#[derive(Default)]
struct Seen {
    singular: HashSet<Vec<u16>>,
    /// The keys of each map, by the way to it.
    keys: HashSet<(Vec<u16>, Vec<u8>)>,
    /// The member of each oneof, by the way to its message.
    oneofs: HashMap<(Vec<u16>, u16), u16>,
    lists: Vec<List>,
}

struct List {
    path: FieldPath,
    elements: BTreeMap<usize, Element>,
}

#[derive(Default)]
struct Element {
    wire: Vec<u8>,
    seen: Seen,
}

/// Whether a percent-encoded name is that of a parameter that is no field.
pub(crate) fn is_system(encoded: &str) -> bool {
    decode(encoded, true).is_ok_and(|name| name == SYSTEM_PARAMETER)
}

impl<'a> Parameters<'a> {
    /// Puts `name=value&name=value`, percent-encoded, a plus for a space.
    pub(crate) fn put(&self, out: &mut Vec<u8>, encoded: &str) -> Result<()> {
        let mut seen = Seen::default();
        for pair in encoded.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            self.parameter(out, &mut seen, &decode(name, true)?, Given::Encoded(value))?;
        }
        seen.finish(out, self.plans)
    }

    pub(crate) fn put_all<'g>(
        &self,
        out: &mut Vec<u8>,
        given: impl Iterator<Item = (String, Given<'g>)>,
    ) -> Result<()> {
        let mut seen = Seen::default();
        for (name, value) in given {
            self.parameter(out, &mut seen, &name, value)?;
        }
        seen.finish(out, self.plans)
    }

    fn parameter(
        &self,
        out: &mut Vec<u8>,
        seen: &mut Seen,
        name: &str,
        given: Given<'_>,
    ) -> Result<()> {
        match self.target(name)? {
            Some(Target::Field(path)) => self.field(out, seen, &path, given).within(&path.name),
            Some(Target::Entry(path, key)) => {
                self.entry(out, seen, &path, key, given).within("[]").within(&path.name)
            }
            Some(Target::Element(path, index, rest)) => {
                self.element(seen, &path, index, rest, given).within(&path.name)
            }
            None if self.unknown == Unknown::Ignore || name == SYSTEM_PARAMETER => Ok(()),
            None => {
                let shown: String = name.chars().take(NAME_SHOWN).collect();
                Err(broken(format!("is not a known {}", self.noun))).within(&shown)
            }
        }
    }

    /// None if there is no such field.
    fn target<'n>(&self, name: &'n str) -> Result<Option<Target<'n>>> {
        let resolve = |name| {
            let path = FieldPath::resolve(self.plans, self.root, name)?;
            (self.depth + path.length() < MAX_DEPTH as usize).then_some(path)
        };
        if let Some(path) = resolve(name) {
            return Ok(Some(Target::Field(path)));
        }
        let Some((list, rest)) = name.split_once('[') else { return Ok(None) };
        let Some(path) = resolve(list) else { return Ok(None) };
        match path.field(self.plans).shape {
            Shape::Map => Ok(rest.strip_suffix(']').map(|key| Target::Entry(path, key))),
            Shape::List { .. } if self.element_type(&path).is_some() => {
                let index = element_index(rest).within(&path.name)?;
                Ok(index.map(|(index, rest)| Target::Element(path, index, rest)))
            }
            _ => Err(broken("takes no index")).within(&path.name),
        }
    }

    /// The message of a list whose elements have fields to be named.
    fn element_type(&self, path: &FieldPath) -> Option<MessageId> {
        match path.field(self.plans).kind {
            Kind::Message(id) if is_open(self.plans, id) => Some(id),
            _ => None,
        }
        .filter(|id| !has_text_form(self.plans, Kind::Message(*id)))
    }

    fn field(
        &self,
        out: &mut Vec<u8>,
        seen: &mut Seen,
        path: &FieldPath,
        given: Given<'_>,
    ) -> Result<()> {
        let field = path.field(self.plans);
        self.check(path, seen)?;
        if !given.fits(self.plans, field) {
            return Err(broken(format!("cannot be a {}", self.noun)));
        }
        if !matches!(field.shape, Shape::List { .. }) && !seen.singular.insert(path.indexes()) {
            return Err(broken("is there twice"));
        }
        match given {
            Given::Encoded(text) => {
                let text = decode(text, has_spaces(self.plans, field.kind))?;
                path.put(out, self.plans, |out, field| {
                    put_text(out, self.plans, self.style, field.kind, &text)
                })
            }
            Given::Part(part) => part.put(out, self.plans, self.style, path),
        }
    }

    fn entry(
        &self,
        out: &mut Vec<u8>,
        seen: &mut Seen,
        path: &FieldPath,
        name: &str,
        given: Given<'_>,
    ) -> Result<()> {
        self.check(path, seen)?;
        let parts = path.field(self.plans).entry(self.plans);
        let (key, value) = parts.ok_or_else(|| broken("is not a map"))?;
        if !has_text_form(self.plans, value.kind) {
            return Err(broken(format!("cannot be a {}", self.noun)));
        }
        let mut entry = Vec::new();
        put_tag(&mut entry, 1, key.kind.wire_type());
        put_text(&mut entry, self.plans, self.style, key.kind, name)?;
        if !seen.keys.insert((path.indexes(), entry.clone())) {
            return Err(broken("is there twice"));
        }
        put_tag(&mut entry, 2, value.kind.wire_type());
        given.put_payload(&mut entry, self.plans, self.style, value.kind)?;
        path.put(out, self.plans, |out, _| {
            put_sized(out, &entry);
            Ok(())
        })
    }

    fn element(
        &self,
        seen: &mut Seen,
        path: &FieldPath,
        index: usize,
        rest: &str,
        given: Given<'_>,
    ) -> Result<()> {
        self.check(path, seen)?;
        let root = self.element_type(path).ok_or_else(|| broken("takes no index"))?;
        let depth = self.depth + path.length();
        let inner = Parameters { root, bound: &[], body: None, depth, ..*self };
        let element = seen.list(path).elements.entry(index).or_default();
        inner.parameter(&mut element.wire, &mut element.seen, rest, given).at(index)
    }

    /// Whether a field is anybody's to set.
    fn check(&self, path: &FieldPath, seen: &mut Seen) -> Result<()> {
        if self.bound.iter().any(|bound| bound.name == path.name) {
            return Err(broken(format!("is part of the path and cannot be a {}", self.noun)));
        }
        if self.body == path.indexes().first().map(|index| usize::from(*index)) {
            return Err(broken(format!("is the body and cannot be a {}", self.noun)));
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

impl Given<'_> {
    fn fits(&self, plans: &Plans, field: &FieldPlan) -> bool {
        match self {
            Given::Encoded(_) => has_text_form(plans, field.kind),
            Given::Part(_) => !matches!(field.kind, Kind::Group(_)),
        }
    }

    fn put_payload(
        &self,
        out: &mut Vec<u8>,
        plans: &Plans,
        style: Style,
        kind: Kind,
    ) -> Result<()> {
        match self {
            Given::Encoded(text) => {
                let text = decode(text, has_spaces(plans, kind))?;
                put_text(out, plans, style, kind, &text)
            }
            Given::Part(part) => part.put_payload(out, plans, style, kind),
        }
    }
}

impl Seen {
    fn list(&mut self, path: &FieldPath) -> &mut List {
        let known = self.lists.iter().position(|list| list.path == *path);
        let at = known.unwrap_or_else(|| {
            self.lists.push(List { path: path.clone(), elements: BTreeMap::new() });
            self.lists.len() - 1
        });
        &mut self.lists[at]
    }

    /// Appends the lists, now that all their elements are known.
    fn finish(self, out: &mut Vec<u8>, plans: &Plans) -> Result<()> {
        for List { path, elements } in self.lists {
            if !elements.keys().copied().eq(0..elements.len()) {
                return Err(broken("must have indexes from 0 without a gap")).within(&path.name);
            }
            for (index, Element { mut wire, seen }) in elements {
                seen.finish(&mut wire, plans).at(index).within(&path.name)?;
                path.put(out, plans, |out, _| {
                    put_sized(out, &wire);
                    Ok(())
                })?;
            }
        }
        Ok(())
    }
}

/// Splits `0].name`; none if no field of the element is named.
fn element_index(rest: &str) -> Result<Option<(usize, &str)>> {
    let Some((digits, name)) = rest.split_once("].") else { return Ok(None) };
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits.len() == 1 || !digits.starts_with('0'));
    let index = digits.parse().ok().filter(|index| is_plain && *index < MOST_ELEMENTS);
    let rule = || broken(format!("must have indexes from 0 to {}", MOST_ELEMENTS - 1));
    Ok(Some((index.ok_or_else(rule)?, name)))
}

/// Whether a value may have spaces. In all others a plus, which stands for a space in a form,
/// can only be meant as a plus: in `1e+3`, in `+02:00`, in base64.
fn has_spaces(plans: &Plans, kind: Kind) -> bool {
    match kind {
        Kind::String => true,
        Kind::Message(id) => {
            let plan = plans.message(id);
            plan.well_known == Some(WellKnown::Wrapper)
                && plan.fields.iter().any(|field| field.kind == Kind::String)
        }
        _ => false,
    }
}

fn decode(text: &str, plus_is_space: bool) -> Result<String> {
    let spaced = match plus_is_space {
        true => Cow::Owned(text.replace('+', " ")),
        false => Cow::Borrowed(text),
    };
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded.map(Cow::into_owned).map_err(|_| broken("must be UTF-8"))
}
