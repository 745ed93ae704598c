//! What a method's caller and its service may tell each other besides their messages.

use http::HeaderName;
use prost_reflect::{DynamicMessage, Value};

/// `loop.options.v1.metadata`: names of headers, none of them twice.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Headers of a request that the service sees.
    pub request: Box<[HeaderName]>,
    /// Headers and trailers of the service that the caller sees.
    pub response: Box<[HeaderName]>,
}

impl Metadata {
    /// Fails with what is wrong with a name. Whether a name is fit for it is the registry's rule.
    pub(crate) fn read(option: &DynamicMessage) -> Result<Metadata, String> {
        let names = |field: &str| {
            let value = option.get_field_by_name(field);
            let list = value.as_deref().and_then(Value::as_list).unwrap_or_default();
            let names = list.iter().filter_map(Value::as_str);
            names.map(name).collect::<Result<Box<[_]>, _>>()
        };
        Ok(Metadata { request: names("request")?, response: names("response")? })
    }
}

fn name(text: &str) -> Result<HeaderName, String> {
    HeaderName::from_lowercase(text.as_bytes())
        .map_err(|_| format!("metadata {text} is not the name of a header in lower case"))
}
