//! Streams of messages: the forms in which a body holds them, and what OpenAPI has no form for.

use aide::openapi::MediaType;
use prost_reflect::Kind;
use registry::Method;
use serde_json::{Value, json};

use crate::{
    binding::{Binding, Body},
    document::{Document, schema_object},
    failure,
    response::is_http_body,
};

impl Document<'_> {
    /// The forms of an answer of many messages.
    pub fn answers(&mut self, message: Value, example: Option<Value>) -> Vec<(String, MediaType)> {
        let error = self.schemas.fixed("Error", failure::error_schema);
        let item = json!({"anyOf": [message, error]});
        let array = json!({
            "type": "array",
            "items": item,
            "description": "The messages; after a failure, its error is the last element.",
        });
        let lines = "The JSON of one message on each line; after a failure, its error is the last.";
        let events = "Each message is the `data` of an event. The event `end` follows the last; \
                      the event `error` has the error of a failure.";
        vec![
            media("application/json", array, example.map(|it| json!([it]))),
            media("application/x-ndjson", text(lines, &item), None),
            media("text/event-stream", text(events, &item), None),
        ]
    }

    /// The forms of a request of many messages.
    pub fn requests(&self, message: Value, example: Option<Value>) -> Vec<(String, MediaType)> {
        let array = json!({"type": "array", "items": message});
        let lines = "The JSON of one message on each line.";
        vec![
            media("application/x-ndjson", text(lines, &message), None),
            media("application/json", array, example.map(|it| json!([it]))),
        ]
    }
}

/// What is to be said of a method that streams.
pub(crate) fn words(method: &Method, binding: &Binding) -> Vec<&'static str> {
    let (up, down) =
        (method.descriptor.is_client_streaming(), method.descriptor.is_server_streaming());
    let raw_up = match &binding.body {
        Body::None => false,
        Body::Whole => is_http_body(&method.descriptor.input()),
        Body::Field(field) => matches!(field.kind(), Kind::Message(it) if is_http_body(&it)),
    };
    let mut words = Vec::new();
    if up && !raw_up {
        words.push(
            "The body is a stream of messages: lines of JSON, or one JSON array. Path and query \
             are part of the first message.",
        );
    }
    if down {
        words.push("The answer is a stream of messages, whose form `Accept` chooses.");
    }
    if (up || down) && ["get", "post"].contains(&binding.verb.as_str()) {
        words.push(
            "Over a WebSocket (RFC 6455) at the same path, each text frame is the JSON of one \
             message, and an empty one ends the caller's.",
        );
    }
    words
}

fn media(kind: &str, schema: Value, example: Option<Value>) -> (String, MediaType) {
    let schema = Some(schema_object(schema));
    (kind.to_owned(), MediaType { schema, example, ..MediaType::default() })
}

/// JSON Schema describes a text no further; OpenAPI 3.1 knows no items of a text.
fn text(description: &str, item: &Value) -> Value {
    json!({"type": "string", "description": description, "x-items": item})
}
