//! The parts of a `multipart/form-data` body (RFC 7578), each put into the field it names.
//!
//! A part is read by its field: `google.api.HttpBody` keeps its type and bytes, `bytes` has its
//! bytes as they are, and everything else is JSON if the part says so or text as in a query. A
//! repeated field takes one element of each part of its name.

use crate::binding::{Binding, Body, MethodPlan};
use crate::fault::{Fault, RequestError, broken};
use crate::field_path::FieldPath;
use crate::json_to_wire::put_element;
use crate::media_type::{is_json, is_text};
use crate::parameters::{Given, Parameters};
use crate::plan::{Kind, Plans, Style};
use crate::request::Location;
use crate::text::{has_text_form, put_text};
use crate::wire::{close_length, open_length, put_bytes, put_sized};

type Result<T> = std::result::Result<T, Fault>;

/// One part of a `multipart/form-data` body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'a> {
    /// The `name` of its Content-Disposition: the way to a field, as parameters have it.
    pub name: &'a str,
    pub content_type: Option<&'a str>,
    pub bytes: &'a [u8],
}

impl Binding {
    /// The wire bytes of the request message whose body comes in parts.
    pub(crate) fn request_from_parts(
        &self,
        method: &MethodPlan,
        location: Location<'_>,
        parts: &[Part<'_>],
    ) -> std::result::Result<Vec<u8>, RequestError> {
        let size: usize = parts.iter().map(|part| part.bytes.len() + 16).sum();
        let mut out = Vec::with_capacity(size + 64);
        self.put(&mut out, method, location, |out| {
            self.put_parts(out, method, parts, location.style)
        })
        .map_err(|fault| *fault)?;
        Ok(out)
    }

    fn put_parts(
        &self,
        out: &mut Vec<u8>,
        method: &MethodPlan,
        parts: &[Part<'_>],
        style: Style,
    ) -> Result<()> {
        let prefix = match self.body {
            Body::None if !parts.is_empty() => return Err(broken("the request has no body")),
            Body::Field(index) => {
                let field = &method.plans.message(method.input().id).fields[index];
                format!("{}.", field.name)
            }
            _ => String::new(),
        };
        let given = parts.iter().map(|part| (format!("{prefix}{}", part.name), Given::Part(*part)));
        Parameters { noun: "part", ..self.parameters(method, style) }.put_all(out, given)
    }
}

impl Part<'_> {
    /// Appends the field, if anything is to be set.
    pub(crate) fn put(
        &self,
        out: &mut Vec<u8>,
        plans: &Plans,
        style: Style,
        path: &FieldPath,
    ) -> Result<()> {
        let kind = path.field(plans).kind;
        if is_json(self.content_type) && kind != Kind::Bytes && !is_http_body(plans, kind) {
            let text = self.text()?;
            return path.put_inside(out, plans, |out, field| {
                put_element(out, plans, field, text, style).map_err(|fault| in_part(*fault))
            });
        }
        path.put(out, plans, |out, field| self.put_payload(out, plans, style, field.kind))
    }

    /// Appends one value with its length and without its tag.
    pub(crate) fn put_payload(
        &self,
        out: &mut Vec<u8>,
        plans: &Plans,
        style: Style,
        kind: Kind,
    ) -> Result<()> {
        if kind == Kind::Bytes {
            put_sized(out, self.bytes);
        } else if is_http_body(plans, kind) {
            let start = open_length(out);
            put_bytes(out, 1, self.content_type.unwrap_or_default().as_bytes());
            put_bytes(out, 2, self.bytes);
            close_length(out, start);
        } else if !has_text_form(plans, kind) {
            return Err(broken("must be application/json"));
        } else if !is_text(self.content_type) {
            return Err(broken("must be text in UTF-8 or application/json"));
        } else {
            put_text(out, plans, style, kind, self.text()?)?;
        }
        Ok(())
    }

    fn text(&self) -> Result<&str> {
        std::str::from_utf8(self.bytes).map_err(|_| broken("must be UTF-8"))
    }
}

fn is_http_body(plans: &Plans, kind: Kind) -> bool {
    matches!(kind, Kind::Message(id) if plans.is_http_body(id))
}

/// What is no JSON is wrong with the part, not with the body.
fn in_part(error: RequestError) -> Fault {
    match error {
        RequestError::Malformed { offset, reason } => {
            broken(format!("is not valid JSON: {reason} at byte {offset}"))
        }
        error => Box::new(error),
    }
}
