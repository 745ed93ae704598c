//! Typed client libraries from contracts: one file a service, in TypeScript and in Python.
//!
//! What a call looks like over HTTP is read from the OpenAPI documents that the contracts give,
//! so that a client and the documentation cannot disagree. How a call is sent, retried and
//! refused is written by hand, in `sdks/typescript/src` and `sdks/python/loop_platform`.

mod method;
mod names;
mod python;
mod service;
mod shape;
mod typescript;

use registry::Registry;

pub use python::python;
pub use typescript::typescript;

use service::Service;

/// A generated file: its name in the folder of generated files, and its text.
pub type File = (String, String);

/// Why contracts have no client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Document(#[from] openapi::Error),
    /// Two types, or a type and a request, of one service.
    #[error("{service}: {name} names two types of its client; rename one of the messages")]
    Duplicate { service: String, name: String },
    #[error("{method}: {what}, which no client can express")]
    Inexpressible { method: String, what: String },
}

/// The services that have something to call, in the order of the registry.
fn services(registry: &Registry) -> Result<Vec<Service>, Error> {
    let examples = openapi::Examples::default();
    let mut all = Vec::new();
    for service in registry.services() {
        let document = openapi::service(registry, service, &examples)?;
        let document = serde_json::to_value(document).expect("a document has string keys only");
        all.push(Service::read(registry, service, &document)?);
    }
    all.retain(|it| !it.methods.is_empty());
    Ok(all)
}

#[cfg(test)]
mod tests;
