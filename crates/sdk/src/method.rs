//! One method as a client calls it: what it takes, where that goes, what comes back.

use registry::Method;
use serde_json::Value;

use crate::{
    Error,
    shape::{Field, Kind, Shape, Type},
};

/// A method over its first HTTP binding.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// As the contract has it: `ListMyBiomarkers`.
    pub name: String,
    /// `ClinicalService/ListMyBiomarkers`, for errors and logs.
    pub operation: String,
    pub text: String,
    pub deprecated: bool,
    /// In upper case.
    pub verb: String,
    /// With `{field}` for a segment and `{+field}` for what may hold slashes (RFC 6570).
    pub path: String,
    pub fields: Vec<Field>,
    pub body: Body,
    /// Absent: the answer is empty.
    pub answer: Option<Shape>,
    /// Takes an Idempotency-Key.
    pub keyed: bool,
    /// Takes no token.
    pub public: bool,
    pub pages: Option<Pages>,
}

/// What of a request is its body; what neither path nor body takes is the query.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body {
    None,
    Json,
    Form,
    /// One field as JSON.
    Field(String),
    /// One field as it is.
    Bytes(String),
}

/// How the items of all pages are told apart and found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pages {
    /// The member of an answer that holds the items.
    pub items: String,
    pub item: Shape,
    pub by: By,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum By {
    /// `page_token` and `next_page_token`.
    Token,
    /// `offset` and `total`.
    Offset,
}

/// Where an operation stands in its document.
pub(crate) struct Place<'a> {
    pub document: &'a Value,
    pub path: &'a str,
    pub verb: &'a str,
    pub operation: &'a Value,
}

impl Call {
    pub fn read(method: &Method, place: &Place<'_>) -> Result<Self, Error> {
        let operation = place.operation;
        let parameters = Parameters::read(place);
        let body = body(method, operation)?;
        let mut fields = parameters.fields;
        fields.extend(body_fields(place, &body));
        let answer = answer(operation);
        let summary = operation["summary"].as_str().map(|it| format!("{it}."));
        let description = operation["description"].as_str().map(str::to_owned);
        let service = method.descriptor.parent_service();
        Ok(Self {
            name: method.descriptor.name().to_owned(),
            operation: format!("{}/{}", service.name(), method.descriptor.name()),
            text: summary.into_iter().chain(description).collect::<Vec<_>>().join("\n\n"),
            deprecated: operation["deprecated"] == true,
            verb: place.verb.to_ascii_uppercase(),
            path: parameters.path,
            pages: pages(place.document, &fields, answer.as_ref()),
            fields,
            body,
            answer,
            keyed: parameters.keyed,
            public: operation["security"].as_array().is_some_and(Vec::is_empty),
        })
    }

    /// `ListMyBiomarkersRequest`.
    pub fn request_name(&self) -> String {
        format!("{}Request", self.name)
    }

    /// Whether it can be called without any field.
    pub fn needs_nothing(&self) -> bool {
        !self.fields.iter().any(|it| it.required)
    }

    /// The names of the types that it refers to.
    pub fn names(&self) -> Vec<&str> {
        let fields = self.fields.iter().flat_map(|it| it.shape.names());
        fields.chain(self.answer.iter().flat_map(Shape::names)).collect()
    }
}

/// The component that a reference names.
pub(crate) fn component<'a>(document: &'a Value, schema: &'a Value) -> Option<&'a Value> {
    let pointer = schema["$ref"].as_str()?.strip_prefix('#')?;
    document.pointer(pointer)
}

/// What the path and the query of an operation set.
struct Parameters {
    path: String,
    fields: Vec<Field>,
    keyed: bool,
}

impl Parameters {
    fn read(place: &Place<'_>) -> Self {
        let mut all = Self { path: place.path.to_owned(), fields: Vec::new(), keyed: false };
        for parameter in place.operation["parameters"].as_array().into_iter().flatten() {
            all.add(parameter);
        }
        all
    }

    fn add(&mut self, parameter: &Value) {
        let Some(name) = parameter["name"].as_str() else { return };
        let field = |name: &str| {
            let field = Field::read(name, &parameter["schema"], parameter["required"] == true);
            let text = parameter["description"].as_str().unwrap_or_default().to_owned();
            Field { text, deprecated: parameter["deprecated"] == true, ..field }
        };
        match parameter["in"].as_str() {
            Some("path") => {
                let of = parameter["x-field"].as_str().unwrap_or(name);
                let mark = if parameter["x-multi-segment"] == true { "+" } else { "" };
                self.path = self.path.replace(&format!("{{{name}}}"), &format!("{{{mark}{of}}}"));
                self.fields.push(field(of));
            }
            Some("query") => self.fields.push(field(name)),
            _ => self.keyed |= name == "Idempotency-Key",
        }
    }
}

fn body(method: &Method, operation: &Value) -> Result<Body, Error> {
    let content = &operation["requestBody"]["content"];
    let whole = match rule(method).as_deref() {
        None => return Ok(Body::None),
        Some("*") => true,
        Some(_) => false,
    };
    let name = rule(method).unwrap_or_default();
    let bytes = content["application/json"].is_null() && !content["*/*"].is_null();
    Ok(match (whole, bytes) {
        (true, false) if method.http.form => Body::Form,
        (true, false) => Body::Json,
        (true, true) => Body::Bytes("body".to_owned()),
        (false, true) => Body::Bytes(name),
        (false, false) if content["application/json"].is_null() => {
            let method = method.path.clone();
            return Err(Error::Inexpressible {
                method,
                what: "takes a body of no known type".into(),
            });
        }
        (false, false) => Body::Field(name),
    })
}

/// What the HTTP rule of a method says of the body: nothing, `*` or a field.
fn rule(method: &Method) -> Option<String> {
    let options = method.descriptor.options();
    let (_, rule) = options.extensions().find(|(it, _)| it.full_name() == "google.api.http")?;
    let body = rule.as_message()?.get_field_by_name("body")?;
    body.as_str().filter(|it| !it.is_empty()).map(str::to_owned)
}

fn body_fields(place: &Place<'_>, body: &Body) -> Vec<Field> {
    let request = &place.operation["requestBody"];
    let schema = &request["content"]["application/json"]["schema"];
    match body {
        Body::None => Vec::new(),
        Body::Json | Body::Form => Field::all(component(place.document, schema).unwrap_or(schema)),
        Body::Field(name) => vec![Field::read(name, schema, request["required"] == true)],
        Body::Bytes(name) => {
            let schema = &request["content"]["*/*"]["schema"];
            vec![Field::read(name, schema, request["required"] == true)]
        }
    }
}

/// The answer of the one success that a document has of an operation.
fn answer(operation: &Value) -> Option<Shape> {
    let responses = operation["responses"].as_object()?;
    let (_, success) = responses.iter().find(|(status, _)| status.starts_with('2'))?;
    let content = success["content"].as_object()?;
    let media = content.get("application/json").or_else(|| content.values().next())?;
    Some(Shape::read(&media["schema"]))
}

/// Whether pages follow, by the names that contracts give their parts.
fn pages(document: &Value, fields: &[Field], answer: Option<&Shape>) -> Option<Pages> {
    let Some(Shape::Named(name)) = answer else { return None };
    let schemas = document["components"]["schemas"].as_object()?;
    let mut types = schemas.iter().map(|(name, it)| Type::read(name, it));
    let Kind::Object(members) = types.find(|it| it.name == *name)?.kind else { return None };
    let takes = |name: &str| fields.iter().any(|it| it.name == name);
    let gives = |name: &str| members.iter().any(|it| it.name == name);
    let by = match () {
        () if takes("page_token") && gives("next_page_token") => By::Token,
        () if takes("offset") && gives("total") => By::Offset,
        () => return None,
    };
    let mut lists = members.iter().filter_map(|it| match &it.shape {
        Shape::List(item) => Some((it.name.clone(), (**item).clone())),
        _ => None,
    });
    match (lists.next(), lists.next()) {
        (Some((items, item)), None) => Some(Pages { items, item, by }),
        _ => None,
    }
}
