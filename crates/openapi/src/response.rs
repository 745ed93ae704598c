//! The responses of an operation: its success and its failures.

use aide::openapi::{MediaType, ReferenceOr, Response, Responses, StatusCode};
use prost_reflect::{Kind, MessageDescriptor};
use registry::{Idempotency, Method};
use serde_json::{Value, json};

use crate::{
    binding::Binding,
    conditional,
    document::{Document, schema_object},
    failure::{self, Failure},
    header, parameter,
    schema::Direction,
    value,
};

impl Document<'_> {
    pub fn responses(&mut self, method: &Method, binding: &Binding, reasons: &[&str]) -> Responses {
        let status = success_status(method);
        let success = self.success(method, binding, status);
        let mut all = vec![(StatusCode::Code(status), ReferenceOr::Item(success))];
        if conditional::is_cached(method, binding) {
            all.push((StatusCode::Code(304), self.not_modified()));
        }
        for failure in failure::of(method, binding, reasons) {
            let response = self.failure(failure, method.http.oauth_errors);
            all.push((StatusCode::Code(failure.status), response));
        }
        Responses { responses: all.into_iter().collect(), ..Responses::default() }
    }

    fn success(&mut self, method: &Method, binding: &Binding, status: u16) -> Response {
        let mut headers = vec![header::REQUEST_ID];
        headers.extend(header::QUOTA);
        if method.idempotency != Idempotency::None {
            headers.push(header::REPLAYED);
        }
        if conditional::has_tag(method, binding) {
            headers.push(header::ETAG);
        }
        let metadata = method.metadata.response.iter();
        let metadata = metadata.map(|it| (it.clone(), header::inline(parameter::metadata(it))));
        let output = method.descriptor.output();
        let description = match status {
            201 => "Created.",
            202 => "Accepted.",
            204 => "Done; there is no body.",
            _ => "Success.",
        };
        let mut response = self.response(description, &headers);
        response.headers.extend(metadata);
        if output.full_name() != "google.protobuf.Empty" {
            let (kind, mut media) = self.answer(&output, binding);
            media.example = self.examples.response(method, binding);
            if method.descriptor.is_server_streaming() && kind == "application/json" {
                let message = media.schema.map(|it| it.json_schema.to_value()).unwrap_or_default();
                response.content.extend(self.answers(message, media.example));
            } else {
                response.content.insert(kind, media);
            }
        }
        response
    }

    /// A reference to the component of 304.
    fn not_modified(&mut self) -> ReferenceOr<Response> {
        let mut headers = vec![header::REQUEST_ID, header::ETAG];
        headers.extend(header::QUOTA);
        let text = "The caller has the answer already, as `If-None-Match` says.";
        let response = self.response(text, &headers);
        self.responses.insert("NotModified".to_owned(), response);
        ReferenceOr::ref_("#/components/responses/NotModified")
    }

    /// The media type and schema of an answer.
    fn answer(&mut self, output: &MessageDescriptor, binding: &Binding) -> (String, MediaType) {
        if let Some(field) = &binding.response_body {
            return match field.kind() {
                Kind::Message(it) if is_http_body(&it) && !field.is_list() => anything(),
                _ => json_media(self.schemas.field(field, Direction::Response)),
            };
        }
        if is_http_body(output) {
            return anything();
        }
        let schema = value::well_known(output, Direction::Response);
        json_media(schema.unwrap_or_else(|| self.schemas.message(output, Direction::Response)))
    }

    /// A reference to the component of a failure, which is made at its first use.
    fn failure(&mut self, failure: &Failure, oauth: bool) -> ReferenceOr<Response> {
        let name = if oauth { format!("OAuth{}", failure.name) } else { failure.name.to_owned() };
        if !self.responses.contains_key(&name) {
            let mut headers = vec![header::REQUEST_ID];
            headers.extend(failure.header);
            if failure.status == 429 {
                headers.extend(header::QUOTA);
            }
            let description = match (oauth, failure.status) {
                (true, 400) => "A code of RFC 6749 section 5.2, such as `invalid_grant`.",
                (true, 401) => "`invalid_client`: the client is unknown or its secret is wrong.",
                (true, _) => failure.description.split_once(": ").map_or("", |it| it.1),
                _ => failure.description,
            };
            let mut response = self.response(description, &headers);
            for (kind, schema) in self.error_forms(oauth) {
                let media = MediaType { schema: Some(schema_object(schema)), ..Default::default() };
                response.content.insert(kind.to_owned(), media);
            }
            self.responses.insert(name.clone(), response);
        }
        ReferenceOr::ref_(&format!("#/components/responses/{name}"))
    }

    fn error_forms(&mut self, oauth: bool) -> Vec<(&'static str, Value)> {
        if oauth {
            let schema = self.schemas.fixed("OAuthError", failure::oauth_schema);
            return vec![("application/json", schema)];
        }
        let error = self.schemas.fixed("Error", failure::error_schema);
        let problem = self.schemas.fixed("Problem", || failure::problem_schema(&error));
        vec![("application/json", error), ("application/problem+json", problem)]
    }

    fn response(&mut self, description: &str, headers: &[&'static str]) -> Response {
        self.headers.extend(headers);
        let reference = |name: &&str| ((*name).to_owned(), header::reference(name));
        Response {
            description: description.to_owned(),
            headers: headers.iter().map(reference).collect(),
            ..Response::default()
        }
    }
}

/// As declared, or 204 for an empty answer, or 200.
fn success_status(method: &Method) -> u16 {
    let empty = method.descriptor.output().full_name() == "google.protobuf.Empty";
    match u16::try_from(method.http.success_status) {
        Ok(declared @ 1..) => declared,
        _ if empty => 204,
        _ => 200,
    }
}

pub(crate) fn is_http_body(message: &MessageDescriptor) -> bool {
    message.full_name() == "google.api.HttpBody"
}

pub(crate) fn json_media(schema: Value) -> (String, MediaType) {
    let media = MediaType { schema: Some(schema_object(schema)), ..MediaType::default() };
    ("application/json".to_owned(), media)
}

/// Bytes of any type, as `google.api.HttpBody` carries them.
pub(crate) fn anything() -> (String, MediaType) {
    let schema = Some(schema_object(json!({"type": "string", "format": "binary"})));
    ("*/*".to_owned(), MediaType { schema, ..MediaType::default() })
}
