//! The HTTP bindings of a method, as OpenAPI has paths and operations.

use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value,
};
use registry::Method;
use transcode::{Segment, Template};

use crate::Error;

/// One way to call a method over HTTP.
#[derive(Debug)]
pub(crate) struct Binding {
    /// In lower case, as path items name it.
    pub verb: String,
    /// The path with `{}` for each variable: paths of one shape are one path in OpenAPI.
    pub shape: String,
    pub variables: Vec<Variable>,
    pub body: Body,
    pub response_body: Option<FieldDescriptor>,
    /// Empty for the first binding of a method, `_2` for the next.
    pub suffix: String,
}

/// A part of the path that the caller chooses.
#[derive(Debug)]
pub(crate) struct Variable {
    /// Its name in the document's path.
    pub label: String,
    /// The dotted path of the request field it sets. Empty for a wildcard that sets none.
    pub field_path: String,
    pub field: Option<FieldDescriptor>,
    /// What it must match where it is more than one free segment: a regular expression.
    pub pattern: Option<String>,
}

/// What the request body sets.
#[derive(Debug)]
pub(crate) enum Body {
    None,
    Whole,
    Field(FieldDescriptor),
}

/// Reads the `google.api.http` option: the rule and its additional bindings, in their order.
pub(crate) fn bindings(pool: &DescriptorPool, method: &Method) -> Result<Vec<Binding>, Error> {
    let option = pool.get_extension_by_name("google.api.http").filter(|_| method.has_route);
    let options = method.descriptor.options();
    let Some(rule) = option.and_then(|it| options.get_extension(&it).as_message().cloned()) else {
        return Ok(Vec::new());
    };
    let additional = rule.get_field_by_name("additional_bindings");
    let additional = additional.as_ref().and_then(|it| it.as_list()).unwrap_or_default();
    let rules = std::iter::once(&rule).chain(additional.iter().filter_map(Value::as_message));
    let suffix = |at: usize| if at == 1 { String::new() } else { format!("_{at}") };
    (1..).zip(rules).map(|(at, rule)| Binding::read(method, rule, suffix(at))).collect()
}

/// The field at the end of a dotted path of declared or JSON names.
pub(crate) fn resolve(message: &MessageDescriptor, dotted: &str) -> Option<FieldDescriptor> {
    let (name, rest) = dotted.split_once('.').map_or((dotted, None), |it| (it.0, Some(it.1)));
    let field = message.get_field_by_name(name).or(message.get_field_by_json_name(name))?;
    match (rest, field.kind()) {
        (None, _) => Some(field),
        (Some(rest), Kind::Message(inner)) if !field.is_list() => resolve(&inner, rest),
        _ => None,
    }
}

impl Binding {
    fn read(method: &Method, rule: &DynamicMessage, suffix: String) -> Result<Self, Error> {
        let (verb, text) = pattern(rule);
        let template = if text == "/" { Ok(Template::root()) } else { Template::parse(&text) };
        let template = template.map_err(|source| Error::Template {
            method: method.path.clone(),
            template: text,
            source,
        })?;
        let input = method.descriptor.input();
        let (shape, mut variables) = outline(&template);
        for variable in variables.iter_mut().filter(|it| !it.field_path.is_empty()) {
            variable.field = Some(field(method, &input, &variable.field_path)?);
        }
        let body = match string(rule, "body").as_str() {
            "" => Body::None,
            "*" => Body::Whole,
            name => Body::Field(field(method, &input, name)?),
        };
        let response_body = match string(rule, "response_body").as_str() {
            "" => None,
            name => Some(field(method, &method.descriptor.output(), name)?),
        };
        Ok(Self { verb, shape, variables, body, response_body, suffix })
    }

    /// The path as the document has it.
    pub fn path(&self) -> String {
        let place =
            |path: String, it: &Variable| path.replacen("{}", &format!("{{{}}}", it.label), 1);
        self.variables.iter().fold(self.shape.clone(), place)
    }

    /// Whether this is the mask of a change that is read off the body where nobody sends it.
    pub fn infers(&self, field: &FieldDescriptor) -> bool {
        let is_mask = matches!(field.kind(), Kind::Message(it)
            if it.full_name() == "google.protobuf.FieldMask");
        let has_body = !matches!(self.body, Body::None);
        let is_named = field.name() == "update_mask" && is_mask && !field.is_list();
        self.verb == "patch" && has_body && is_named
    }

    /// The top-level request fields that the path sets whole.
    pub fn bound(&self) -> Vec<&str> {
        let whole = self.variables.iter().filter(|it| !it.field_path.contains('.'));
        whole.filter_map(|it| Some(it.field.as_ref()?.name())).collect()
    }
}

fn field(
    method: &Method,
    message: &MessageDescriptor,
    dotted: &str,
) -> Result<FieldDescriptor, Error> {
    resolve(message, dotted).ok_or_else(|| Error::Field {
        method: method.path.clone(),
        field: dotted.to_owned(),
        message: message.full_name().to_owned(),
    })
}

/// The HTTP method in lower case and the template.
fn pattern(rule: &DynamicMessage) -> (String, String) {
    let standard = ["get", "put", "post", "delete", "patch"];
    if let Some(verb) = standard.into_iter().find(|it| rule.has_field_by_name(it)) {
        return (verb.to_owned(), string(rule, verb));
    }
    let custom = rule.get_field_by_name("custom");
    let custom = custom.as_ref().and_then(|it| it.as_message());
    custom.map_or_else(Default::default, |it| {
        (string(it, "kind").to_ascii_lowercase(), string(it, "path"))
    })
}

fn string(message: &DynamicMessage, field: &str) -> String {
    let value = message.get_field_by_name(field);
    value.and_then(|it| it.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The shape of a path and its variables. A wildcard outside of them gets a label of its own.
fn outline(template: &Template) -> (String, Vec<Variable>) {
    let (mut shape, mut variables) = (String::new(), Vec::new());
    let mut at = 0;
    while let Some(segment) = template.segments.get(at) {
        shape.push('/');
        let variable = template.variables.iter().find(|it| it.start == at && it.end > at);
        match (variable, segment) {
            (Some(it), _) => {
                let pattern = regular(&template.segments[it.start..it.end]);
                variables.push(Variable::new(&it.field_path, &it.field_path, pattern));
                shape.push_str("{}");
            }
            (None, Segment::Literal(text)) => shape.push_str(text),
            (None, wildcard) => {
                let pattern = regular(std::slice::from_ref(wildcard));
                let label = format!("wildcard_{}", variables.len() + 1);
                variables.push(Variable::new(&label, "", pattern));
                shape.push_str("{}");
            }
        }
        at = variable.map_or(at + 1, |it| it.end);
    }
    if shape.is_empty() {
        shape.push('/');
    }
    if let Some(verb) = &template.verb {
        shape.push(':');
        shape.push_str(verb);
    }
    (shape, variables)
}

impl Variable {
    fn new(label: &str, field_path: &str, pattern: Option<String>) -> Self {
        let (label, field_path) = (label.to_owned(), field_path.to_owned());
        Self { label, field_path, field: None, pattern }
    }
}

/// A regular expression for segments; none for a single free one, which every text matches.
fn regular(segments: &[Segment]) -> Option<String> {
    let part = |it: &Segment| match it {
        Segment::Literal(text) => regex_lite::escape(text),
        Segment::Single => "[^/]+".to_owned(),
        Segment::Multi => ".*".to_owned(),
    };
    let free = matches!(segments, [Segment::Single]);
    let parts: Vec<String> = segments.iter().map(part).collect();
    (!free).then(|| format!("^{}$", parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled(template: &str) -> (String, Vec<Option<String>>) {
        let (shape, variables) = outline(&Template::parse(template).unwrap());
        let patterns = variables.iter().map(|it| it.pattern.clone()).collect();
        let binding = Binding {
            verb: "get".into(),
            shape,
            variables,
            body: Body::None,
            response_body: None,
            suffix: String::new(),
        };
        (binding.path(), patterns)
    }

    #[test]
    fn a_template_becomes_a_path() {
        for (template, path, patterns) in [
            ("/v1/apps", "/v1/apps", vec![]),
            ("/v1/apps/{id}", "/v1/apps/{id}", vec![None]),
            ("/v1/apps/{id}:stop", "/v1/apps/{id}:stop", vec![None]),
            ("/v1/{app.id}/x/{key}", "/v1/{app.id}/x/{key}", vec![None, None]),
            ("/v1/{name=a/*/b.c/**}", "/v1/{name}", vec![Some("^a/[^/]+/b\\.c/.*$".into())]),
            ("/v1/*/x", "/v1/{wildcard_1}/x", vec![None]),
            ("/v1/{id=*}", "/v1/{id}", vec![None]),
        ] {
            assert_eq!(labelled(template), (path.to_owned(), patterns), "{template}");
        }
    }
}
