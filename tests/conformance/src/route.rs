//! The HTTP rules of a method, and how a message becomes a request by each of them.

use std::fmt::Write as _;

use http::Method as Verb;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use prost_reflect::{DynamicMessage, MethodDescriptor, Value as Reflected};
use serde_json::Value;
use transcode::{Segment, Template};

/// One way to a method over HTTP.
#[derive(Clone, Debug)]
pub struct Route {
    pub verb: Verb,
    /// The template as the contract writes it.
    pub text: String,
    pub template: Template,
    pub body: Body,
}

/// Where the fields go that are not in the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    Query,
    Json,
    Form,
    /// One field is the whole body; the others go into the query.
    Field(String),
}

/// An HTTP request without its headers.
#[derive(Clone, Debug)]
pub struct Worded {
    pub verb: Verb,
    pub target: String,
    pub content_type: Option<&'static str>,
    pub body: Vec<u8>,
}

impl Route {
    /// Every binding of a method, as the contract lists them. None where it is for services only.
    pub fn all(method: &MethodDescriptor, form: bool) -> Vec<Self> {
        let pool = method.parent_pool();
        let option = pool.get_extension_by_name("google.api.http").expect("contracts import it");
        let options = method.options();
        if !options.has_extension(&option) {
            return Vec::new();
        }
        let rule = options.get_extension(&option);
        let rule = rule.as_message().expect("google.api.http is a message");
        let additional = rule.get_field_by_name("additional_bindings").expect("a field of it");
        let additional = additional.as_list().expect("it is repeated").iter();
        let rules = [rule].into_iter().chain(additional.filter_map(Reflected::as_message));
        rules.map(|it| Self::of(it, form).expect("the registry read it")).collect()
    }

    fn of(rule: &DynamicMessage, form: bool) -> Option<Self> {
        let (verb, text) = pattern(rule)?;
        let template = Template::parse(&text).expect("the registry read it");
        let body = rule.get_field_by_name("body")?.as_str()?.to_owned();
        let body = match (&*body, form) {
            ("", _) => Body::Query,
            ("*", true) => Body::Form,
            ("*", false) => Body::Json,
            (field, _) => Body::Field(field.to_owned()),
        };
        Some(Self { verb, text, template, body })
    }

    /// Whether a field stands in the path.
    pub fn binds(&self, field: &str) -> bool {
        self.template.variables.iter().any(|it| it.field_path == field)
    }

    /// The request for a message. Nothing for one whose path would have an empty segment.
    pub fn word(&self, message: &Value) -> Option<Worded> {
        let mut target = self.path(message)?;
        let mut rest = message.clone();
        if let Some(members) = rest.as_object_mut() {
            members.retain(|name, _| !self.binds(name));
        }
        let json = Some("application/json");
        let (content_type, body) = match &self.body {
            Body::Query => (None, Vec::new()),
            Body::Json => (json, rest.to_string().into_bytes()),
            Body::Form => (Some("application/x-www-form-urlencoded"), pairs(&rest).into_bytes()),
            Body::Field(name) => {
                let field = rest.as_object_mut().and_then(|it| it.remove(name));
                (json, field.unwrap_or_default().to_string().into_bytes())
            }
        };
        let query = pairs(&rest);
        if matches!(self.body, Body::Query | Body::Field(_)) && !query.is_empty() {
            write!(target, "?{query}").expect("a String grows");
        }
        Some(Worded { verb: self.verb.clone(), target, content_type, body })
    }

    fn path(&self, message: &Value) -> Option<String> {
        let mut path = String::new();
        for (index, segment) in self.template.segments.iter().enumerate() {
            let variable = self.template.variables.iter().find(|it| it.start == index);
            let text = match (segment, variable) {
                (Segment::Literal(text), _) => text.clone(),
                (_, Some(variable)) => {
                    let value = message.get(&variable.field_path)?.as_str()?;
                    utf8_percent_encode(value, NON_ALPHANUMERIC).to_string()
                }
                (_, None) => return None,
            };
            if text.is_empty() {
                return None;
            }
            write!(path, "/{text}").expect("a String grows");
        }
        Some(path)
    }
}

fn pattern(rule: &DynamicMessage) -> Option<(Verb, String)> {
    let verbs = [
        ("get", Verb::GET),
        ("put", Verb::PUT),
        ("post", Verb::POST),
        ("delete", Verb::DELETE),
        ("patch", Verb::PATCH),
    ];
    verbs.into_iter().find_map(|(name, verb)| {
        let text = rule.has_field_by_name(name).then(|| rule.get_field_by_name(name))??;
        Some((verb, text.as_str()?.to_owned()))
    })
}

/// Fields as a query or a form writes them: those of nested messages by dotted names.
fn pairs(message: &Value) -> String {
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    append(&mut pairs, "", message);
    pairs.finish()
}

fn append(pairs: &mut form_urlencoded::Serializer<'_, String>, name: &str, value: &Value) {
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                let dot = if name.is_empty() { "" } else { "." };
                append(pairs, &format!("{name}{dot}{member}"), value);
            }
        }
        Value::Array(items) => items.iter().for_each(|it| append(pairs, name, it)),
        Value::String(text) => drop(pairs.append_pair(name, text)),
        other => drop(pairs.append_pair(name, &other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn route(template: &str, body: Body) -> Route {
        let (verb, text) = (Verb::GET, template.to_owned());
        Route { verb, template: Template::parse(&text).unwrap(), text, body }
    }

    #[test]
    fn path_query_and_body_share_the_fields() {
        let message = json!({"id": "a/b", "page_size": 3, "tags": ["x", "y z"]});
        let worded = route("/v1/things/{id}", Body::Query).word(&message).unwrap();
        assert_eq!(worded.target, "/v1/things/a%2Fb?page_size=3&tags=x&tags=y+z");
        let worded = route("/v1/things/{id}", Body::Json).word(&message).unwrap();
        assert_eq!(worded.target, "/v1/things/a%2Fb");
        assert_eq!(worded.body, br#"{"page_size":3,"tags":["x","y z"]}"#);
    }

    #[test]
    fn one_field_may_be_the_body_and_messages_are_dotted() {
        let message = json!({"id": "a", "thing": {"name": "b"}, "mask": {"paths": "c"}});
        let body = Body::Field("thing".into());
        let worded = route("/v1/things/{id}", body).word(&message).unwrap();
        assert_eq!(worded.target, "/v1/things/a?mask.paths=c");
        assert_eq!(worded.body, br#"{"name":"b"}"#);
    }

    #[test]
    fn a_path_cannot_hold_nothing() {
        assert!(route("/v1/things/{id}", Body::Query).word(&json!({"id": ""})).is_none());
        assert!(route("/v1/things/{id}", Body::Query).word(&json!({})).is_none());
    }
}
