//! What the documents tell a reader to type.

use std::env;

use crate::{
    platform::Platform,
    tool::{folder, run, tool},
};

#[test]
fn the_examples_of_every_protocol_run_as_they_stand() {
    let platform = Platform::shared();
    let document = std::fs::read_to_string(folder("docs/protocols.md")).unwrap();
    let blocks: Vec<_> = document.split("```sh\n").skip(1).collect();
    assert!(blocks.len() > 4, "the examples are gone");
    let script: String = blocks.iter().map(|it| it.split("```").next().unwrap()).collect();
    let tools = format!("{}:{}", folder(".tools/venv/bin").display(), env::var("PATH").unwrap());
    let told = run(tool("sh")
        .args(["-euc", &script])
        .env("PATH", tools)
        .env("BUF_CACHE_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/buf"))
        .env("LOOP_DATA", &platform.data));
    let patient = format!("\"{}\"", patient_graph::DEMO_PATIENT);
    let seen = told.matches(&patient).count();
    assert_eq!(seen, 5, "by REST, Connect twice, gRPC and gRPC-Web: {told}");
    assert!(told.contains("loop.clinical.v1.ClinicalService/GetBiomarker"), "{told}");
    assert!(told.contains("\"listServicesResponse\""), "{told}");
}
