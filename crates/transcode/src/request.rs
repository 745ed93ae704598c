//! A request's path, query and body to one message.
//!
//! Query, body and path are appended in this order: protobuf merges what follows into what
//! came before, so that the path has the last word.

use crate::binding::{Binding, Body, MethodPlan};
use crate::fault::{Fault, RequestError, Within, broken};
use crate::field_path::FieldPath;
use crate::json_to_wire::{Unknown, put_field, put_message};
use crate::message::utf8;
use crate::parameters::Parameters;
use crate::plan::{Plans, Shape, Style};
use crate::text::put_text;
use crate::wire::{LENGTH, close_length, open_length, put_bytes, put_tag};

type Result<T> = std::result::Result<T, Fault>;

/// The parts of a request that become a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'a> {
    /// Percent-decoded values of the template's variables.
    pub(crate) values: &'a [Vec<u8>],
    /// Without the question mark.
    pub(crate) query: Option<&'a str>,
    pub(crate) content_type: Option<&'a str>,
    pub(crate) body: &'a [u8],
    pub(crate) style: Style,
}

impl Binding {
    /// The wire bytes of the request message, or of the first one of a stream.
    pub(crate) fn request(
        &self,
        method: &MethodPlan,
        parts: Parts<'_>,
    ) -> std::result::Result<Vec<u8>, RequestError> {
        let mut out = Vec::with_capacity(parts.body.len() + 64);
        self.put(&mut out, method, parts).map_err(|fault| *fault)?;
        Ok(out)
    }

    /// The wire bytes of a later message of a stream: what its document says and no more.
    pub(crate) fn later_request(
        &self,
        method: &MethodPlan,
        parts: Parts<'_>,
    ) -> std::result::Result<Vec<u8>, RequestError> {
        let mut out = Vec::with_capacity(parts.body.len() + 8);
        self.put_body(&mut out, method, parts).map_err(|fault| *fault)?;
        Ok(out)
    }

    fn put(&self, out: &mut Vec<u8>, method: &MethodPlan, parts: Parts<'_>) -> Result<()> {
        if let Some(query) = parts.query {
            self.put_query(out, method, query, parts.style)?;
        }
        let start = out.len();
        if !parts.body.is_empty() {
            self.put_body(out, method, parts)?;
        }
        let body_end = out.len();
        for (variable, value) in self.variables.iter().zip(parts.values) {
            let from = out.len();
            put_variable(out, method, variable, value, parts.style).within(&variable.name)?;
            check_agreement(&method.plans, variable, &out[start..body_end], &out[from..])?;
        }
        if let Some(mask) = &self.update_mask {
            let is_json = !parts.body.is_empty() && !is_form_of(method, parts.content_type);
            let json = is_json.then(|| utf8(parts.body)).transpose()?;
            mask.complete(out, &method.plans, json)?;
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
        self.parameters(method, style, Unknown::Reject).put(out, query)
    }

    fn parameters<'a>(
        &'a self,
        method: &'a MethodPlan,
        style: Style,
        unknown: Unknown,
    ) -> Parameters<'a> {
        let body = match self.body {
            Body::Field(index) => Some(index),
            _ => None,
        };
        let (plans, root) = (&*method.plans, method.input().id);
        Parameters { plans, root, style, unknown, bound: &self.variables, body }
    }

    fn put_body(&self, out: &mut Vec<u8>, method: &MethodPlan, parts: Parts<'_>) -> Result<()> {
        let plans = &method.plans;
        let input = method.input().id;
        match self.body {
            Body::None => refuse_body(parts.body),
            Body::Whole if is_form_of(method, parts.content_type) => {
                let form = self.parameters(method, parts.style, Unknown::Ignore);
                form.put(out, utf8(parts.body)?)
            }
            Body::Whole if self.takes_http_body => {
                put_http_body(out, parts);
                Ok(())
            }
            Body::Whole => {
                require_json(method, parts.content_type)?;
                put_message(out, plans, input, utf8(parts.body)?, parts.style, Unknown::Reject)
            }
            Body::Field(index) => {
                let field = &plans.message(input).fields[index];
                if self.takes_http_body {
                    put_tag(out, field.number, LENGTH);
                    let start = open_length(out);
                    put_http_body(out, parts);
                    close_length(out, start);
                    return Ok(());
                }
                require_json(method, parts.content_type)?;
                put_field(out, plans, field, utf8(parts.body)?, parts.style)
            }
        }
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
    let Some(pair) = query.split('&').find(|pair| !pair.is_empty()) else { return Ok(()) };
    let name: String = pair.split('=').next().unwrap_or(pair).chars().take(64).collect();
    Err(broken("is not a known parameter: all fields are in the body")).within(&name)
}

/// A binding without a body takes none, but clients that always send `{}` are let in.
fn refuse_body(body: &[u8]) -> Result<()> {
    if body.trim_ascii() == b"{}" { Ok(()) } else { Err(broken("the request has no body")) }
}

/// The fields of `google.api.HttpBody`: any type and its bytes as they are.
fn put_http_body(out: &mut Vec<u8>, parts: Parts<'_>) {
    if let Some(content_type) = parts.content_type {
        put_bytes(out, 1, content_type.as_bytes());
    }
    put_bytes(out, 2, parts.body);
}

fn require_json(method: &MethodPlan, content_type: Option<&str>) -> Result<()> {
    let expected = match method.accepts_form() {
        true => "application/x-www-form-urlencoded or application/json",
        false => "application/json",
    };
    let is_json = content_type.is_some_and(|value| {
        let (essence, is_utf8) = media_type(value);
        let json = essence == "application/json"
            || (essence.starts_with("application/") && essence.ends_with("+json"));
        json && is_utf8
    });
    if is_json { Ok(()) } else { Err(Box::new(RequestError::UnsupportedMediaType { expected })) }
}

fn is_form_of(method: &MethodPlan, content_type: Option<&str>) -> bool {
    method.accepts_form() && is_form(content_type)
}

fn is_form(content_type: Option<&str>) -> bool {
    content_type.map(media_type) == Some(("application/x-www-form-urlencoded".to_owned(), true))
}

/// The type in lower case without parameters, and whether its charset is UTF-8 or left open.
fn media_type(value: &str) -> (String, bool) {
    let mut parts = value.split(';');
    let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_utf8 = parts.filter_map(|parameter| parameter.split_once('=')).all(|(name, value)| {
        !name.trim().eq_ignore_ascii_case("charset")
            || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    (essence, is_utf8)
}
