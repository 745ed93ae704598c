//! Normal order: the wire format lets fields come in any order, split and repeatedly. The
//! JSON writer wants each field once, ascending. This decides whether a message is so already
//! and rewrites one level of it if not: scalars keep the last value, messages are merged,
//! lists joined, and of a oneof the last member stays.

use crate::plan::{FieldPlan, Kind, MessagePlan, Plans};
use crate::seen::Seen;
use crate::wire::{END_GROUP, LENGTH, Reader, START_GROUP, WireError, put_bytes, put_tag};

type Result<T> = std::result::Result<T, WireError>;

/// Whether a field's value may come in this wire type; what may not is an unknown field.
#[inline]
pub(crate) fn fits(field: &FieldPlan, wire_type: u8) -> bool {
    wire_type == field.wire_type
        || (wire_type == LENGTH && field.is_repeated() && field.kind.is_packable())
}

/// Whether known fields ascend, singular ones come once, the elements of a list follow each
/// other and oneofs have one member.
pub(crate) fn is_normal(plan: &MessagePlan, bytes: &[u8]) -> Result<bool> {
    let mut reader = Reader::new(bytes);
    let mut order = Order::default();
    let mut previous = None;
    while !reader.is_empty() {
        let (number, wire_type) = reader.tag()?;
        reader.skip(number, wire_type)?;
        let index = plan.index_of_number(number);
        let known = index.filter(|index| fits(&plan.fields[*index], wire_type));
        if let Some(index) = known {
            let field = &plan.fields[index];
            let goes_on = previous == known && field.is_repeated();
            if !goes_on && !order.accepts(index, field) {
                return Ok(false);
            }
        }
        previous = known;
    }
    Ok(true)
}

/// The state of reading a message in normal order.
#[derive(Default)]
pub(crate) struct Order {
    /// Index + 1 of the last field.
    last: usize,
    oneofs: Seen,
}

impl Order {
    /// Whether this field, with all elements that follow each other, may come next; if so, it
    /// did.
    #[inline]
    pub(crate) fn accepts(&mut self, index: usize, field: &FieldPlan) -> bool {
        if index < self.last {
            return false;
        }
        self.last = index + 1;
        field.oneof.is_none_or(|oneof| self.oneofs.insert(oneof.into()))
    }
}

/// The same message in normal order, one level deep.
pub(crate) fn normalise(plans: &Plans, plan: &MessagePlan, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut slots: Vec<Vec<u8>> = vec![Vec::new(); plan.fields.len()];
    let mut present = vec![false; plan.fields.len()];
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        let before = reader.rest();
        let (number, wire_type) = reader.tag()?;
        let payload = reader.payload(number, wire_type)?;
        let whole = &before[..before.len() - reader.rest().len()];
        let Some(index) = plan.index_of_number(number) else { continue };
        let field = &plan.fields[index];
        if !fits(field, wire_type) || is_undeclared(plans, field, payload)? {
            continue;
        }
        if let Some(oneof) = field.oneof {
            forget_siblings(plan, oneof, index, &mut slots, &mut present);
        }
        present[index] = true;
        if field.is_repeated() {
            slots[index].extend_from_slice(whole);
        } else if field.kind.message().is_some() {
            slots[index].extend_from_slice(payload);
        } else {
            slots[index] = whole.to_vec();
        }
    }
    Ok(join(plan, &slots, &present))
}

fn forget_siblings(
    plan: &MessagePlan,
    oneof: u16,
    index: usize,
    slots: &mut [Vec<u8>],
    present: &mut [bool],
) {
    for (other, field) in plan.fields.iter().enumerate() {
        if other != index && field.oneof == Some(oneof) {
            slots[other].clear();
            present[other] = false;
        }
    }
}

/// A closed enum takes no number that it does not declare: the field stays as it was.
fn is_undeclared(plans: &Plans, field: &FieldPlan, payload: &[u8]) -> Result<bool> {
    match field.kind {
        Kind::Enum(id) if plans.enumeration(id).closed && !field.is_repeated() => {
            let number = Reader::new(payload).varint()? as i32;
            Ok(plans.enumeration(id).value(number).is_none())
        }
        _ => Ok(false),
    }
}

fn join(plan: &MessagePlan, slots: &[Vec<u8>], present: &[bool]) -> Vec<u8> {
    let mut out = Vec::new();
    for ((field, slot), _) in plan.fields.iter().zip(slots).zip(present).filter(|(_, p)| **p) {
        match field.kind {
            Kind::Message(_) if !field.is_repeated() => put_bytes(&mut out, field.number, slot),
            Kind::Group(_) if !field.is_repeated() => {
                put_tag(&mut out, field.number, START_GROUP);
                out.extend_from_slice(slot);
                put_tag(&mut out, field.number, END_GROUP);
            }
            _ => out.extend_from_slice(slot),
        }
    }
    out
}
