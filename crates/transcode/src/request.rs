//! A request's path, query and body to one message.
//!
//! Query, body and path are appended in this order: protobuf merges what follows into what
//! came before, so that the path has the last word.

use crate::binding::{Binding, Body, MethodPlan};
use crate::fault::{Fault, RequestError, Within, broken};
use crate::field_path::FieldPath;
use crate::json_to_wire::{Unknown, put_field, put_message};
use crate::media_type::{is_form, is_json};
use crate::message::utf8;
use crate::parameters::{Parameters, is_system};
use crate::plan::{Plans, Shape, Style};
use crate::text::put_text;

type Result<T> = std::result::Result<T, Fault>;

/// What the URL of a request says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Location<'a> {
    /// Percent-decoded values of the template's variables.
    pub(crate) values: &'a [Vec<u8>],
    /// Without the question mark.
    pub(crate) query: Option<&'a str>,
    pub(crate) style: Style,
}

/// The body of a request, or one document of a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Content<'a> {
    pub(crate) content_type: Option<&'a str>,
    pub(crate) bytes: &'a [u8],
    pub(crate) style: Style,
}

impl Binding {
    /// The wire bytes of the request message, or of the first one of a stream.
    pub(crate) fn request(
        &self,
        method: &MethodPlan,
        location: Location<'_>,
        content: Content<'_>,
    ) -> std::result::Result<Vec<u8>, RequestError> {
        if self.takes_http_body {
            return self.raw_request(method, location, content);
        }
        let mut out = Vec::with_capacity(content.bytes.len() + 64);
        self.put(&mut out, method, location, |out| match content.bytes {
            [] => Ok(()),
            _ => self.put_content(out, method, content),
        })
        .and_then(|()| self.complete_mask(&mut out, method, content))
        .map_err(|fault| *fault)?;
        Ok(out)
    }

    /// The wire bytes of a later message of a stream: what its document says and no more.
    pub(crate) fn later_request(
        &self,
        method: &MethodPlan,
        content: Content<'_>,
    ) -> std::result::Result<Vec<u8>, RequestError> {
        if self.takes_http_body {
            return Ok(self.raw_message(method, content));
        }
        let mut out = Vec::with_capacity(content.bytes.len() + 8);
        self.put_content(&mut out, method, content).map_err(|fault| *fault)?;
        Ok(out)
    }

    /// Appends what query, body and path say.
    pub(crate) fn put(
        &self,
        out: &mut Vec<u8>,
        method: &MethodPlan,
        location: Location<'_>,
        put_body: impl FnOnce(&mut Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        if let Some(query) = location.query {
            self.put_query(out, method, query, location.style)?;
        }
        let start = out.len();
        put_body(out)?;
        let body_end = out.len();
        for (variable, value) in self.variables.iter().zip(location.values) {
            let from = out.len();
            put_variable(out, method, variable, value, location.style).within(&variable.name)?;
            check_agreement(&method.plans, variable, &out[start..body_end], &out[from..])?;
        }
        Ok(())
    }

    fn put_query(
        &self,
        out: &mut Vec<u8>,
        method: &MethodPlan,
        query: &str,
        style: Style,
    ) -> Result<()> {
        if self.body == Body::Whole {
            return refuse_all(query);
        }
        let body = match self.body {
            Body::Field(index) => Some(index),
            _ => None,
        };
        Parameters { body, ..self.parameters(method, style) }.put(out, query)
    }

    /// Parameters that set any field but those of the path.
    pub(crate) fn parameters<'a>(&'a self, method: &'a MethodPlan, style: Style) -> Parameters<'a> {
        Parameters {
            plans: &method.plans,
            root: method.input().id,
            style,
            unknown: Unknown::Reject,
            bound: &self.variables,
            body: None,
            noun: "parameter",
            depth: 0,
        }
    }

    fn put_content(
        &self,
        out: &mut Vec<u8>,
        method: &MethodPlan,
        content: Content<'_>,
    ) -> Result<()> {
        let plans = &method.plans;
        let input = method.input().id;
        match self.body {
            Body::None => refuse_body(content.bytes),
            Body::Whole if is_form_of(method, content) => {
                let form = self.parameters(method, content.style);
                Parameters { unknown: Unknown::Ignore, ..form }.put(out, utf8(content.bytes)?)
            }
            Body::Whole => {
                require_json(method, content)?;
                let text = utf8(content.bytes)?;
                put_message(out, plans, input, text, content.style, Unknown::Reject)
            }
            Body::Field(index) => {
                require_json(method, content)?;
                let field = &plans.message(input).fields[index];
                put_field(out, plans, field, utf8(content.bytes)?, content.style)
            }
        }
    }

    /// Sees to the update mask of a PATCH. A form says nothing of what it leaves out.
    fn complete_mask(
        &self,
        out: &mut Vec<u8>,
        method: &MethodPlan,
        content: Content<'_>,
    ) -> Result<()> {
        let Some(mask) = &self.update_mask else { return Ok(()) };
        let is_json = !content.bytes.is_empty() && !is_form_of(method, content);
        let json = is_json.then(|| utf8(content.bytes)).transpose()?;
        mask.complete(out, &method.plans, json)
    }
}

fn put_variable(
    out: &mut Vec<u8>,
    method: &MethodPlan,
    variable: &FieldPath,
    value: &[u8],
    style: Style,
) -> Result<()> {
    let value = std::str::from_utf8(value).map_err(|_| broken("must be UTF-8"))?;
    let plans = &method.plans;
    variable.put(out, plans, |out, field| put_text(out, plans, style, field.kind, value))
}

/// A body that repeats a field of the path must repeat its value.
fn check_agreement(plans: &Plans, variable: &FieldPath, body: &[u8], path: &[u8]) -> Result<()> {
    let ours = |_| broken("cannot be compared with the path");
    let Some(in_body) = variable.find(plans, body).map_err(ours)? else { return Ok(()) };
    let absent = variable.field(plans).shape == Shape::Implicit && in_body == [0];
    if absent || variable.find(plans, path).map_err(ours)? == Some(in_body) {
        return Ok(());
    }
    Err(broken("must be the same in the body as in the path")).within(&variable.name)
}

/// With `body: "*"` there is nothing left for a query to set.
fn refuse_all(query: &str) -> Result<()> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut names = pairs.map(|pair| pair.split('=').next().unwrap_or(pair));
    let Some(name) = names.find(|name| !is_system(name)) else { return Ok(()) };
    let name: String = name.chars().take(64).collect();
    Err(broken("is not a known parameter: all fields are in the body")).within(&name)
}

/// A binding without a body takes none, but clients that always send `{}` are let in.
fn refuse_body(body: &[u8]) -> Result<()> {
    if body.trim_ascii() == b"{}" { Ok(()) } else { Err(broken("the request has no body")) }
}

fn is_form_of(method: &MethodPlan, content: Content<'_>) -> bool {
    method.accepts_form() && is_form(content.content_type)
}

fn require_json(method: &MethodPlan, content: Content<'_>) -> Result<()> {
    if is_json(content.content_type) {
        return Ok(());
    }
    let expected = match (method.accepts_form(), method.accepts_multipart()) {
        (true, true) => {
            "application/x-www-form-urlencoded, multipart/form-data or application/json"
        }
        (true, false) => "application/x-www-form-urlencoded or application/json",
        (false, true) => "multipart/form-data or application/json",
        (false, false) => "application/json",
    };
    Err(Box::new(RequestError::UnsupportedMediaType { expected }))
}
