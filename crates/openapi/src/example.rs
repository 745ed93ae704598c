//! Examples of calls: data beside the protos, checked against the contract before they are shown.
//!
//! `proto/loop/clinical/v1/examples/GetBiomarker.json` holds an object with `request` and
//! `response`, either of which may be absent: the whole messages in REST JSON, path and query
//! fields included.

use std::collections::BTreeMap;

use registry::{Method, Registry};
use serde_json::Value;
use transcode::{Api, Message, Style, Unknown};

use crate::{
    Error,
    binding::{Binding, Body},
};

/// The examples of all methods.
#[derive(Clone, Debug, Default)]
pub struct Examples(BTreeMap<String, Example>);

#[derive(Clone, Debug, Default)]
struct Example {
    request: Option<Value>,
    response: Option<Value>,
}

impl Examples {
    /// Reads the example of every method that has one. `read` gives a file's bytes by its path
    /// below `proto/`, or nothing where there is no file.
    ///
    /// Fails for an example that is not JSON or does not fit its messages.
    pub fn collect(
        registry: &Registry,
        read: impl Fn(&str) -> Option<Vec<u8>>,
    ) -> Result<Self, Error> {
        let api = Api::build(registry.pool())?;
        let mut all = BTreeMap::new();
        for method in registry.methods() {
            let package = method.descriptor.parent_service().package_name().replace('.', "/");
            let path = format!("{package}/examples/{}.json", method.descriptor.name());
            let Some(bytes) = read(&path) else { continue };
            let wrong = |reason| Error::Example { path: path.clone(), reason };
            let example = Example::parse(&api, method, &bytes).map_err(wrong)?;
            all.insert(method.path.clone(), example);
        }
        Ok(Self(all))
    }

    /// What the body of the example's request is.
    pub(crate) fn request(&self, method: &Method, binding: &Binding) -> Option<Value> {
        let mut request = self.0.get(&method.path)?.request.clone()?;
        match &binding.body {
            Body::None => None,
            Body::Field(field) => request.get(field.name()).cloned(),
            Body::Whole => {
                let members = request.as_object_mut()?;
                members.retain(|name, _| !binding.bound().contains(&name.as_str()));
                Some(request)
            }
        }
    }

    /// What the body of the example's response is.
    pub(crate) fn response(&self, method: &Method, binding: &Binding) -> Option<Value> {
        let response = self.0.get(&method.path)?.response.clone()?;
        match &binding.response_body {
            Some(field) => response.get(field.name()).cloned(),
            None => Some(response),
        }
    }

    /// The value of one field of the example's request, by its dotted path.
    pub(crate) fn parameter(&self, method: &Method, field: &str) -> Option<Value> {
        let request = self.0.get(&method.path)?.request.as_ref()?;
        request.pointer(&format!("/{}", field.replace('.', "/"))).cloned()
    }
}

impl Example {
    fn parse(api: &Api, method: &Method, bytes: &[u8]) -> Result<Self, String> {
        let file: Value = serde_json::from_slice(bytes).map_err(|it| it.to_string())?;
        let members = file.as_object().ok_or("is no object")?;
        if let Some(other) = members.keys().find(|it| !["request", "response"].contains(&&***it)) {
            return Err(format!("has {other:?} beside request and response"));
        }
        let plan = api.method(&method.path).ok_or("belongs to no method")?;
        let side = |name: &str, message: Message<'_>, shown: bool| {
            let value = members.get(name).map(|it| checked(message, it, shown));
            value.transpose().map_err(|reason| format!("{name}: {reason}"))
        };
        Ok(Self {
            request: side("request", plan.input(), false)?,
            response: side("response", plan.output(), true)?,
        })
    }
}

/// The value, if it fits the message; an answer as the edge would write it.
fn checked(message: Message<'_>, value: &Value, answer: bool) -> Result<Value, String> {
    let text = value.to_string();
    let wire = message.to_wire(text.as_bytes(), Style::Rest, Unknown::Reject);
    let wire = wire.map_err(|it| it.to_string())?;
    if !answer {
        return Ok(value.clone());
    }
    let text = message.to_json(&wire, Style::Rest).map_err(|it| it.to_string())?;
    serde_json::from_slice(&text).map_err(|it| it.to_string())
}
