//! The benchmark's contract: compiled once for all peers.

use std::path::Path;

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

#[cfg(test)]
mod tests {
    use contract::Method;

    use super::*;

    #[test]
    fn the_contract_is_complete_and_its_writes_need_receipts() {
        let package = kit_test::package(descriptors().unwrap());
        assert!(package.methods.iter().all(|it| it.service == PEER && it.path.contains(SERVICE)));
        let writes: Vec<_> = package.methods.iter().map(Method::writes).collect();
        assert_eq!(writes, [false, false, true, true, true]);
    }
}
