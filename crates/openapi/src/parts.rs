//! Bodies of `multipart/form-data`: a part for each field.

use aide::openapi::MediaType;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use registry::Method;
use serde_json::{Map, Value, json};

use crate::{
    binding::{Binding, Body},
    document::{Document, schema_object},
    response::is_http_body,
    schema::Direction,
};

const TEXT: &str = "Each part sets the field that it is named after. A part of another field than \
                    a file is text, or JSON if its type says so. A repeated field takes one part \
                    for each element, and `a.b` is the field `b` of the message `a`.";

impl Document<'_> {
    /// The body in parts, if the method takes one.
    pub fn parts(&mut self, method: &Method, binding: &Binding) -> Option<MediaType> {
        let message = match &binding.body {
            _ if !method.http.multipart || method.descriptor.is_client_streaming() => return None,
            Body::None => return None,
            Body::Whole => method.descriptor.input(),
            Body::Field(field) => match field.kind() {
                Kind::Message(inner) if !field.is_list() => inner,
                _ => return None,
            },
        };
        (!is_http_body(&message)).then(|| {
            let schema = Some(schema_object(self.form(&message, &binding.bound())));
            MediaType { schema, ..MediaType::default() }
        })
    }

    fn form(&mut self, message: &MessageDescriptor, bound: &[&str]) -> Value {
        let (mut properties, mut required) = (Map::new(), Vec::new());
        let fields = message.fields().filter(|it| !bound.contains(&it.name()) && !it.is_map());
        for field in fields {
            properties.insert(field.name().to_owned(), self.part(&field));
            if self.schemas.is_required(&field, Direction::Request) {
                required.push(field.name().to_owned());
            }
        }
        let mut schema = json!({"type": "object", "description": TEXT, "properties": properties});
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        schema
    }

    fn part(&mut self, field: &FieldDescriptor) -> Value {
        let is_file = match field.kind() {
            Kind::Bytes => true,
            Kind::Message(inner) => is_http_body(&inner),
            _ => false,
        };
        let mut schema = self.schemas.field(field, Direction::Request);
        let file = json!({"type": "string", "contentMediaType": "application/octet-stream"});
        match (is_file, field.is_list()) {
            (false, _) => schema,
            (true, true) => {
                schema["items"] = file;
                schema
            }
            (true, false) => {
                let description = schema.get("description").cloned();
                let mut schema = file;
                if let Some(description) = description {
                    schema["description"] = description;
                }
                schema
            }
        }
    }
}
