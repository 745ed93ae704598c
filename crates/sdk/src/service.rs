//! One service as a client has it: its methods, and the types they speak of.

use std::collections::BTreeSet;

use registry::Registry;
use serde_json::Value;

use crate::{
    Error,
    method::{Call, Place},
    shape::Type,
};

#[derive(Clone, Debug)]
pub(crate) struct Service {
    /// As the contract has it: `patient-graph`.
    pub name: String,
    /// `loop.patient_graph.v1`.
    pub package: String,
    pub text: String,
    pub types: Vec<Type>,
    pub methods: Vec<Call>,
}

impl Service {
    pub fn read(
        registry: &Registry,
        service: &registry::Service,
        document: &Value,
    ) -> Result<Self, Error> {
        let methods = methods(registry, document)?;
        let types = types(document, &methods);
        let names = types.iter().map(|it| it.name.clone());
        let mut seen = BTreeSet::new();
        for name in names.chain(methods.iter().map(Call::request_name)) {
            if !seen.insert(name.clone()) {
                return Err(Error::Duplicate { service: service.name.clone(), name });
            }
        }
        let text = document["tags"][0]["description"].as_str().unwrap_or_default().to_owned();
        let package = service.descriptor.package_name().to_owned();
        Ok(Self { name: service.name.clone(), package, text, types, methods })
    }
}

/// The operations of a document in the order of the contract, each over its first binding.
fn methods(registry: &Registry, document: &Value) -> Result<Vec<Call>, Error> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (verb, operation) in item.as_object().into_iter().flatten() {
            let place = Place { document, path, verb, operation };
            found.extend(place.method(registry).map(|it| (it, place)));
        }
    }
    found.sort_by_key(|(method, _)| method.descriptor.path().to_vec());
    found.iter().map(|(method, place)| Call::read(method, place)).collect()
}

impl Place<'_> {
    /// The method that the operation is the first binding of. A stream is none that a client
    /// here can call.
    fn method<'r>(&self, registry: &'r Registry) -> Option<&'r registry::Method> {
        let method = registry.method(self.operation["x-grpc-method"].as_str()?)?;
        let descriptor = &method.descriptor;
        let id = format!("{}_{}", descriptor.parent_service().name(), descriptor.name());
        let streams = descriptor.is_client_streaming() || descriptor.is_server_streaming();
        (self.operation["operationId"] == id && !streams).then_some(method)
    }
}

/// The components that methods speak of, directly or through others, by name.
fn types(document: &Value, methods: &[Call]) -> Vec<Type> {
    let components = document["components"]["schemas"].as_object();
    let all: Vec<Type> =
        components.into_iter().flatten().map(|(name, it)| Type::read(name, it)).collect();
    let mut open: Vec<&str> = methods.iter().flat_map(Call::names).collect();
    let mut needed = BTreeSet::new();
    while let Some(name) = open.pop() {
        if needed.insert(name) {
            open.extend(all.iter().filter(|it| it.name == name).flat_map(Type::names));
        }
    }
    all.iter().filter(|it| needed.contains(it.name.as_str())).cloned().collect()
}
