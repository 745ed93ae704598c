//! Puts a document together: paths, and the components that they refer to.

use std::collections::{BTreeMap, BTreeSet};

use aide::openapi::{
    Components, Info, License, OpenApi, Operation, PathItem, Paths, ReferenceOr, Response,
    SchemaObject, Server, Tag,
};
use registry::{Registry, Service};
use serde_json::Value;

use crate::{
    Error, Examples,
    binding::{self, Binding},
    comment, header, parameter,
    schema::Schemas,
    security,
};

/// A document in the making.
pub(crate) struct Document<'a> {
    pub registry: &'a Registry,
    pub examples: &'a Examples,
    pub schemas: Schemas<'a>,
    pub responses: BTreeMap<String, Response>,
    /// The names of headers that some response has.
    pub headers: BTreeSet<&'static str>,
    /// The names of parameters that some operation takes and others may.
    pub shared: BTreeSet<&'static str>,
    tags: Vec<Tag>,
    paths: Paths,
    /// The labels of each shape of path, as its first binding has them.
    labels: BTreeMap<String, Vec<String>>,
    operation_ids: BTreeSet<String>,
}

impl<'a> Document<'a> {
    pub fn new(registry: &'a Registry, examples: &'a Examples) -> Self {
        Self {
            registry,
            examples,
            schemas: Schemas::new(registry),
            responses: BTreeMap::new(),
            headers: BTreeSet::new(),
            shared: BTreeSet::new(),
            tags: Vec::new(),
            paths: Paths::default(),
            labels: BTreeMap::new(),
            operation_ids: BTreeSet::new(),
        }
    }

    /// Adds a service's tag and every binding of its methods.
    pub fn add(&mut self, service: &Service) -> Result<(), Error> {
        let descriptor = &service.descriptor;
        let text = comment::of(&descriptor.parent_file(), descriptor.path());
        let description = (!text.is_empty()).then_some(text);
        let before = self.operation_ids.len();
        for method in self.registry.methods().iter().filter(|it| it.service == service.name) {
            for binding in binding::bindings(self.registry.pool(), method)? {
                self.route(service, method, binding)?;
            }
        }
        if self.operation_ids.len() > before {
            self.tags.push(Tag { name: tag(service), description, ..Tag::default() });
        }
        Ok(())
    }

    fn route(
        &mut self,
        service: &Service,
        method: &registry::Method,
        mut binding: Binding,
    ) -> Result<(), Error> {
        // OpenAPI takes paths that differ in labels only for the same path.
        let own = || binding.variables.iter().map(|it| it.label.clone()).collect();
        let labels = self.labels.entry(binding.shape.clone()).or_insert_with(own);
        for (variable, label) in binding.variables.iter_mut().zip(labels) {
            variable.label.clone_from(label);
        }
        let operation = self.operation(service, method, &binding)?;
        let id = operation.operation_id.clone().unwrap_or_default();
        if !self.operation_ids.insert(id.clone()) {
            return Err(Error::Duplicate(id));
        }
        let path = binding.path();
        let empty = || ReferenceOr::Item(PathItem::default());
        let item = self.paths.paths.entry(path.clone()).or_insert_with(empty);
        let item = item.as_item_mut().expect("every path item here stands for itself");
        let slot = slot(item, &binding.verb).ok_or_else(|| Error::Verb {
            method: method.path.clone(),
            verb: binding.verb.clone(),
        })?;
        match slot.replace(operation) {
            None => Ok(()),
            Some(_) => Err(Error::Duplicate(format!("{} {path}", binding.verb))),
        }
    }

    pub fn finish(self, info: Info) -> OpenApi {
        fn item<T>((name, it): (String, T)) -> (String, ReferenceOr<T>) {
            (name, ReferenceOr::Item(it))
        }
        let mut components = Components {
            headers: self.headers.iter().map(|it| ((*it).into(), header::component(it))).collect(),
            responses: self.responses.into_iter().map(item).collect(),
            ..Components::default()
        };
        let schemas = self.schemas.finish().into_iter();
        components.schemas = schemas.map(|(name, it)| (name, schema_object(it))).collect();
        let shared = self.shared.into_iter();
        components.parameters = shared.map(|it| item((it.into(), parameter::shared(it)))).collect();
        let scheme = ReferenceOr::Item(security::scheme());
        components.security_schemes.insert(security::OAUTH.into(), scheme);
        OpenApi {
            info,
            servers: vec![Server { url: "/".into(), ..Server::default() }],
            paths: Some(self.paths),
            components: Some(components),
            tags: self.tags,
            ..OpenApi::default()
        }
    }
}

/// What all documents say of JSON and of errors.
const CONVENTIONS: &str = "\
Field names are in snake_case, and in requests lowerCamelCase is accepted too. Enum values are in \
lower case. 64-bit integers are strings. Exact decimals are numbers. Instants are RFC 3339. In an \
answer, lists, numbers and booleans are always there; other members are absent when unset. \
Unknown members of a request are an error that names them.

`Prefer` (RFC 7240) asks for an answer in other words, and `Preference-Applied` tells what was \
followed: `style=canonical` is the JSON of protobuf, with names in lowerCamelCase, enum values as \
declared and decimals as strings; `defaults=emit` shows empty strings and unset enum values too, \
`defaults=omit` no empty list and no zero; `enums=number` shows enum values as numbers, as \
`$alt=json;enum-encoding=int` in the query does.

Errors have one body with a code in `error` and google.rpc messages in `details`; with `Accept: \
application/problem+json` they have the form of RFC 9457. OAuth endpoints answer by RFC 6749.";

pub(crate) fn service_info(service: &Service) -> Info {
    let descriptor = &service.descriptor;
    let text = comment::of(&descriptor.parent_file(), descriptor.path());
    info(format!("Loop {}", tag(service)), &text)
}

pub(crate) fn edge_info() -> Info {
    info("Loop Platform".to_owned(), "Every public route of the platform.")
}

/// The name of a service's tag: the one people read.
pub(crate) fn tag(service: &Service) -> String {
    let given = Some(&service.display_name).filter(|it| !it.is_empty());
    given.unwrap_or(&service.name).clone()
}

/// A JSON value as the model's schema.
pub(crate) fn schema_object(schema: Value) -> SchemaObject {
    let json_schema = schema.try_into().expect("a schema is an object");
    SchemaObject { json_schema, external_docs: None, example: None }
}

fn info(title: String, text: &str) -> Info {
    let license = License {
        name: "Apache License 2.0".to_owned(),
        identifier: Some("Apache-2.0".to_owned()),
        ..License::default()
    };
    Info {
        title,
        description: Some(format!("{text}\n\n{CONVENTIONS}").trim_start().to_owned()),
        license: Some(license),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..Info::default()
    }
}

/// The place of an HTTP method in a path item.
fn slot<'i>(item: &'i mut PathItem, verb: &str) -> Option<&'i mut Option<Operation>> {
    Some(match verb {
        "get" => &mut item.get,
        "put" => &mut item.put,
        "post" => &mut item.post,
        "delete" => &mut item.delete,
        "options" => &mut item.options,
        "head" => &mut item.head,
        "patch" => &mut item.patch,
        "trace" => &mut item.trace,
        _ => return None,
    })
}
