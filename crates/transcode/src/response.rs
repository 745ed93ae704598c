//! A response message to an HTTP response.

use http::StatusCode;

use crate::binding::{Binding, MethodPlan};
use crate::message::Message;
use crate::plan::Style;
use crate::wire::last;
use crate::wire_to_json::{ResponseError, write_field};

/// A success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: StatusCode,
    /// None where there is no body.
    pub content_type: Option<String>,
    pub body: Vec<u8>,
}

impl Binding {
    pub(crate) fn response(
        &self,
        method: &MethodPlan,
        wire: &[u8],
        style: Style,
    ) -> Result<Response, ResponseError> {
        let status = method.success_status();
        let output = method.output();
        if method.answers_empty() {
            return Ok(Response { status, content_type: None, body: Vec::new() });
        }
        let Some(index) = self.response_body else {
            return Ok(match http_body(output, wire)? {
                Some((content_type, body)) => {
                    Response { status, content_type: Some(content_type), body }
                }
                None => json(status, output.to_json(wire, style)?),
            });
        };
        let field = &output.plans.message(output.id).fields[index];
        let inner = field.kind.message().filter(|_| !field.is_repeated());
        if let Some(id) = inner
            && let payload = last(wire, field.number)?
            && let Some((content_type, body)) =
                http_body(Message { plans: output.plans, id }, payload)?
        {
            return Ok(Response { status, content_type: Some(content_type), body });
        }
        let mut body = Vec::with_capacity(wire.len() * 2);
        write_field(&mut body, output.plans, field, wire, style)?;
        Ok(json(status, body))
    }
}

fn json(status: StatusCode, body: Vec<u8>) -> Response {
    Response { status, content_type: Some("application/json".to_owned()), body }
}

/// The type and bytes of a `google.api.HttpBody`, if the message is one.
fn http_body(
    message: Message<'_>,
    wire: &[u8],
) -> Result<Option<(String, Vec<u8>)>, ResponseError> {
    if message.full_name() != "google.api.HttpBody" {
        return Ok(None);
    }
    let content_type = String::from_utf8_lossy(last(wire, 1)?).into_owned();
    let content_type = match content_type.is_empty() {
        true => "application/octet-stream".to_owned(),
        false => content_type,
    };
    Ok(Some((content_type, last(wire, 2)?.to_vec())))
}
