//! The OpenAPI documents: of all that is served, and at a service's own host of that service.

use std::{collections::BTreeSet, sync::OnceLock};

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::home::Document;

const JSON: &str = "application/json";

/// What an operation may be called, as OpenAPI 3.1 names the members of a path item.
const VERBS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// The addresses of an OAuth flow.
const ENDPOINTS: [&str; 3] = ["authorizationUrl", "tokenUrl", "refreshUrl"];

/// The documents of one gateway. Those of services are made when somebody asks.
#[derive(Debug)]
pub(crate) struct Documents {
    source: Bytes,
    all: Document,
    services: Vec<(&'static str, OnceLock<Document>)>,
    public_url: String,
    prefix: String,
}

impl Documents {
    /// `source` describes all that is served, at the root of a host; `prefix` is the path that
    /// it is served under, or empty.
    pub(crate) fn new(
        source: Bytes,
        services: &[&'static str],
        public_url: &str,
        prefix: &str,
    ) -> Self {
        let all = match prefix {
            "" => source.clone(),
            prefix => rewritten(&source, |it| place(it, prefix, prefix)),
        };
        Self {
            all: Document::new(JSON, all),
            services: services.iter().map(|it| (*it, OnceLock::new())).collect(),
            source,
            public_url: public_url.to_owned(),
            prefix: prefix.to_owned(),
        }
    }

    pub(crate) fn all(&self) -> &Document {
        &self.all
    }

    /// The document of `service`, which has the methods that `is_its` says of their gRPC paths.
    /// Tokens come from the platform's host, so their addresses are whole.
    pub(crate) fn of(&self, service: &str, is_its: impl Fn(&str) -> bool) -> &Document {
        let Some((_, document)) = self.services.iter().find(|it| it.0 == service) else {
            return &self.all;
        };
        document.get_or_init(|| {
            let bytes = rewritten(&self.source, |document| {
                place(document, &self.prefix, &self.public_url);
                narrow(document, is_its);
            });
            Document::new(JSON, bytes)
        })
    }
}

/// What is no JSON object stays as it is.
fn rewritten(source: &Bytes, change: impl FnOnce(&mut Map<String, Value>)) -> Bytes {
    match serde_json::from_slice(source) {
        Ok(Value::Object(mut document)) => {
            change(&mut document);
            Value::Object(document).to_string().into()
        }
        _ => source.clone(),
    }
}

/// Says where the paths begin, and where tokens are.
fn place(document: &mut Map<String, Value>, prefix: &str, issuer: &str) {
    let root = if prefix.is_empty() { "/" } else { prefix };
    document.insert("servers".into(), json!([{"url": root}]));
    let schemes = document.get_mut("components").and_then(|it| it.get_mut("securitySchemes"));
    let schemes = schemes.and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut);
    let flows = schemes.filter_map(|it| it.get_mut("flows")?.as_object_mut());
    for flow in flows.flat_map(Map::values_mut) {
        for name in ENDPOINTS {
            if let Some(Value::String(url)) = flow.get_mut(name)
                && url.starts_with('/')
            {
                url.insert_str(0, issuer);
            }
        }
    }
}

/// Leaves the operations of one service, and what they refer to.
fn narrow(document: &mut Map<String, Value>, is_its: impl Fn(&str) -> bool) {
    let method = |it: &Value| it.get("x-grpc-method").and_then(Value::as_str).map(&is_its);
    if let Some(Value::Object(paths)) = document.get_mut("paths") {
        for item in paths.values_mut().filter_map(Value::as_object_mut) {
            item.retain(|verb, it| !VERBS.contains(&&**verb) || method(it) == Some(true));
        }
        paths.retain(|_, item| VERBS.iter().any(|verb| item.get(verb).is_some()));
    }
    let mut named = BTreeSet::new();
    collect_tags(document.get("paths"), &mut named);
    if let Some(Value::Array(tags)) = document.get_mut("tags") {
        tags.retain(|it| it["name"].as_str().is_some_and(|it| named.contains(it)));
    }
    let mut needed = BTreeSet::new();
    let without: Vec<_> =
        document.iter().filter(|it| it.0 != "components").map(|it| it.1).collect();
    let mut open: Vec<String> = without.into_iter().flat_map(references).collect();
    let Some(components) = document.get_mut("components") else { return };
    while let Some(reference) = open.pop() {
        let pointer = reference.strip_prefix("#/components").unwrap_or_default().to_owned();
        if needed.insert(pointer.clone()) {
            open.extend(components.pointer(&pointer).into_iter().flat_map(references));
        }
    }
    let Value::Object(components) = components else { return };
    for (kind, members) in components.iter_mut().filter(|it| it.0 != "securitySchemes") {
        let Value::Object(members) = members else { continue };
        members.retain(|name, _| needed.contains(&format!("/{kind}/{name}")));
    }
}

fn collect_tags(paths: Option<&Value>, tags: &mut BTreeSet<String>) {
    let items = paths.and_then(Value::as_object).into_iter().flat_map(Map::values);
    let operations = items.filter_map(Value::as_object).flat_map(Map::values);
    let named = operations.filter_map(|it| it.get("tags")?.as_array());
    tags.extend(named.flatten().filter_map(Value::as_str).map(str::to_owned));
}

/// Every `$ref` in a value.
fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => {
            let own = members.get("$ref").and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(members.values().flat_map(references)).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http_body_util::BodyExt as _;

    use super::*;

    const SOURCE: &[u8] = include_bytes!("../openapi.json");

    async fn json(document: &Document) -> Value {
        let body = document.answer(&HeaderMap::new()).into_body();
        serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap()
    }

    fn documents(prefix: &str) -> Documents {
        let public_url = format!("https://loop.test{prefix}");
        Documents::new(Bytes::from_static(SOURCE), &["clinical"], &public_url, prefix)
    }

    #[tokio::test]
    async fn without_a_prefix_the_document_is_sent_as_it_was_generated() {
        let document = documents("");
        let body = document.all().answer(&HeaderMap::new()).into_body();
        assert_eq!(body.collect().await.unwrap().to_bytes(), SOURCE);
    }

    #[tokio::test]
    async fn a_prefix_stands_before_every_path() {
        let all = json(documents("/loop").all()).await;
        assert_eq!(all["servers"], json!([{"url": "/loop"}]));
        let flows = &all["components"]["securitySchemes"]["oauth2"]["flows"];
        assert_eq!(flows["clientCredentials"]["tokenUrl"], "/loop/v1/oauth/token");
        assert_eq!(flows["authorizationCode"]["authorizationUrl"], "/loop/v1/oauth/authorize");
        assert!(all["paths"].get("/v1/biomarkers/me").is_some());
    }

    #[tokio::test]
    async fn a_services_document_has_its_operations_and_what_they_need() {
        let documents = documents("");
        let its = documents.of("clinical", |it| it.starts_with("/loop.clinical."));
        let its = json(its).await;
        let paths: Vec<_> = its["paths"].as_object().unwrap().keys().collect();
        assert!(paths.iter().all(|it| it.starts_with("/v1/biomarkers")), "{paths:?}");
        assert_eq!(its["tags"].as_array().unwrap().len(), 1);
        for reference in references(&its) {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(its.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
        let count = |it: &Value| it["components"]["schemas"].as_object().unwrap().len();
        let all: Value = serde_json::from_slice(SOURCE).unwrap();
        assert!(0 < count(&its) && count(&its) < count(&all));
        let flows = &its["components"]["securitySchemes"]["oauth2"]["flows"];
        assert_eq!(flows["clientCredentials"]["tokenUrl"], "https://loop.test/v1/oauth/token");
    }

    #[tokio::test]
    async fn a_document_that_is_none_is_sent_as_it_is() {
        for source in ["", "[]", "{}", r#"{"components":1,"paths":[],"tags":{}}"#] {
            let documents = Documents::new(source.into(), &["clinical"], "", "/loop");
            let _ = documents.all().answer(&HeaderMap::new());
            let _ = documents.of("clinical", |_| true).answer(&HeaderMap::new());
        }
    }
}
