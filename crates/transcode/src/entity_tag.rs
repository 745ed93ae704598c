//! Entity tags (AIP-154): the `etag` of an answer, and that of a request for `If-Match`.

use crate::binding::Body;
use crate::plan::{Kind, MessageId, Plans};
use crate::wire::{LENGTH, close_length, last, open_length, payloads, put_bytes, put_tag};

/// Where a message has its entity tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntityTag {
    /// In the field of this number.
    Own(u32),
    /// In the field `number` of the message that is the field `outer`.
    Nested { outer: u32, number: u32 },
}

impl EntityTag {
    /// Of an answer: in what the response body shows.
    pub(crate) fn of_answer(
        plans: &Plans,
        output: MessageId,
        response_body: Option<usize>,
    ) -> Option<EntityTag> {
        match response_body {
            None => own(plans, output).map(EntityTag::Own),
            Some(index) => nested(plans, output, index),
        }
    }

    /// Of a request: its own before that of the message that is the body.
    pub(crate) fn of_request(plans: &Plans, input: MessageId, body: Body) -> Option<EntityTag> {
        let inside = || match body {
            Body::Field(index) => nested(plans, input, index),
            _ => None,
        };
        own(plans, input).map(EntityTag::Own).or_else(inside)
    }

    /// The value in these bytes; none if it is empty, or no text.
    pub(crate) fn get(self, wire: &[u8]) -> Option<&str> {
        let value = match self {
            EntityTag::Own(number) => last(wire, number).ok()?,
            EntityTag::Nested { outer, number } => {
                let mut value = &[][..];
                for part in payloads(wire, outer) {
                    value = Some(last(part.ok()?, number).ok()?)
                        .filter(|value| !value.is_empty())
                        .unwrap_or(value);
                }
                value
            }
        };
        std::str::from_utf8(value).ok().filter(|text| !text.is_empty())
    }

    /// Appends the value: merged into the message, it replaces what is there.
    pub(crate) fn set(self, out: &mut Vec<u8>, etag: &str) {
        match self {
            EntityTag::Own(number) => put_bytes(out, number, etag.as_bytes()),
            EntityTag::Nested { outer, number } => {
                put_tag(out, outer, LENGTH);
                let start = open_length(out);
                put_bytes(out, number, etag.as_bytes());
                close_length(out, start);
            }
        }
    }
}

/// The number of a message's own singular string field `etag`.
fn own(plans: &Plans, id: MessageId) -> Option<u32> {
    let field = plans.message(id).fields.iter().find(|field| &*field.name == "etag")?;
    (field.kind == Kind::String && !field.is_repeated()).then_some(field.number)
}

fn nested(plans: &Plans, id: MessageId, index: usize) -> Option<EntityTag> {
    let field = &plans.message(id).fields[index];
    match field.kind {
        Kind::Message(inner) if !field.is_repeated() => {
            Some(EntityTag::Nested { outer: field.number, number: own(plans, inner)? })
        }
        _ => None,
    }
}
