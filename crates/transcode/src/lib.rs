//! HTTP and JSON to gRPC and back, by descriptors and without I/O.
//!
//! [`Api::build`] compiles every message and every `google.api.http` rule of a descriptor pool.
//! [`Api::route`] finds the method of a request; the [`Match`] turns path, query and body into
//! the wire bytes of the request message, and those of the answer into JSON. [`Api::error`]
//! turns a gRPC status into an HTTP error. Nothing is changed after it is built.
//!
//! A stream is the same message after message: [`Documents`] cuts a request body into JSON
//! documents, [`Match::element`] words one answer. Raw bodies (`google.api.HttpBody`) are not
//! copied: [`Match::request_prefix`] is what comes before their bytes, [`Match::chunk`] is where
//! in an answer they are.

mod binding;
mod compile;
mod documents;
mod entity_tag;
mod error;
mod fault;
mod field_path;
mod json;
mod json_to_wire;
mod map_to_json;
mod mask;
mod media_type;
mod message;
mod metadata;
mod multipart;
mod normal;
mod number;
mod parameters;
mod plan;
mod print;
mod raw_body;
mod request;
mod response;
mod router;
mod safe_view;
mod seen;
mod status;
mod template;
mod text;
mod time;
mod update_mask;
mod verbatim;
mod well_known_to_json;
mod well_known_to_wire;
mod wire;
mod wire_to_json;

use std::collections::HashMap;
use std::sync::Arc;

use http::Method;
use prost_reflect::DescriptorPool;

pub use binding::{BuildError, MethodPlan};
pub use documents::Documents;
pub use error::{ErrorFormat, ErrorResponse};
pub use fault::RequestError;
pub use json_to_wire::Unknown;
pub use message::Message;
pub use metadata::Metadata;
pub use multipart::Part;
pub use plan::{Phi, Style};
pub use print::{Defaults, Enums, PrintOptions};
pub use response::{Chunk, Response};
pub use safe_view::{SAFE_VIEW_LIMIT, SafeView};
pub use status::{Code, Status};
pub use template::{Segment, Template, TemplateError, Variable};
pub use wire::WireError;
pub use wire_to_json::ResponseError;

use binding::Binding;
use plan::Plans;
use request::{Content, Location};
use router::{Found, Router};

/// Everything that descriptors say about HTTP and JSON.
#[derive(Debug)]
pub struct Api {
    plans: Arc<Plans>,
    methods: Vec<MethodPlan>,
    by_grpc_path: HashMap<String, usize>,
    bindings: Vec<Binding>,
    router: Router,
}

/// The outcome of [`Api::route`].
#[derive(Debug)]
pub enum Route<'a> {
    Found(Match<'a>),
    /// The path is served under these methods, OPTIONS among them: the value of `Allow`.
    OtherMethods(Vec<Method>),
    NotFound,
}

/// A request's method and the values that its path holds.
#[derive(Debug)]
pub struct Match<'a> {
    api: &'a Api,
    binding: &'a Binding,
    values: Vec<Vec<u8>>,
}

impl Api {
    /// Compiles a pool that holds the extensions as well, that is one decoded from a
    /// descriptor set with all imports.
    pub fn build(pool: &DescriptorPool) -> Result<Api, BuildError> {
        let mut api = Api {
            plans: Arc::new(compile::plans(pool)),
            methods: Vec::new(),
            by_grpc_path: HashMap::new(),
            bindings: Vec::new(),
            router: Router::default(),
        };
        for service in pool.services() {
            for method in service.methods() {
                let plan = MethodPlan::compile(&api.plans, pool, &method)?;
                api.add(plan, &binding::rules(pool, &method)?)?;
            }
        }
        Ok(api)
    }

    fn add(
        &mut self,
        mut method: MethodPlan,
        rules: &[prost_reflect::DynamicMessage],
    ) -> Result<(), BuildError> {
        let index = self.methods.len();
        for rule in rules {
            let (verbs, template, binding) = binding::compile(index, &method, rule)?;
            if let Err(other) = self.router.insert(verbs, template, self.bindings.len()) {
                let other = &self.bindings[other];
                let other_method = self.methods.get(other.method).unwrap_or(&method);
                return Err(BuildError::Ambiguous {
                    other: other_method.grpc_path().to_owned(),
                    other_template: other.template.clone(),
                    method: method.grpc_path().to_owned(),
                    template: binding.template,
                });
            }
            method.add(&binding);
            self.bindings.push(binding);
        }
        self.by_grpc_path.insert(method.grpc_path().to_owned(), index);
        self.methods.push(method);
        Ok(())
    }

    /// Finds the binding of a request by its method and raw path, most specific first.
    pub fn route(&self, method: &Method, path: &str) -> Route<'_> {
        match self.router.find(method, path) {
            Found::Route { target, values } => {
                Route::Found(Match { api: self, binding: &self.bindings[target], values })
            }
            Found::OtherMethods(methods) => Route::OtherMethods(methods),
            Found::Nothing => Route::NotFound,
        }
    }

    /// A method by its gRPC path, such as `/loop.clinical.v1.ClinicalService/GetBiomarker`.
    pub fn method(&self, grpc_path: &str) -> Option<&MethodPlan> {
        self.by_grpc_path.get(grpc_path).map(|index| &self.methods[*index])
    }

    /// All methods, with and without HTTP bindings.
    pub fn methods(&self) -> impl Iterator<Item = &MethodPlan> {
        self.methods.iter()
    }

    /// The methods that have an HTTP binding, as often as they have one.
    pub fn bound_methods(&self) -> impl Iterator<Item = &MethodPlan> {
        self.bindings.iter().map(|binding| &self.methods[binding.method])
    }

    /// A message type by its full name.
    pub fn message(&self, full_name: &str) -> Option<Message<'_>> {
        let id = *self.plans.message_ids.get(full_name)?;
        Some(Message { plans: &self.plans, id })
    }

    /// Renders a failed call.
    pub fn error(&self, status: &Status, request_id: &str, format: ErrorFormat) -> ErrorResponse {
        error::render(&self.plans, status, request_id, format)
    }
}

impl<'a> Match<'a> {
    pub fn method(&self) -> &'a MethodPlan {
        &self.api.methods[self.binding.method]
    }

    /// The template that matched, such as `/v1/biomarkers/{id}`: a label for metrics.
    pub fn template(&self) -> &'a str {
        &self.binding.template
    }

    /// Whether the request body is raw: the bytes of a `google.api.HttpBody`.
    pub fn takes_http_body(&self) -> bool {
        self.binding.takes_http_body
    }

    /// Whether the response body is raw: the bytes of a `google.api.HttpBody`.
    pub fn answers_http_body(&self) -> bool {
        self.binding.answers_http_body
    }

    /// The wire bytes of the request message. The query comes without its question mark.
    ///
    /// Where the client streams, these are the bytes of the first message, with its document for
    /// the body; [`Match::later_request`] has those of the others.
    pub fn request(
        &self,
        query: Option<&str>,
        content_type: Option<&str>,
        body: &[u8],
        style: Style,
    ) -> Result<Vec<u8>, RequestError> {
        let content = Content { content_type, bytes: body, style };
        self.binding.request(self.method(), self.location(query, style), content)
    }

    /// The wire bytes of a message that is not the first one of its stream.
    ///
    /// It has what its document says: path and query are part of the first message only.
    /// `google.api.http` leaves this open; Envoy does the same, grpc-gateway passes over path and
    /// query of a client's stream altogether.
    pub fn later_request(
        &self,
        content_type: Option<&str>,
        document: &[u8],
        style: Style,
    ) -> Result<Vec<u8>, RequestError> {
        let content = Content { content_type, bytes: document, style };
        self.binding.later_request(self.method(), content)
    }

    /// What comes before a raw body in the request message, so that prefix and body together are
    /// what [`Match::request`] gives. `body_len` is the length of the body, or of its first piece
    /// where the client streams. None where the body is not raw ([`Match::takes_http_body`]).
    pub fn request_prefix(
        &self,
        query: Option<&str>,
        content_type: Option<&str>,
        body_len: usize,
        style: Style,
    ) -> Result<Option<Vec<u8>>, RequestError> {
        let location = self.location(query, style);
        let prefix =
            || self.binding.request_prefix(self.method(), location, content_type, body_len);
        self.takes_http_body().then(prefix).transpose()
    }

    /// What comes before a later piece of a raw body, as [`Match::later_request`] has it without
    /// a type. None where the body is not raw.
    pub fn later_request_prefix(&self, piece_len: usize) -> Option<Vec<u8>> {
        let prefix = || self.binding.later_request_prefix(self.method(), piece_len);
        self.takes_http_body().then(prefix)
    }

    /// The wire bytes of the request message whose body is `multipart/form-data`, where the
    /// method accepts it ([`MethodPlan::accepts_multipart`]). Parts are as strict as parameters:
    /// unknown names and repeated singular fields are refused.
    pub fn request_from_parts(
        &self,
        query: Option<&str>,
        parts: &[Part<'_>],
        style: Style,
    ) -> Result<Vec<u8>, RequestError> {
        self.binding.request_from_parts(self.method(), self.location(query, style), parts)
    }

    /// The entity tag of an answer: the `etag` of what its response body shows, such as
    /// `W/"4"`. None if it has no such string, or an empty one.
    pub fn etag<'w>(&self, wire: &'w [u8]) -> Option<&'w str> {
        self.binding.answer_etag?.get(wire)
    }

    /// Sets the `etag` of a request to that of its `If-Match`, whatever the body says: the
    /// request's own, or that of the message that is the body. False if it has none.
    pub fn set_etag(&self, out: &mut Vec<u8>, etag: &str) -> bool {
        self.binding.request_etag.inspect(|field| field.set(out, etag)).is_some()
    }

    /// The `etag` that a request says itself, where [`Match::set_etag`] would put it. None if it
    /// has no such string, or an empty one.
    pub fn request_etag<'w>(&self, wire: &'w [u8]) -> Option<&'w str> {
        self.binding.request_etag?.get(wire)
    }

    fn location<'m>(&'m self, query: Option<&'m str>, style: Style) -> Location<'m> {
        Location { values: &self.values, query, style }
    }

    /// The HTTP response for the wire bytes of the answer.
    pub fn response(
        &self,
        wire: &[u8],
        print: impl Into<PrintOptions>,
    ) -> Result<Response, ResponseError> {
        self.binding.response(self.method(), wire, print.into())
    }

    /// Appends the JSON of one message of a streamed answer, or of its `response_body`. There is
    /// no line break in it. On an error nothing is appended.
    pub fn element(
        &self,
        wire: &[u8],
        print: impl Into<PrintOptions>,
        out: &mut Vec<u8>,
    ) -> Result<(), ResponseError> {
        self.binding.element(self.method(), wire, print.into(), out)
    }

    /// What one message gives to a raw response body, without a copy. None where the body is not
    /// raw ([`Match::answers_http_body`]).
    pub fn chunk<'w>(&self, wire: &'w [u8]) -> Result<Option<Chunk<'w>>, ResponseError> {
        self.binding.chunk(self.method(), wire)
    }
}
