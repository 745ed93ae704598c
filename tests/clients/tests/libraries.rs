//! Our own libraries: their types, their own tests, and their users' programs.

use std::{fs, process::Command, sync::OnceLock};

use crate::{
    platform::Platform,
    tool::{folder, run, tool, tool_of},
};

#[test]
fn the_python_library_is_typed_to_the_last_expression() {
    run(python(tool("mypy")).arg("loop_platform").arg("tests"));
    let mut command = python(tool("mypy"));
    command.arg("--strict").arg("--python-version=3.10").env("MYPYPATH", folder("sdks/python"));
    run(command.arg(folder("tests/clients/python/test_library.py")));
}

#[test]
fn the_python_librarys_own_tests_pass() {
    run(python(tool("pytest")).args(["-q", "-p", "no:cacheprovider"]));
}

#[test]
fn the_python_library_does_what_its_users_need() {
    let mut command = tool_of(Platform::shared(), "pytest");
    command.args(["-q", "-p", "no:cacheprovider", "test_library.py"]);
    command.env("PYTHONPATH", folder("sdks/python")).env("PYTHONDONTWRITEBYTECODE", "1");
    run(command.current_dir(folder("tests/clients/python")));
}

#[test]
fn the_typescript_librarys_own_tests_pass() {
    built();
    let tests = folder("sdks/typescript/test");
    let files = fs::read_dir(&tests).unwrap().map(|it| it.unwrap().path());
    let files = files.filter(|it| it.to_string_lossy().ends_with(".test.mjs"));
    run(tool("node").arg("--test").args(files));
}

#[test]
fn the_typescript_library_does_what_its_users_need() {
    built();
    let users = folder("tests/clients/typescript");
    run(tool("tsc").arg("--project").arg(&users));
    let mut command = tool_of(Platform::shared(), "node");
    command.env("LOOP_REFRESH_TOKEN", refresh_token());
    run(command.arg("--test").arg(users.join("dist/library.test.js")));
}

/// Checks the types of the TypeScript library and writes its JavaScript, once.
fn built() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        run(tool("tsc").arg("--project").arg(folder("sdks/typescript")));
    });
}

/// A refresh token of the demo's member, by sign-in pages, authorization code and PKCE.
fn refresh_token() -> String {
    let script = folder("tests/clients/python/sign_in.py");
    run(tool_of(Platform::shared(), "python").arg(script)).trim().to_owned()
}

/// A tool in the folder of the Python library, that leaves nothing behind.
fn python(mut command: Command) -> Command {
    command.current_dir(folder("sdks/python")).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("MYPY_CACHE_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/mypy"));
    command
}
