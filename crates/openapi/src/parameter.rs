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
    conditional,
    document::{Document, schema_object},
    schema::{Direction, INFERRED, Schemas},
    value::has_text_form,
};

const BRAND_ID: &str = "BrandId";

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
        for (name, field) in query_fields(method, binding) {
            if !has_text_form(&field.kind()) || field.is_map() {
                continue;
            }
            let is_inferred = binding.infers(&field);
            let required = !name.contains('.')
                && !is_inferred
                && self.schemas.is_required(&field, Direction::Request);
            let value = example(&name);
            let mut parameter = query(&mut self.schemas, name, &field, required, value);
            if is_inferred && let Parameter::Query { parameter_data, .. } = &mut parameter {
                let text = parameter_data.description.get_or_insert_default();
                *text = format!("{text} {INFERRED}").trim_start().to_owned();
            }
            all.push(parameter);
        }
        all.extend(idempotency_key(method.idempotency));
        all.extend(method.metadata.request.iter().map(|it| header(it, false, metadata(it))));
        let mut all: Vec<_> = all.into_iter().map(ReferenceOr::Item).collect();
        let shared = [
            (conditional::IF_NONE_MATCH, conditional::is_cached(method, binding)),
            (conditional::IF_MATCH, conditional::takes_tag(method, binding)),
            (BRAND_ID, method.callers.contains(&Caller::Service)),
        ];
        for (name, _) in shared.into_iter().filter(|it| it.1) {
            self.shared.insert(name);
            all.push(ReferenceOr::ref_(&format!("#/components/parameters/{name}")));
        }
        all
    }
}

/// The component of a shared parameter's name.
pub(crate) fn shared(name: &str) -> Parameter {
    if name == BRAND_ID { brand_id() } else { conditional::component(name) }
}

/// `X-Brand-Id`, which only machine clients may send.
fn brand_id() -> Parameter {
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

pub(crate) fn header(name: &str, required: bool, schema: Value) -> Parameter {
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

/// What is to be said of fields that the query sets piece by piece: OpenAPI has no style for them.
pub(crate) fn words(method: &Method, binding: &Binding) -> Option<String> {
    let pieces = query_fields(method, binding).into_iter().filter_map(|(name, field)| {
        let Kind::Message(inner) = field.kind() else { return None };
        if field.is_map() {
            return Some(format!("the map `{name}` as `{name}[key]`"));
        }
        let first = inner.fields().next().filter(|_| !has_text_form(&field.kind()))?;
        Some(format!("the list `{name}` as `{name}[0].{}` and so on", first.name()))
    });
    let pieces: Vec<_> = pieces.collect();
    (!pieces.is_empty()).then(|| format!("In the query, send {}.", pieces.join(", ")))
}

/// The fields that neither the path nor the body sets, by dotted name.
fn query_fields(method: &Method, binding: &Binding) -> Vec<(String, FieldDescriptor)> {
    let mut taken: Vec<String> = binding.variables.iter().map(|it| it.field_path.clone()).collect();
    match &binding.body {
        Body::Whole => return Vec::new(),
        Body::Field(field) => taken.push(field.name().to_owned()),
        Body::None => {}
    }
    let mut found = Vec::new();
    let mut outer = Vec::new();
    walk(&method.descriptor.input(), "", &mut outer, &mut |name, field| {
        if !taken.contains(&name) {
            found.push((name, field.clone()));
        }
    });
    let inside = |name: &str| taken.iter().any(|it| name.starts_with(&format!("{it}.")));
    found.retain(|(name, ..)| !inside(name));
    found
}

/// Visits every field that a query can set, through singular messages, each of them once on a way.
fn walk(
    message: &MessageDescriptor,
    prefix: &str,
    outer: &mut Vec<String>,
    visit: &mut dyn FnMut(String, &FieldDescriptor),
) {
    outer.push(message.full_name().to_owned());
    for field in message.fields() {
        let name = format!("{prefix}{}", field.name());
        match field.kind() {
            _ if field.is_map() && has_text_values(&field) => visit(name, &field),
            _ if field.is_map() => {}
            kind if has_text_form(&kind) => visit(name, &field),
            Kind::Message(inner) if !is_open(&inner) => {}
            Kind::Message(_) if field.is_list() => visit(name, &field),
            Kind::Message(inner) if !outer.contains(&inner.full_name().into()) => {
                walk(&inner, &format!("{name}."), outer, visit);
            }
            _ => {}
        }
    }
    outer.pop();
}

/// Whether the values of a map can stand in a query.
fn has_text_values(map: &FieldDescriptor) -> bool {
    let Kind::Message(entry) = map.kind() else { return false };
    has_text_form(&entry.map_entry_value_field().kind())
}

/// Whether a message's fields can be addressed one by one.
fn is_open(message: &MessageDescriptor) -> bool {
    !message.full_name().starts_with("google.protobuf.")
}
