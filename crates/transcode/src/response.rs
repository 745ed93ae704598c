//! A response message to an HTTP response, or to a piece of one.

use http::StatusCode;

use crate::binding::{Binding, MethodPlan};
use crate::print::PrintOptions;
use crate::wire::{LENGTH, Reader, WireError, payloads};
use crate::wire_to_json::{ResponseError, utf8, write_field, write_message};

/// A success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: StatusCode,
    /// None where there is no body.
    pub content_type: Option<String>,
    pub body: Vec<u8>,
}

/// What a message gives to a body that is no JSON (`google.api.HttpBody`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk<'w> {
    /// None where the message names no type. In a stream the first one counts.
    pub content_type: Option<&'w str>,
    /// A part of the message's own bytes: nothing is copied.
    pub data: &'w [u8],
}

impl Binding {
    pub(crate) fn response(
        &self,
        method: &MethodPlan,
        wire: &[u8],
        print: PrintOptions,
    ) -> Result<Response, ResponseError> {
        let status = method.success_status();
        if method.answers_empty() {
            return Ok(Response { status, content_type: None, body: Vec::new() });
        }
        if let Some(Chunk { content_type, data }) = self.chunk(method, wire)? {
            let content_type = content_type.unwrap_or("application/octet-stream").to_owned();
            return Ok(Response { status, content_type: Some(content_type), body: data.to_vec() });
        }
        let mut body = Vec::with_capacity(wire.len() * 2);
        self.element(method, wire, print, &mut body)?;
        Ok(Response { status, content_type: Some("application/json".to_owned()), body })
    }

    pub(crate) fn element(
        &self,
        method: &MethodPlan,
        wire: &[u8],
        print: PrintOptions,
        out: &mut Vec<u8>,
    ) -> Result<(), ResponseError> {
        let (plans, id) = (&*method.plans, method.output().id);
        let start = out.len();
        let written = match self.response_body {
            None => write_message(out, plans, id, wire, print),
            Some(index) => write_field(out, plans, &plans.message(id).fields[index], wire, print),
        };
        written.inspect_err(|_| out.truncate(start))
    }

    pub(crate) fn chunk<'w>(
        &self,
        method: &MethodPlan,
        wire: &'w [u8],
    ) -> Result<Option<Chunk<'w>>, ResponseError> {
        if !self.answers_http_body {
            return Ok(None);
        }
        let mut chunk = Chunk { content_type: None, data: &[] };
        match self.response_body {
            None => chunk.merge(wire)?,
            Some(index) => {
                let output = method.plans.message(method.output().id);
                for part in payloads(wire, output.fields[index].number) {
                    chunk.merge(part?)?;
                }
            }
        }
        Ok(Some(chunk))
    }
}

impl<'w> Chunk<'w> {
    /// Takes over what a `google.api.HttpBody` sets; its extensions have no place in HTTP.
    fn merge(&mut self, wire: &'w [u8]) -> Result<(), WireError> {
        let mut reader = Reader::new(wire);
        while !reader.is_empty() {
            let (number, wire_type) = reader.tag()?;
            let payload = reader.payload(number, wire_type)?;
            match (number, wire_type) {
                (1, LENGTH) => {
                    self.content_type = Some(utf8(payload)?).filter(|text| !text.is_empty());
                }
                (2, LENGTH) => self.data = payload,
                _ => {}
            }
        }
        Ok(())
    }
}
