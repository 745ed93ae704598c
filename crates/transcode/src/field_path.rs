//! Dotted field paths, such as `book.author.name`, as path variables and parameters use them.

use crate::fault::Fault;
use crate::plan::{FieldPlan, Kind, MessageId, Plans, WellKnown};
use crate::wire::{LENGTH, MAX_DEPTH, Reader, WireError, close_length, open_length, put_tag};

/// How many names a path may have: the last may be that of a message as well, and what is
/// nested more deeply is read by nobody.
const MAX_STEPS: usize = MAX_DEPTH as usize - 1;

/// The way from a message to one of its fields, through singular messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldPath {
    /// The declared names, dotted.
    pub(crate) name: String,
    steps: Vec<(MessageId, u16)>,
}

impl FieldPath {
    /// Resolves names, declared or JSON. None if there is no such field, or none that a message
    /// may be nested so deeply for.
    pub(crate) fn resolve(plans: &Plans, root: MessageId, dotted: &str) -> Option<FieldPath> {
        let mut steps = Vec::new();
        let mut names = Vec::new();
        let mut inside = Some(root);
        for name in dotted.split('.') {
            let id = inside.filter(|_| steps.len() < MAX_STEPS)?;
            let plan = plans.message(id);
            let index = plan.index_of_name(name)?;
            let field = &plan.fields[index];
            steps.push((id, u16::try_from(index).ok()?));
            names.push(field.name.as_ref());
            inside = match field.kind {
                Kind::Message(id) if !field.is_repeated() && is_open(plans, id) => Some(id),
                _ => None,
            };
        }
        Some(FieldPath { name: names.join("."), steps })
    }

    pub(crate) fn field<'p>(&self, plans: &'p Plans) -> &'p FieldPlan {
        let last = self.steps.last().expect("a path has at least one step");
        step(plans, last)
    }

    /// Each step's field, with the path that leads to it.
    pub(crate) fn steps<'s, 'p: 's>(
        &'s self,
        plans: &'p Plans,
    ) -> impl Iterator<Item = (Vec<u16>, u16, &'p FieldPlan)> + 's {
        let way = |length: usize| self.steps[..length].iter().map(|(_, index)| *index).collect();
        let fields = self.steps.iter().enumerate();
        fields.map(move |(at, place)| (way(at), place.1, step(plans, place)))
    }

    pub(crate) fn length(&self) -> usize {
        self.steps.len()
    }

    pub(crate) fn indexes(&self) -> Vec<u16> {
        self.steps.iter().map(|(_, index)| *index).collect()
    }

    /// Appends the field inside of as many messages as the path has: merged with what the
    /// message holds already, it sets this field and no other.
    pub(crate) fn put(
        &self,
        out: &mut Vec<u8>,
        plans: &Plans,
        put_payload: impl FnOnce(&mut Vec<u8>, &FieldPlan) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.put_inside(out, plans, |out, field| {
            put_tag(out, field.number, field.kind.wire_type());
            put_payload(out, field)
        })
    }

    /// The same for whatever the field is made of: tags come from the caller.
    pub(crate) fn put_inside(
        &self,
        out: &mut Vec<u8>,
        plans: &Plans,
        put_field: impl FnOnce(&mut Vec<u8>, &FieldPlan) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let (last, outer) = self.steps.split_last().expect("a path has at least one step");
        let mut starts = Vec::with_capacity(outer.len());
        for place in outer {
            put_tag(out, step(plans, place).number, LENGTH);
            starts.push(open_length(out));
        }
        put_field(out, step(plans, last))?;
        for start in starts.into_iter().rev() {
            close_length(out, start);
        }
        Ok(())
    }

    /// The last payload of the field in these bytes, with its length if it has one.
    pub(crate) fn find<'b>(
        &self,
        plans: &Plans,
        bytes: &'b [u8],
    ) -> Result<Option<&'b [u8]>, WireError> {
        find(plans, &self.steps, bytes)
    }
}

/// Whether a message's fields can be addressed: not if JSON knows it by another form.
pub(crate) fn is_open(plans: &Plans, id: MessageId) -> bool {
    let closed = [WellKnown::Any, WellKnown::Struct, WellKnown::Value, WellKnown::ListValue];
    !plans.message(id).well_known.is_some_and(|known| closed.contains(&known))
}

fn step<'p>(plans: &'p Plans, (id, index): &(MessageId, u16)) -> &'p FieldPlan {
    &plans.message(*id).fields[usize::from(*index)]
}

fn find<'b>(
    plans: &Plans,
    steps: &[(MessageId, u16)],
    bytes: &'b [u8],
) -> Result<Option<&'b [u8]>, WireError> {
    let Some((first, rest)) = steps.split_first() else { return Ok(None) };
    let wanted = step(plans, first).number;
    let mut reader = Reader::new(bytes);
    let mut found = None;
    while !reader.is_empty() {
        let (number, wire_type) = reader.tag()?;
        let before = reader.rest();
        let payload = reader.payload(number, wire_type)?;
        if number != wanted {
            continue;
        }
        if rest.is_empty() {
            found = Some(&before[..before.len() - reader.rest().len()]);
        } else if let Some(inner) = find(plans, rest, payload)? {
            found = Some(inner);
        }
    }
    Ok(found)
}
