//! Request bodies that travel as they are, in a `google.api.HttpBody`.
//!
//! The body's bytes are the last field of the message. All that comes before them is known from
//! the head of the request and the body's length, so that a body need not be copied, nor be
//! there already.

use crate::binding::{Binding, Body, MethodPlan};
use crate::fault::RequestError;
use crate::request::{Content, Location};
use crate::wire::{LENGTH, put_bytes, put_tag, put_varint};

impl Binding {
    /// What comes before the body's bytes in the message, or in the first one of a stream.
    pub(crate) fn request_prefix(
        &self,
        method: &MethodPlan,
        location: Location<'_>,
        content_type: Option<&str>,
        length: usize,
    ) -> Result<Vec<u8>, RequestError> {
        let mut out = Vec::with_capacity(64);
        self.put(&mut out, method, location, |_| Ok(())).map_err(|fault| *fault)?;
        self.put_http_body(&mut out, method, content_type, length);
        Ok(out)
    }

    /// What comes before the body's bytes in a later message of a stream.
    pub(crate) fn later_request_prefix(&self, method: &MethodPlan, length: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(16);
        self.put_http_body(&mut out, method, None, length);
        out
    }

    pub(crate) fn raw_request(
        &self,
        method: &MethodPlan,
        location: Location<'_>,
        content: Content<'_>,
    ) -> Result<Vec<u8>, RequestError> {
        let Content { content_type, bytes, .. } = content;
        let mut out = self.request_prefix(method, location, content_type, bytes.len())?;
        out.extend_from_slice(bytes);
        Ok(out)
    }

    pub(crate) fn raw_message(&self, method: &MethodPlan, content: Content<'_>) -> Vec<u8> {
        let mut out = Vec::with_capacity(content.bytes.len() + 16);
        self.put_http_body(&mut out, method, content.content_type, content.bytes.len());
        out.extend_from_slice(content.bytes);
        out
    }

    /// A `google.api.HttpBody` up to its data. A request without type and bytes has none.
    fn put_http_body(
        &self,
        out: &mut Vec<u8>,
        method: &MethodPlan,
        content_type: Option<&str>,
        length: usize,
    ) {
        if content_type.is_none() && length == 0 {
            return;
        }
        let mut fields = Vec::with_capacity(64);
        if let Some(content_type) = content_type {
            put_bytes(&mut fields, 1, content_type.as_bytes());
        }
        put_tag(&mut fields, 2, LENGTH);
        put_varint(&mut fields, length as u64);
        if let Body::Field(index) = self.body {
            put_tag(out, method.plans.message(method.input().id).fields[index].number, LENGTH);
            put_varint(out, (fields.len() + length) as u64);
        }
        out.append(&mut fields);
    }
}
