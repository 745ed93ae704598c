//! The parameters of an operation: path, query and headers.

use aide::openapi::{
    HeaderStyle, Parameter, ParameterData, ParameterSchemaOrContent, PathStyle, QueryStyle,
    ReferenceOr,
};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use registry::{Caller, Idempotency, Method};
use serde_json::{Value, json};

use crate::{
    binding::{Binding, Body, Variable},
    document::{Document, schema_object},
    schema::{Direction, Schemas},
    value::has_text_form,
};

impl Document<'_> {
    pub fn parameters(
        &mut self,
        method: &Method,
        binding: &Binding,
    ) -> Vec<ReferenceOr<Parameter>> {
        let examples = self.examples;
        let example = |field: &str| examples.parameter(method, field);
        let mut all = Vec::new();
        for variable in &binding.variables {
            all.push(path(&mut self.schemas, variable, example(&variable.field_path)));
        }
        for (name, field, required) in query_fields(&self.schemas, method, binding) {
            let value = example(&name);
            all.push(query(&mut self.schemas, name, &field, required, value));
        }
        all.extend(idempotency_key(method.idempotency));
        all.extend(method.metadata.request.iter().map(|it| header(it, false, metadata(it))));
        let mut all: Vec<_> = all.into_iter().map(ReferenceOr::Item).collect();
        if method.callers.contains(&Caller::Service) {
            self.names_brand = true;
            all.push(ReferenceOr::ref_("#/components/parameters/BrandId"));
        }
        all
    }
}

/// `X-Brand-Id`, which only machine clients may send.
pub(crate) fn brand_id() -> Parameter {
    let text = "The brand to act in. Only for machine clients, within the brands of their token.";
    let schema = json!({"type": "string", "pattern": "^[a-z0-9_-]{1,32}$", "description": text});
    header("X-Brand-Id", false, schema)
}

/// The value of a header that the service sees or sends.
pub(crate) fn metadata(name: &str) -> Value {
    match name.ends_with("-bin") {
        true => json!({"type": "string", "contentEncoding": "base64"}),
        false => json!({"type": "string"}),
    }
}

fn idempotency_key(idempotency: Idempotency) -> Option<Parameter> {
    let (required, hours) = match idempotency {
        Idempotency::None => return None,
        Idempotency::Accepted { retention_hours } => (false, retention_hours),
        Idempotency::Required { retention_hours } => (true, retention_hours),
    };
    let text = format!(
        "A value of the caller's choice that names this one act. A call with the same key and \
         body within {hours} hours gets the first answer again and does nothing again; with \
         another body it fails with 409."
    );
    let schema = json!({"type": "string", "pattern": "^[!-~]{1,128}$", "description": text});
    Some(header("Idempotency-Key", required, schema))
}

fn header(name: &str, required: bool, schema: Value) -> Parameter {
    let parameter_data = data(name.to_owned(), required, schema, None);
    Parameter::Header { parameter_data, style: HeaderStyle::Simple }
}

fn path(schemas: &mut Schemas<'_>, variable: &Variable, example: Option<Value>) -> Parameter {
    let field = variable.field.as_ref();
    let mut schema =
        field.map_or_else(|| json!({"type": "string"}), |it| schemas.field(it, Direction::Request));
    let mut extensions = Vec::new();
    if let Some(pattern) = &variable.pattern {
        schema["pattern"] = pattern.as_str().into();
        extensions.push(("x-multi-segment".to_owned(), true.into()));
    }
    if field.is_some() && variable.label != variable.field_path {
        extensions.push(("x-field".to_owned(), variable.field_path.as_str().into()));
    }
    let mut parameter_data = data(variable.label.clone(), true, schema, example);
    parameter_data.extensions.extend(extensions);
    Parameter::Path { parameter_data, style: PathStyle::Simple }
}

fn query(
    schemas: &mut Schemas<'_>,
    name: String,
    field: &FieldDescriptor,
    required: bool,
    example: Option<Value>,
) -> Parameter {
    let schema = schemas.field(field, Direction::Request);
    let mut parameter_data = data(name, required, schema, example);
    parameter_data.explode = field.is_list().then_some(true);
    Parameter::Query {
        parameter_data,
        allow_reserved: false,
        style: QueryStyle::Form,
        allow_empty_value: None,
    }
}

/// What is said of the field as a whole is said of the parameter, not of its value.
fn data(name: String, required: bool, mut schema: Value, example: Option<Value>) -> ParameterData {
    let mut take = |member: &str| schema.as_object_mut().and_then(|it| it.remove(member));
    let description = take("description").and_then(|it| it.as_str().map(str::to_owned));
    let deprecated = take("deprecated").and_then(|it| it.as_bool());
    let phi = take("x-phi").map(|it| ("x-phi".to_owned(), it));
    ParameterData {
        name,
        description,
        required,
        deprecated,
        format: ParameterSchemaOrContent::Schema(schema_object(schema)),
        example,
        examples: Default::default(),
        explode: None,
        extensions: phi.into_iter().collect(),
    }
}

/// The fields that neither the path nor the body sets, by dotted name, and whether they are
/// required. Those without a text form cannot be sent.
fn query_fields(
    schemas: &Schemas<'_>,
    method: &Method,
    binding: &Binding,
) -> Vec<(String, FieldDescriptor, bool)> {
    let mut taken: Vec<String> = binding.variables.iter().map(|it| it.field_path.clone()).collect();
    match &binding.body {
        Body::Whole => return Vec::new(),
        Body::Field(field) => taken.push(field.name().to_owned()),
        Body::None => {}
    }
    let mut found = Vec::new();
    let mut outer = Vec::new();
    walk(&method.descriptor.input(), "", &mut outer, &mut |name, field| {
        let required = !name.contains('.') && schemas.is_required(field, Direction::Request);
        if !taken.contains(&name) {
            found.push((name, field.clone(), required));
        }
    });
    let inside = |name: &str| taken.iter().any(|it| name.starts_with(&format!("{it}.")));
    found.retain(|(name, ..)| !inside(name));
    found
}

/// Visits every field with a text form, through singular messages, each of them once on a way.
fn walk(
    message: &MessageDescriptor,
    prefix: &str,
    outer: &mut Vec<String>,
    visit: &mut dyn FnMut(String, &FieldDescriptor),
) {
    outer.push(message.full_name().to_owned());
    for field in message.fields().filter(|it| !it.is_map()) {
        let name = format!("{prefix}{}", field.name());
        match field.kind() {
            kind if has_text_form(&kind) => visit(name, &field),
            Kind::Message(inner)
                if !field.is_list()
                    && is_open(&inner)
                    && !outer.contains(&inner.full_name().into()) =>
            {
                walk(&inner, &format!("{name}."), outer, visit);
            }
            _ => {}
        }
    }
    outer.pop();
}

/// Whether a message's fields can be addressed one by one.
fn is_open(message: &MessageDescriptor) -> bool {
    !message.full_name().starts_with("google.protobuf.")
}
