//! Contracts of tests, compiled when they run: no generator has to know of them.

use std::path::Path;

use contract::{Audit, CallerKind, Idempotency, Method, Package, Rate};
use registry::{Caller, Registry};

/// The contract in `file` below `folder`, as the generator would write it into a crate of its
/// own. The platform's protos can be imported. Lives as long as the process.
pub fn contract(folder: &Path, file: &str) -> &'static Package {
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let mut compiler = protox::Compiler::new([folder, &protos]).expect("the folders exist");
    compiler.include_imports(true);
    compiler.open_files([file]).expect("the contract compiles");
    package(compiler.encode_file_descriptor_set())
}

/// The contract of a serialized `google.protobuf.FileDescriptorSet`.
pub fn package(descriptors: Vec<u8>) -> &'static Package {
    let descriptors = descriptors.leak();
    let registry = Registry::load(&[descriptors]).expect("the contract is complete");
    let methods = registry.methods().iter().map(method).collect::<Vec<_>>().leak();
    let name = methods.first().map_or("", |it| it.path.split('/').nth(1).unwrap_or_default());
    Box::leak(Box::new(Package { name, methods, events: &[], descriptors }))
}

fn method(read: &registry::Method) -> Method {
    Method {
        path: leak(&read.path),
        service: leak(&read.service),
        scopes: read.scopes.iter().map(|it| leak(it)).collect::<Vec<_>>().leak(),
        callers: read.callers.iter().copied().map(caller).collect::<Vec<_>>().leak(),
        audit: audit(&read.audit),
        emits: read.emits.iter().map(|it| leak(it)).collect::<Vec<_>>().leak(),
        idempotency: idempotency(read.idempotency),
        rate: rate(&read.rate),
    }
}

fn caller(read: Caller) -> CallerKind {
    match read {
        Caller::User => CallerKind::User,
        Caller::Service => CallerKind::Service,
        Caller::Staff => CallerKind::Staff,
        Caller::Public => CallerKind::Public,
    }
}

fn audit(read: &registry::Audit) -> Audit {
    match read {
        registry::Audit::Write(event) => Audit::Write(leak(event)),
        registry::Audit::Read(event) => Audit::Read(leak(event)),
        registry::Audit::None(_) => Audit::None,
    }
}

fn idempotency(read: registry::Idempotency) -> Idempotency {
    match read {
        registry::Idempotency::None => Idempotency::None,
        registry::Idempotency::Accepted { retention_hours } => {
            Idempotency::Accepted { retention_hours }
        }
        registry::Idempotency::Required { retention_hours } => {
            Idempotency::Required { retention_hours }
        }
    }
}

fn rate(read: &str) -> Rate {
    match read {
        "READ" => Rate::Read,
        "WRITE" => Rate::Write,
        "ADMIN" => Rate::Admin,
        "TOKEN" => Rate::Token,
        "INTROSPECT" => Rate::Introspect,
        "REVOKE" => Rate::Revoke,
        "AUTHORIZE" => Rate::Authorize,
        other => panic!("{other} is no class of the limiter"),
    }
}

fn leak(text: &str) -> &'static str {
    text.to_owned().leak()
}
