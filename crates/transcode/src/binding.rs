//! What the descriptors say of a method and of each of its HTTP bindings.

use std::sync::Arc;

use http::{Method, StatusCode};
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, Value};

use crate::entity_tag::EntityTag;
use crate::field_path::FieldPath;
use crate::message::Message;
use crate::metadata::Metadata;
use crate::plan::{Kind, MessageId, Plans};
use crate::router::Verbs;
use crate::template::{Template, TemplateError};
use crate::text::has_text_form;
use crate::update_mask::UpdateMask;

/// Why descriptors are no API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    #[error("{method}: template {template:?}: {source}")]
    Template { method: String, template: String, source: TemplateError },
    /// Two bindings would serve the same requests.
    #[error("{method} {template:?} and {other} {other_template:?} serve the same requests")]
    Ambiguous { method: String, template: String, other: String, other_template: String },
    #[error("{method}: {reason}")]
    Binding { method: String, reason: String },
}

/// A gRPC method, bound to HTTP or not.
#[derive(Debug)]
pub struct MethodPlan {
    pub(crate) plans: Arc<Plans>,
    grpc_path: String,
    input: MessageId,
    output: MessageId,
    server_streaming: bool,
    client_streaming: bool,
    answers_empty: bool,
    /// Of any of its bindings.
    takes_http_body: bool,
    answers_http_body: bool,
    options: HttpOptions,
    metadata: Metadata,
}

/// `loop.options.v1.http`.
#[derive(Debug, Default, Clone, Copy)]
struct HttpOptions {
    form: bool,
    multipart: bool,
    oauth_errors: bool,
    success_status: Option<StatusCode>,
    largest_body: Option<u32>,
}

/// One way to call a method over HTTP.
#[derive(Debug)]
pub(crate) struct Binding {
    /// Index of the method.
    pub(crate) method: usize,
    pub(crate) template: String,
    pub(crate) body: Body,
    /// Whether the body is the bytes of a `google.api.HttpBody`.
    pub(crate) takes_http_body: bool,
    /// Index of the field that is the response body.
    pub(crate) response_body: Option<usize>,
    pub(crate) answers_http_body: bool,
    /// The fields of the template's variables, in its order.
    pub(crate) variables: Vec<FieldPath>,
    /// Of a PATCH whose request has one.
    pub(crate) update_mask: Option<UpdateMask>,
    pub(crate) request_etag: Option<EntityTag>,
    pub(crate) answer_etag: Option<EntityTag>,
}

/// Where the request body goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    None,
    Whole,
    Field(usize),
}

impl MethodPlan {
    /// `/package.Service/Method`.
    pub fn grpc_path(&self) -> &str {
        &self.grpc_path
    }

    pub fn input(&self) -> Message<'_> {
        Message { plans: &self.plans, id: self.input }
    }

    pub fn output(&self) -> Message<'_> {
        Message { plans: &self.plans, id: self.output }
    }

    /// Whether errors have the form of RFC 6749 section 5.2.
    pub fn oauth_errors(&self) -> bool {
        self.options.oauth_errors
    }

    /// Whether the body may be `application/x-www-form-urlencoded`.
    pub fn accepts_form(&self) -> bool {
        self.options.form
    }

    /// Whether the body may be `multipart/form-data` (RFC 7578).
    pub fn accepts_multipart(&self) -> bool {
        self.options.multipart
    }

    pub fn is_server_streaming(&self) -> bool {
        self.server_streaming
    }

    pub fn is_client_streaming(&self) -> bool {
        self.client_streaming
    }

    /// Whether the request body of some binding is raw: the bytes of a `google.api.HttpBody`.
    pub fn takes_http_body(&self) -> bool {
        self.takes_http_body
    }

    /// Whether the response body of some binding is raw: the bytes of a `google.api.HttpBody`,
    /// in a stream those of one message after the other.
    pub fn answers_http_body(&self) -> bool {
        self.answers_http_body
    }

    /// The status of a success: as declared, or 204 for an empty answer, or 200.
    pub fn success_status(&self) -> StatusCode {
        match self.options.success_status {
            Some(status) => status,
            None if self.answers_empty() => StatusCode::NO_CONTENT,
            None => StatusCode::OK,
        }
    }

    /// Whether the answer is `google.protobuf.Empty`, which has no body over HTTP.
    pub fn answers_empty(&self) -> bool {
        self.answers_empty
    }

    /// The largest body of a request that the contract states, in bytes; of a stream, the largest
    /// message.
    pub fn largest_body(&self) -> Option<usize> {
        self.options.largest_body.map(|bytes| bytes as usize)
    }

    /// What crosses the edge besides messages.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Notes what a binding of this method can do.
    pub(crate) fn add(&mut self, binding: &Binding) {
        self.takes_http_body |= binding.takes_http_body;
        self.answers_http_body |= binding.answers_http_body;
    }

    pub(crate) fn compile(
        plans: &Arc<Plans>,
        pool: &DescriptorPool,
        method: &MethodDescriptor,
    ) -> Result<MethodPlan, BuildError> {
        let service = method.parent_service().full_name();
        Ok(MethodPlan {
            plans: Arc::clone(plans),
            grpc_path: format!("/{service}/{}", method.name()),
            input: plans.message_ids[method.input().full_name()],
            output: plans.message_ids[method.output().full_name()],
            server_streaming: method.is_server_streaming(),
            client_streaming: method.is_client_streaming(),
            answers_empty: method.output().full_name() == "google.protobuf.Empty",
            takes_http_body: false,
            answers_http_body: false,
            options: http_options(pool, method)?,
            metadata: metadata(pool, method)?,
        })
    }
}

fn metadata(pool: &DescriptorPool, method: &MethodDescriptor) -> Result<Metadata, BuildError> {
    let option = extension(pool, method, "loop.options.v1.metadata");
    let read = option.as_ref().map(Metadata::read).transpose();
    read.map(Option::unwrap_or_default)
        .map_err(|reason| BuildError::Binding { method: method.full_name().to_owned(), reason })
}

fn http_options(
    pool: &DescriptorPool,
    method: &MethodDescriptor,
) -> Result<HttpOptions, BuildError> {
    let Some(http) = extension(pool, method, "loop.options.v1.http") else {
        return Ok(HttpOptions::default());
    };
    let flag = |name| http.get_field_by_name(name).and_then(|value| value.as_bool());
    let number = |name| http.get_field_by_name(name).and_then(|value| value.as_u32());
    let given = |name| number(name).filter(|number| *number != 0);
    let success = |code: u32| {
        let status = u16::try_from(code).ok().and_then(|code| StatusCode::from_u16(code).ok());
        status.filter(StatusCode::is_success).ok_or_else(|| BuildError::Binding {
            method: method.full_name().to_owned(),
            reason: format!("success_status {code} is not a success"),
        })
    };
    Ok(HttpOptions {
        form: flag("form").unwrap_or_default(),
        multipart: flag("multipart").unwrap_or_default(),
        oauth_errors: flag("oauth_errors").unwrap_or_default(),
        success_status: given("success_status").map(success).transpose()?,
        largest_body: given("largest_body"),
    })
}

/// The `google.api.http` rule of a method and its additional bindings.
pub(crate) fn rules(
    pool: &DescriptorPool,
    method: &MethodDescriptor,
) -> Result<Vec<DynamicMessage>, BuildError> {
    let Some(rule) = extension(pool, method, "google.api.http") else { return Ok(Vec::new()) };
    let additional = nested_rules(&rule);
    if additional.iter().any(|rule| !nested_rules(rule).is_empty()) {
        return Err(BuildError::Binding {
            method: method.full_name().to_owned(),
            reason: "additional_bindings hold no additional_bindings".to_owned(),
        });
    }
    Ok(std::iter::once(rule).chain(additional).collect())
}

fn nested_rules(rule: &DynamicMessage) -> Vec<DynamicMessage> {
    let nested = rule.get_field_by_name("additional_bindings");
    let nested = nested.as_ref().and_then(|value| value.as_list()).unwrap_or_default();
    nested.iter().filter_map(Value::as_message).cloned().collect()
}

fn extension(
    pool: &DescriptorPool,
    method: &MethodDescriptor,
    name: &str,
) -> Option<DynamicMessage> {
    let extension = pool.get_extension_by_name(name)?;
    let options = method.options();
    options.has_extension(&extension).then_some(())?;
    options.get_extension(&extension).as_message().cloned()
}

/// Compiles one rule: for which requests it stands and what it does with them.
pub(crate) fn compile(
    index: usize,
    method: &MethodPlan,
    rule: &DynamicMessage,
) -> Result<(Verbs, Template, Binding), BuildError> {
    let wrong = |reason: String| BuildError::Binding { method: method.grpc_path.clone(), reason };
    let (verbs, text) = pattern(rule).map_err(|reason| wrong(reason.to_owned()))?;
    let template = template(method, &text)?;
    let variables = template.variables.iter().map(|it| variable(method, &it.field_path));
    let variables = variables.collect::<Result<Vec<_>, _>>().map_err(&wrong)?;
    let body = body(method, rule).map_err(&wrong)?;
    let response_body = response_body(method, rule).map_err(&wrong)?;
    let (takes_http_body, answers_http_body) = raw(method, body, response_body);
    check_body(method, body, takes_http_body, &variables).map_err(&wrong)?;
    let is_patch = verbs == Verbs::Only(Method::PATCH);
    let mask = || UpdateMask::compile(&method.plans, method.input, body, &variables);
    let binding = Binding {
        method: index,
        update_mask: is_patch.then(mask).flatten(),
        request_etag: EntityTag::of_request(&method.plans, method.input, body),
        answer_etag: EntityTag::of_answer(&method.plans, method.output, response_body),
        takes_http_body,
        body,
        answers_http_body,
        response_body,
        variables,
        template: text,
    };
    Ok((verbs, template, binding))
}

fn pattern(rule: &DynamicMessage) -> Result<(Verbs, String), &'static str> {
    for (name, method) in [
        ("get", Method::GET),
        ("put", Method::PUT),
        ("post", Method::POST),
        ("delete", Method::DELETE),
        ("patch", Method::PATCH),
    ] {
        if rule.has_field_by_name(name) {
            return Ok((Verbs::Only(method), text(rule, name)));
        }
    }
    let custom = rule.get_field_by_name("custom").filter(|_| rule.has_field_by_name("custom"));
    let custom = custom.as_ref().and_then(|value| value.as_message());
    let custom = custom.ok_or("an HTTP rule without a pattern")?;
    let verbs = match text(custom, "kind").as_str() {
        "*" => Verbs::Any,
        kind => {
            let method = Method::from_bytes(kind.as_bytes());
            Verbs::Only(method.map_err(|_| "a custom kind that is no HTTP method")?)
        }
    };
    Ok((verbs, text(custom, "path")))
}

fn text(message: &DynamicMessage, field: &str) -> String {
    let value = message.get_field_by_name(field);
    value.as_ref().and_then(|value| value.as_str()).unwrap_or_default().to_owned()
}

fn template(method: &MethodPlan, text: &str) -> Result<Template, BuildError> {
    let template = if text == "/" { Ok(Template::root()) } else { Template::parse(text) };
    template.map_err(|source| BuildError::Template {
        method: method.grpc_path.clone(),
        template: text.to_owned(),
        source,
    })
}

fn variable(method: &MethodPlan, dotted: &str) -> Result<FieldPath, String> {
    let has_text = |path: &FieldPath| {
        let field = path.field(&method.plans);
        !field.is_repeated() && has_text_form(&method.plans, field.kind)
    };
    let path = FieldPath::resolve(&method.plans, method.input, dotted).filter(has_text);
    path.ok_or_else(|| format!("{{{dotted}}} is no field with a text form"))
}

fn body(method: &MethodPlan, rule: &DynamicMessage) -> Result<Body, String> {
    match text(rule, "body").as_str() {
        "" => Ok(Body::None),
        "*" => Ok(Body::Whole),
        name => top_level(&method.plans, method.input, name, "body").map(Body::Field),
    }
}

fn response_body(method: &MethodPlan, rule: &DynamicMessage) -> Result<Option<usize>, String> {
    match text(rule, "response_body").as_str() {
        "" => Ok(None),
        name => top_level(&method.plans, method.output, name, "response_body").map(Some),
    }
}

fn top_level(plans: &Plans, id: MessageId, name: &str, option: &str) -> Result<usize, String> {
    let index = plans.message(id).index_of_name(name);
    index.ok_or_else(|| format!("{option} {name:?} is no field of {}", plans.message(id).full_name))
}

/// Whether the request and the response body are those of a `google.api.HttpBody`.
fn raw(method: &MethodPlan, body: Body, response_body: Option<usize>) -> (bool, bool) {
    let plans = &method.plans;
    let holds = |id: MessageId, index: usize| {
        let field = &plans.message(id).fields[index];
        !field.is_repeated() && matches!(field.kind, Kind::Message(id) if plans.is_http_body(id))
    };
    let takes = match body {
        Body::None => false,
        Body::Whole => plans.is_http_body(method.input),
        Body::Field(index) => holds(method.input, index),
    };
    let whole = || plans.is_http_body(method.output);
    (takes, response_body.map_or_else(whole, |index| holds(method.output, index)))
}

/// Refuses what would leave open which bytes fill a raw body, or which fields the parts.
fn check_body(
    method: &MethodPlan,
    body: Body,
    takes_http_body: bool,
    variables: &[FieldPath],
) -> Result<(), String> {
    let in_body = |variable: &&FieldPath| match body {
        Body::None => false,
        Body::Whole => true,
        Body::Field(index) => variable.indexes().first().map(|it| usize::from(*it)) == Some(index),
    };
    if let Some(variable) = variables.iter().find(in_body).filter(|_| takes_http_body) {
        return Err(format!("{{{}}} is part of the raw body", variable.name));
    }
    let is_open = match body {
        Body::Field(index) => {
            let field = &method.plans.message(method.input).fields[index];
            let message = field.kind.message().map(|id| method.plans.message(id));
            !field.is_repeated() && message.is_some_and(|message| message.well_known.is_none())
        }
        _ => true,
    };
    if method.options.multipart && (takes_http_body || !is_open) {
        return Err("a multipart body is a message of fields".to_owned());
    }
    Ok(())
}
