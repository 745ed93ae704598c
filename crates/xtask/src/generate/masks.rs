//! `Debug` of messages that hold protected data: the protected fields print as a marker.

use std::fmt::Write as _;

use prost_reflect::{FieldDescriptor, MessageDescriptor, OneofDescriptor};
use registry::{Registry, phi};

/// Paths for which prost must not derive `Debug`.
pub fn paths(registry: &Registry, package: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for message in masked(registry, package) {
        paths.push(format!(".{}", message.full_name()));
        for oneof in masked_oneofs(registry, &message) {
            paths.push(format!(".{}", oneof.full_name()));
        }
    }
    paths
}

pub fn all(registry: &Registry, package: &str) -> String {
    let mut code = String::new();
    for message in masked(registry, package) {
        let mut fields = String::new();
        for field in message.fields().filter(|it| real_oneof(it).is_none()) {
            let name = super::rules::rust_name(field.name());
            let shown = match phi(registry.pool(), &field) {
                Some(_) => "&::contract::Masked".to_owned(),
                None => format!("&self.{name}"),
            };
            let _ = write!(fields, "\n            .field({:?}, {shown})", field.name());
        }
        for oneof in message.oneofs().filter(|it| !it.is_synthetic()) {
            let _ = write!(fields, "\n            .field({0:?}, &self.{0})", oneof.name());
        }
        let _ = writeln!(
            code,
            "{}",
            debug(
                message.name(),
                &format!("f.debug_struct({:?}){fields}\n            .finish()", message.name())
            )
        );
        for oneof in masked_oneofs(registry, &message) {
            let path = format!("{}::{}", snake(message.name()), camel(oneof.name()));
            let _ = writeln!(
                code,
                "{}",
                debug(&path, "::core::fmt::Debug::fmt(&::contract::Masked, f)")
            );
        }
    }
    code
}

fn debug(path: &str, body: &str) -> String {
    format!(
        "\nimpl ::core::fmt::Debug for {path} {{\n    \
         fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {{\n        \
         {body}\n    }}\n}}"
    )
}

fn masked(registry: &Registry, package: &str) -> Vec<MessageDescriptor> {
    let protected = |it: &MessageDescriptor| {
        it.package_name() == package
            && !it.is_map_entry()
            && it.fields().any(|it| phi(registry.pool(), &it).is_some())
    };
    registry.pool().all_messages().filter(protected).collect()
}

fn masked_oneofs(registry: &Registry, message: &MessageDescriptor) -> Vec<OneofDescriptor> {
    let protected = |it: &OneofDescriptor| {
        !it.is_synthetic() && it.fields().any(|it| phi(registry.pool(), &it).is_some())
    };
    message.oneofs().filter(protected).collect()
}

/// The oneof a field is a member of, `optional`'s synthetic one not counted.
pub fn real_oneof(field: &FieldDescriptor) -> Option<OneofDescriptor> {
    field.containing_oneof().filter(|it| !it.is_synthetic())
}

pub fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

fn camel(name: &str) -> String {
    name.split('_').map(|it| it[..1].to_uppercase() + &it[1..]).collect()
}
