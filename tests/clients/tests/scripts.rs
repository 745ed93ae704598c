//! The clients that Python and JavaScript programmers have: requests, httpx, grpcio, fetch.

use crate::{
    platform::Platform,
    tool::{folder, run, tool_of},
};

#[test]
fn pythons_requests_does_all_that_the_documentation_says() {
    pytest("test_requests_client.py");
}

#[test]
fn pythons_httpx_does_all_that_the_documentation_says() {
    pytest("test_httpx_client.py");
}

#[test]
fn grpcio_asks_what_can_be_called_and_calls_it() {
    pytest("test_grpc.py");
}

#[test]
fn nodes_fetch_does_all_that_the_documentation_says() {
    let script = folder("tests/clients/node/fetch.test.mjs");
    run(tool_of(Platform::shared(), "node").arg("--test").arg(script));
}

#[track_caller]
fn pytest(file: &str) {
    let mut command = tool_of(Platform::shared(), "pytest");
    command.args(["-q", "-p", "no:cacheprovider", file]).env("PYTHONDONTWRITEBYTECODE", "1");
    run(command.current_dir(folder("tests/clients/python")));
}
