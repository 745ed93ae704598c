//! The testee: answers each case of the suite with the plan codec, as the edge uses it.
//!
//! The codec turns JSON into wire and wire into JSON. A case that asks for wire from wire goes
//! both ways, through JSON. What JSON has no place for does not survive that, so a case whose
//! message has fields that its contract does not name is skipped and counted; the edge never
//! takes that way itself.

use std::fmt;
use std::io::{Read, Write};

use prost_reflect::DescriptorPool;
use transcode::{Api, Message, ResponseError, Style, Unknown};

use crate::protocol::{self, Answer, IGNORE_UNKNOWN, JSON, Payload, Request, WIRE};
use crate::unknown;

/// How many cases there were of each sort.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    json_to_json: u32,
    json_to_wire: u32,
    wire_to_json: u32,
    wire_refused: u32,
    wire_to_wire: u32,
    unknown_fields: u32,
    other_formats: u32,
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "answered: {} JSON to JSON, {} JSON to wire, {} wire to JSON, {} wire to wire, \
             {} malformed wire; skipped: {} with unknown fields, {} in other formats",
            self.json_to_json,
            self.json_to_wire,
            self.wire_to_json,
            self.wire_to_wire,
            self.wire_refused,
            self.unknown_fields,
            self.other_formats,
        )
    }
}

/// Answers until the pipe ends.
pub fn serve(
    pool: &DescriptorPool,
    api: &Api,
    input: &mut impl Read,
    output: &mut impl Write,
) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    while let Some(request) = protocol::read(input)? {
        protocol::write(output, answer(pool, api, &request, &mut tally))?;
    }
    Ok(tally)
}

fn answer(pool: &DescriptorPool, api: &Api, request: &Request, tally: &mut Tally) -> Answer {
    // The first request asks for failures that are known: there are none.
    if request.message_type == "conformance.FailureSet" {
        return Answer::Wire(Vec::new());
    }
    let name = request.message_type.as_str();
    let (Some(message), Some(descriptor)) = (api.message(name), pool.get_message_by_name(name))
    else {
        return Answer::RuntimeError(format!("no message {name}"));
    };
    let (sort, answer) = match (&request.payload, request.output) {
        (Some(Payload::Json(json)), JSON) => {
            (&mut tally.json_to_json, read(message, json, request, |wire| write(message, &wire)))
        }
        (Some(Payload::Json(json)), WIRE) => {
            (&mut tally.json_to_wire, read(message, json, request, Answer::Wire))
        }
        (Some(Payload::Wire(wire)), JSON) => (&mut tally.wire_to_json, write(message, wire)),
        (Some(Payload::Wire(wire)), WIRE) => match write(message, wire) {
            refused @ Answer::ParseError(_) => (&mut tally.wire_refused, refused),
            _ if unknown::is_in(descriptor, wire) => {
                let why = "JSON has no place for unknown fields".to_owned();
                (&mut tally.unknown_fields, Answer::Skipped(why))
            }
            Answer::Json(json) => {
                (&mut tally.wire_to_wire, read(message, &json, request, Answer::Wire))
            }
            other => (&mut tally.wire_to_wire, other),
        },
        _ => (&mut tally.other_formats, Answer::Skipped("neither wire nor JSON".to_owned())),
    };
    *sort += 1;
    answer
}

fn read(
    message: Message<'_>,
    json: &[u8],
    request: &Request,
    then: impl FnOnce(Vec<u8>) -> Answer,
) -> Answer {
    let unknown = match request.category {
        IGNORE_UNKNOWN => Unknown::Ignore,
        _ => Unknown::Reject,
    };
    match message.to_wire(json, Style::Canonical, unknown) {
        Ok(wire) => then(wire),
        Err(error) => Answer::ParseError(error.to_string()),
    }
}

fn write(message: Message<'_>, wire: &[u8]) -> Answer {
    match message.to_json(wire, Style::Canonical) {
        Ok(json) => Answer::Json(json),
        Err(error @ ResponseError::Malformed(_)) => Answer::ParseError(error.to_string()),
        Err(error) => Answer::SerializeError(error.to_string()),
    }
}
