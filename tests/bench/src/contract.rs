//! The benchmark's contract: compiled once for all peers, then read as the generator would.

use std::path::Path;

use anyhow::Context as _;
use contract::{Audit, CallerKind, Idempotency, Method, Package, Rate};
use registry::{Caller, Registry};

/// The full name of the service.
pub const SERVICE: &str = "loop.bench.v1.BenchService";

/// The service's name in the mesh.
pub const PEER: &str = "bench";

const FILE: &str = "bench.proto";

/// Envoy words only those details of an error whose types it is given; our edge knows them.
const DETAILS: &str = "google/rpc/error_details.proto";

/// A serialized `google.protobuf.FileDescriptorSet` of the contract and its imports.
pub fn descriptors() -> anyhow::Result<Vec<u8>> {
    compile(&[FILE])
}

/// The same, with the details of errors.
pub fn descriptors_with_details() -> anyhow::Result<Vec<u8>> {
    compile(&[FILE, DETAILS])
}

fn compile(files: &[&str]) -> anyhow::Result<Vec<u8>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut compiler = protox::Compiler::new([here.join("proto"), here.join("../../proto")])?;
    compiler.include_imports(true).open_files(files)?;
    Ok(compiler.encode_file_descriptor_set())
}

/// The contract as the generator would write it into a crate of its own.
pub fn package(descriptors: Vec<u8>) -> anyhow::Result<&'static Package> {
    let descriptors = descriptors.leak();
    let registry = Registry::load(&[descriptors])?;
    let methods = registry.methods().iter().map(method).collect::<anyhow::Result<Vec<_>>>()?;
    let methods = methods.leak();
    Ok(Box::leak(Box::new(Package { name: "loop.bench.v1", methods, events: &[], descriptors })))
}

fn method(read: &registry::Method) -> anyhow::Result<Method> {
    Ok(Method {
        path: leak(&read.path),
        service: leak(&read.service),
        scopes: read.scopes.iter().map(|it| leak(it)).collect::<Vec<_>>().leak(),
        callers: read.callers.iter().copied().map(caller).collect::<Vec<_>>().leak(),
        audit: audit(&read.audit),
        emits: &[],
        idempotency: Idempotency::None,
        rate: rate(&read.rate).with_context(|| format!("{} has a rate of its own", read.path))?,
    })
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

fn rate(read: &str) -> Option<Rate> {
    match read {
        "READ" => Some(Rate::Read),
        "WRITE" => Some(Rate::Write),
        _ => None,
    }
}

fn leak(text: &str) -> &'static str {
    text.to_owned().leak()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_is_complete_and_its_writes_need_receipts() {
        let package = package(descriptors().unwrap()).unwrap();
        assert!(package.methods.iter().all(|it| it.service == PEER && it.path.contains(SERVICE)));
        let writes: Vec<_> = package.methods.iter().map(Method::writes).collect();
        assert_eq!(writes, [false, false, true, true, true]);
    }
}
