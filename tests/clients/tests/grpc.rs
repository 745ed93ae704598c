//! gRPC, gRPC-Web and Connect by programs that know no contract: grpcio and buf ask the platform
//! for them; and Connect's own library for JavaScript.

use std::process::Command;

use serde_json::{Value, json};

use crate::{
    platform::Platform,
    tool::{folder, run, tool, tool_of},
};

const PATIENT: &str = "loop.patient_graph.v1.PatientGraphService/GetPatientSafe";

#[test]
fn buf_lists_what_can_be_called() {
    let platform = Platform::shared();
    let list = |flag: &str| run(&mut buf(&["curl", flag, &platform.api]));
    let services = list("--list-services");
    assert!(services.contains("loop.clinical.v1.ClinicalService"), "{services}");
    assert!(!services.contains("loop.records.v1"), "{services}");
    let methods = list("--list-methods");
    assert!(methods.contains("loop.identity.v1.IdentityService/GetMe"), "{methods}");
    assert!(!methods.contains("ResolveToken"), "{methods}");
}

#[test]
fn buf_calls_by_every_protocol_and_either_version_of_reflection() {
    let platform = Platform::shared();
    let (token, url) = (platform.token(), format!("{}/{PATIENT}", platform.api));
    let (header, data) = (
        format!("Authorization: Bearer {token}"),
        json!({"id": patient_graph::DEMO_PATIENT}).to_string(),
    );
    for reflection in ["grpc-v1", "grpc-v1alpha"] {
        for protocol in ["grpc", "grpcweb", "connect"] {
            let flags = ["curl", "--reflect-protocol", reflection, "--protocol", protocol];
            let said = run(buf(&flags).args(["--header", &header, "--data", &data, &url]));
            let answer: Value = serde_json::from_str(&said).unwrap();
            assert_eq!(answer["patient"]["id"], patient_graph::DEMO_PATIENT, "{protocol}: {said}");
        }
    }
}

#[test]
fn buf_shows_why_a_call_fails() {
    let url = format!("{}/{PATIENT}", Platform::shared().api);
    for protocol in ["grpc", "grpcweb", "connect"] {
        let flags = ["curl", "--protocol", protocol, "--data", "{\"id\":\"x\"}", &url];
        let output = buf(&flags).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        // The code of gRPC, shifted by three bits.
        assert_eq!(output.status.code(), Some(16 << 3), "{protocol}: {said}");
        assert!(said.contains("google.rpc.ErrorInfo"), "{protocol}: {said}");
    }
}

#[test]
fn connects_own_library_speaks_each_of_its_protocols() {
    let script = folder("tests/clients/typescript/connect.test.mjs");
    run(tool_of(Platform::shared(), "node").arg("--test").arg(script));
}

/// buf, which would keep a cache in the home directory.
fn buf(arguments: &[&str]) -> Command {
    let mut command = tool("buf");
    command.env("BUF_CACHE_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/buf"));
    command.args(arguments);
    command
}
