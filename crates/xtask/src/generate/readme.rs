//! The tables of a service's README: its methods, pages and events, as the contract has them.

use std::fmt::Write as _;

use anyhow::Context as _;
use prost_reflect::{DynamicMessage, Value};
use registry::{Audit, Caller, Method, Registry, Service};

const BEGIN: &str = "<!-- generated -->";
const END: &str = "<!-- end -->";

/// `text` with what stands between its marks written anew.
pub fn write(registry: &Registry, service: &Service, text: &str) -> anyhow::Result<String> {
    let (before, rest) = text.split_once(BEGIN).with_context(|| format!("no line {BEGIN}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("no line {END}"))?;
    let tables = methods(registry, service) + &pages(service) + &events(registry, service);
    Ok(format!("{before}{BEGIN}\n{tables}{END}{after}"))
}

fn methods(registry: &Registry, service: &Service) -> String {
    let mut table = String::from(
        "| Method | HTTP | Callers | Scopes | Audit | Emits |\n|---|---|---|---|---|---|\n",
    );
    for method in registry.methods().iter().filter(|it| it.service == service.name) {
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {} | {} |",
            method.descriptor.name(),
            or_dash(code(&routes(registry, method))),
            method.callers.iter().map(|it| caller(*it)).collect::<Vec<_>>().join(", "),
            or_dash(code(&method.scopes)),
            audit(&method.audit),
            or_dash(code(&method.emits)),
        );
    }
    table
}

fn pages(service: &Service) -> String {
    match service.pages.is_empty() {
        true => String::new(),
        false => format!("\nHTML pages: {}.\n", code(&service.pages).replace("<br>", ", ")),
    }
}

fn events(registry: &Registry, service: &Service) -> String {
    let mut rows = String::new();
    for event in registry.events().iter().filter(|it| it.producer == service.name) {
        let _ = writeln!(
            rows,
            "| `{}` | `{}` | `{}` | {} |",
            event.name,
            event.aggregate,
            event.key,
            or_dash(code(std::slice::from_ref(&event.partner_scope))),
        );
    }
    match rows.is_empty() {
        true => "\nPublishes no events.\n".to_owned(),
        false => {
            format!("\n| Event | Aggregate | Key | Partners with |\n|---|---|---|---|\n{rows}")
        }
    }
}

/// `GET /v1/biomarkers/me`, one for each binding.
fn routes(registry: &Registry, method: &Method) -> Vec<String> {
    let http = registry.pool().get_extension_by_name("google.api.http");
    let options = method.descriptor.options();
    let http = http.filter(|_| method.has_route).map(|it| options.get_extension(&it).into_owned());
    let Some(rule) = http.as_ref().and_then(Value::as_message) else { return Vec::new() };
    let additional = rule.get_field_by_name("additional_bindings");
    let additional = additional.as_ref().and_then(|it| it.as_list()).unwrap_or_default();
    let rules = std::iter::once(rule).chain(additional.iter().filter_map(Value::as_message));
    rules.filter_map(route).collect()
}

fn route(rule: &DynamicMessage) -> Option<String> {
    ["get", "put", "post", "delete", "patch"].into_iter().find_map(|verb| {
        let path = rule.get_field_by_name(verb)?.as_str()?.to_owned();
        (!path.is_empty()).then(|| format!("{} {path}", verb.to_uppercase()))
    })
}

fn caller(caller: Caller) -> &'static str {
    match caller {
        Caller::User => "user",
        Caller::Service => "service",
        Caller::Staff => "staff",
        Caller::Public => "public",
    }
}

fn audit(audit: &Audit) -> String {
    match audit {
        Audit::Write(name) => format!("write `{name}`"),
        Audit::Read(name) => format!("read `{name}`"),
        Audit::None(why) => format!("none: {why}"),
    }
}

fn code(words: &[String]) -> String {
    let words: Vec<_> =
        words.iter().filter(|it| !it.is_empty()).map(|it| format!("`{it}`")).collect();
    words.join("<br>")
}

fn or_dash(text: String) -> String {
    if text.is_empty() { "–".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> anyhow::Result<String> {
        let registry = crate::generate::registry(&crate::root()).unwrap();
        let service = registry.services().iter().find(|it| it.name == "clinical").unwrap();
        write(&registry, service, text)
    }

    #[test]
    fn what_stands_between_the_marks_is_written_anew_and_the_rest_stays() {
        let text = format!("# Clinical\n\n{BEGIN}\nold\n{END}\n\nMore.\n");
        let once = written(&text).unwrap();
        assert!(once.starts_with("# Clinical\n") && once.ends_with("\n\nMore.\n"), "{once}");
        assert!(!once.contains("old"));
        assert!(once.contains("| GetBiomarker | `GET /v1/biomarkers/{id}` | user, service |"));
        assert!(once.contains("| `clinical.biomarker.parsed.v1` | `clinical.biomarker` |"));
        assert_eq!(written(&once).unwrap(), once);
    }

    #[test]
    fn a_readme_without_marks_is_refused() {
        assert!(written("# Clinical\n").is_err());
    }
}
