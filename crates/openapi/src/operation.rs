//! One binding of a method as an operation.

use aide::openapi::{MediaType, Operation, ReferenceOr, RequestBody};
use prost_reflect::{Kind, MessageDescriptor};
use registry::{Audit, Caller, Method, Service};
use serde_json::{Value, json};

use crate::{
    Error,
    binding::{Binding, Body},
    comment,
    document::{Document, schema_object, tag},
    parameter,
    response::{anything, is_http_body, json_media},
    schema::{BodyShape, Direction, component_name},
    security, stream, value,
};

impl Document<'_> {
    pub fn operation(
        &mut self,
        service: &Service,
        method: &Method,
        binding: &Binding,
    ) -> Result<Operation, Error> {
        let descriptor = &method.descriptor;
        let text = comment::of(&descriptor.parent_file(), descriptor.path());
        let (summary, description) = comment::summary(&text);
        let reasons = comment::reasons(&text);
        let present = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let options = descriptor.method_descriptor_proto().options.as_ref();
        let mut operation = Operation {
            tags: vec![tag(service)],
            summary: present(summary),
            description: present(&described(description, method, binding)),
            operation_id: Some(operation_id(method, binding)),
            parameters: self.parameters(method, binding),
            request_body: self.request_body(method, binding).map(ReferenceOr::Item),
            responses: Some(self.responses(method, binding, &reasons)),
            deprecated: options.is_some_and(|it| it.deprecated()),
            security: security::requirements(method)?,
            ..Operation::default()
        };
        if operation.security.is_empty() {
            // The model leaves an empty list out; here it says that no token is needed.
            operation.extensions.insert("security".into(), json!([]));
        }
        operation.extensions.extend(extensions(method, &reasons));
        Ok(operation)
    }

    fn request_body(&mut self, method: &Method, binding: &Binding) -> Option<RequestBody> {
        let (required, kind, mut media) = match &binding.body {
            Body::None => return None,
            Body::Whole => self.whole_body(method, binding),
            Body::Field(field) => {
                let required = self.schemas.is_required(field, Direction::Request);
                let (kind, media) = match field.kind() {
                    Kind::Message(it) if is_http_body(&it) && !field.is_list() => anything(),
                    _ => json_media(self.schemas.field(field, Direction::Request)),
                };
                (required, kind, media)
            }
        };
        media.example = self.examples.request(method, binding);
        let mut content = vec![(kind, media.clone())];
        if method.descriptor.is_client_streaming() && content[0].0 == "application/json" {
            let message = media.schema.map(|it| it.json_schema.to_value()).unwrap_or_default();
            let content = self.requests(message, media.example).into_iter().collect();
            return Some(RequestBody { content, ..RequestBody::default() });
        }
        if method.http.form {
            let schema = self.form_schema(method, binding).map(schema_object);
            let media = MediaType { schema, ..media };
            content.insert(0, ("application/x-www-form-urlencoded".to_owned(), media));
        }
        let parts = self.parts(method, binding);
        content.extend(parts.map(|it| ("multipart/form-data".to_owned(), it)));
        let content = content.into_iter().collect();
        let description = match method.http.largest_body {
            0 => None,
            bytes => Some(format!("At most {bytes} bytes.")),
        };
        Some(RequestBody { description, content, required, ..RequestBody::default() })
    }

    fn whole_body(&mut self, method: &Method, binding: &Binding) -> (bool, String, MediaType) {
        let input = method.descriptor.input();
        if is_http_body(&input) {
            let (kind, media) = anything();
            return (true, kind, media);
        }
        let schema = match value::well_known(&input, Direction::Request) {
            Some(schema) => schema,
            None => self.body_schema(binding, &input, false),
        };
        let required = self.schemas.has_required(&schema);
        let (kind, media) = json_media(schema);
        (required, kind, media)
    }

    /// The schema of a form: as that of JSON, but unknown fields are ignored.
    fn form_schema(&mut self, method: &Method, binding: &Binding) -> Option<Value> {
        let whole = matches!(binding.body, Body::Whole);
        whole.then(|| self.body_schema(binding, &method.descriptor.input(), true))
    }

    fn body_schema(&mut self, binding: &Binding, input: &MessageDescriptor, open: bool) -> Value {
        let bound = binding.bound();
        let mask = input.fields().find(|it| binding.infers(it));
        let inferred = mask.as_ref().map(|it| it.name());
        let shape = BodyShape { bound: &bound, open, inferred };
        let name = component_name(input.full_name(), Direction::Request);
        let stem = name.strip_suffix("Request").unwrap_or(&name);
        let name = match (bound.is_empty(), open) {
            (true, false) => name,
            (true, true) => format!("{stem}Form"),
            (false, false) => format!("{stem}Body{}", binding.suffix),
            (false, true) => format!("{stem}Form{}", binding.suffix),
        };
        self.schemas.body(&name, input, shape)
    }
}

/// The comment's text, and what OpenAPI has no words for.
fn described(text: &str, method: &Method, binding: &Binding) -> String {
    let own = (!text.is_empty()).then(|| text.to_owned());
    let streams = stream::words(method, binding).into_iter().map(str::to_owned);
    let paragraphs = own.into_iter().chain(streams).chain(parameter::words(method, binding));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

/// `ClinicalService_GetBiomarker`; further bindings of a method end with `_2`, `_3`.
fn operation_id(method: &Method, binding: &Binding) -> String {
    let service = method.descriptor.parent_service();
    format!("{}_{}{}", service.name(), method.descriptor.name(), binding.suffix)
}

/// What OpenAPI has no words for.
fn extensions(method: &Method, reasons: &[&str]) -> Vec<(String, Value)> {
    let callers: Vec<&str> = method.callers.iter().map(caller).collect();
    let audit = match &method.audit {
        Audit::Write(event_type) => json!({"write": event_type}),
        Audit::Read(event_type) => json!({"read": event_type}),
        Audit::None(reason) => json!({"none": reason}),
    };
    let mut all = vec![
        ("x-grpc-method".to_owned(), method.path.as_str().into()),
        ("x-callers".to_owned(), callers.into()),
        ("x-audit".to_owned(), audit),
        ("x-rate".to_owned(), method.rate.to_ascii_lowercase().into()),
    ];
    if method.http.largest_body > 0 {
        all.push(("x-largest-body".to_owned(), method.http.largest_body.into()));
    }
    if !method.emits.is_empty() {
        all.push(("x-emits".to_owned(), method.emits.clone().into()));
    }
    if !reasons.is_empty() {
        all.push(("x-reasons".to_owned(), reasons.into()));
    }
    all
}

fn caller(caller: &Caller) -> &'static str {
    match caller {
        Caller::User => "user",
        Caller::Service => "service",
        Caller::Staff => "staff",
        Caller::Public => "public",
    }
}
