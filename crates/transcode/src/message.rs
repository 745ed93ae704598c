//! A message type as its users see it: JSON in, JSON out, and the view that is safe to log.

use crate::fault::{RequestError, malformed};
use crate::json_to_wire::{self, Unknown};
use crate::plan::{MessageId, Plans, Style};
use crate::print::PrintOptions;
use crate::safe_view::{self, SafeView};
use crate::wire_to_json::{self, ResponseError};

/// A message type of an API.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    pub(crate) plans: &'a Plans,
    pub(crate) id: MessageId,
}

impl<'a> Message<'a> {
    /// Such as `loop.clinical.v1.Biomarker`.
    pub fn full_name(&self) -> &'a str {
        &self.plans.message(self.id).full_name
    }

    /// Converts JSON text to wire bytes.
    pub fn to_wire(
        &self,
        json: &[u8],
        style: Style,
        unknown: Unknown,
    ) -> Result<Vec<u8>, RequestError> {
        let mut out = Vec::with_capacity(json.len());
        let text = utf8(json)?;
        json_to_wire::put_message(&mut out, self.plans, self.id, text, style, unknown)
            .map_err(|fault| *fault)?;
        Ok(out)
    }

    /// Converts wire bytes, in any legal order, to JSON text.
    pub fn to_json(
        &self,
        wire: &[u8],
        print: impl Into<PrintOptions>,
    ) -> Result<Vec<u8>, ResponseError> {
        let mut out = Vec::with_capacity(wire.len() * 2);
        wire_to_json::write_message(&mut out, self.plans, self.id, wire, print)?;
        Ok(out)
    }

    /// What of these wire bytes may be logged.
    pub fn safe_view(&self, wire: &[u8]) -> SafeView {
        safe_view::safe_view(self.plans, self.id, wire)
    }
}

pub(crate) fn utf8(json: &[u8]) -> Result<&str, RequestError> {
    std::str::from_utf8(json).map_err(|error| *malformed(error.valid_up_to(), "expected UTF-8"))
}
