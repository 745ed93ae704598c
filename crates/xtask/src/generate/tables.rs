//! The constant tables: methods, events, and the package that joins them.

use std::fmt::Write as _;

use registry::{Audit, Caller, Idempotency, Method, Registry};

pub fn methods(registry: &Registry, package: &str) -> String {
    let mut code = String::from("\npub const METHODS: &[::contract::Method] = &[\n");
    let ours = |it: &&Method| it.descriptor.parent_service().package_name() == package;
    for it in registry.methods().iter().filter(ours) {
        let _ = writeln!(
            code,
            "    ::contract::Method {{ path: {:?}, service: {:?}, scopes: &{:?}, callers: &[{}], \
             audit: {}, emits: &{:?}, idempotency: {}, rate: ::contract::Rate::{} }},",
            it.path,
            it.service,
            it.scopes,
            callers(&it.callers),
            audit(&it.audit),
            it.emits,
            idempotency(it.idempotency),
            capitalized(&it.rate),
        );
    }
    code + "];\n"
}

pub fn events(registry: &Registry, package: &str) -> String {
    let ours = || registry.events().iter().filter(|it| it.descriptor.package_name() == package);
    let mut code = String::new();
    for it in ours() {
        let _ = writeln!(
            code,
            "\nimpl ::contract::Event for {message} {{\n    \
             const TYPE: &'static ::contract::EventType = &::contract::EventType {{ name: {name:?}, \
             producer: {producer:?}, aggregate: {aggregate:?}, key: {key:?}, \
             partner_scope: {scope:?}, message: {full:?} }};\n\n    \
             fn key(&self) -> &str {{\n        &self.{key}\n    }}\n}}",
            message = it.descriptor.name(),
            name = it.name,
            producer = it.producer,
            aggregate = it.aggregate,
            key = it.key,
            scope = it.partner_scope,
            full = it.descriptor.full_name(),
        );
    }
    code += "\npub const EVENTS: &[&::contract::EventType] = &[\n";
    for it in ours() {
        let _ = writeln!(code, "    <{} as ::contract::Event>::TYPE,", it.descriptor.name());
    }
    code + "];\n"
}

pub fn package(name: &str) -> String {
    format!(
        "\npub const PACKAGE: ::contract::Package = ::contract::Package {{\n    name: {name:?},\n    \
         methods: METHODS,\n    events: EVENTS,\n    \
         descriptors: include_bytes!(\"descriptors.binpb\"),\n}};\n"
    )
}

fn callers(callers: &[Caller]) -> String {
    let names: Vec<_> =
        callers.iter().map(|it| format!("::contract::CallerKind::{it:?}")).collect();
    names.join(", ")
}

fn audit(audit: &Audit) -> String {
    match audit {
        Audit::Write(name) => format!("::contract::Audit::Write({name:?})"),
        Audit::Read(name) => format!("::contract::Audit::Read({name:?})"),
        Audit::None(_) => "::contract::Audit::None".into(),
    }
}

fn idempotency(idempotency: Idempotency) -> String {
    format!("::contract::Idempotency::{idempotency:?}")
}

fn capitalized(constant: &str) -> String {
    let (first, rest) = constant.split_at(1);
    first.to_owned() + &rest.to_lowercase()
}
