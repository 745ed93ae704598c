//! OpenAPI 3.1 documents from contracts: one for each service and one for the edge.
//!
//! A document says nothing that the contracts do not say: paths, fields and their rules, scopes,
//! failures and texts are all read from the descriptors, and JSON has the form that the edge
//! gives it. Equal contracts give equal bytes.

mod binding;
mod comment;
mod conditional;
mod document;
mod enumeration;
mod example;
mod failure;
mod header;
mod operation;
mod parameter;
mod parts;
mod response;
mod schema;
mod security;
mod stream;
mod value;

use registry::{Registry, Service};

pub use aide::openapi::OpenApi;
pub use example::Examples;

use document::Document;

/// Why contracts have no document.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{method}: template {template:?}: {source}")]
    Template { method: String, template: String, source: transcode::TemplateError },
    #[error("{method}: its HTTP rule names {field:?}, which is no field of {message}")]
    Field { method: String, field: String, message: String },
    /// A custom HTTP method that a path item cannot hold.
    #[error("{method}: OpenAPI has no HTTP method {verb:?}")]
    Verb { method: String, verb: String },
    #[error("{method}: the scope {scope} is not in the catalogue")]
    Scope { method: String, scope: String },
    /// An operation id, or a path with its HTTP method.
    #[error("{0} stands for two operations")]
    Duplicate(String),
    #[error("proto/{path}: {reason}")]
    Example { path: String, reason: String },
    #[error(transparent)]
    Contract(#[from] transcode::BuildError),
}

/// The document of one service.
pub fn service(
    registry: &Registry,
    service: &Service,
    examples: &Examples,
) -> Result<OpenApi, Error> {
    let mut document = Document::new(registry, examples);
    document.add(service)?;
    Ok(document.finish(document::service_info(service)))
}

/// The document of the edge: every service's routes.
pub fn edge(registry: &Registry, examples: &Examples) -> Result<OpenApi, Error> {
    let mut document = Document::new(registry, examples);
    for service in registry.services() {
        document.add(service)?;
    }
    Ok(document.finish(document::edge_info()))
}

/// The document as JSON text, indented by two spaces.
pub fn to_json(document: &OpenApi) -> String {
    let text = serde_json::to_string_pretty(document);
    text.expect("a document has string keys only") + "\n"
}

/// The document as YAML text.
pub fn to_yaml(document: &OpenApi) -> String {
    let text = serde_saphyr::to_string(document).expect("a document has string keys only");
    format!("{}\n", text.trim_end())
}

#[cfg(test)]
mod tests;
