//! Programs that are no part of this repository, and how they are run.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::platform::Platform;

/// A folder of the repository.
pub fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path).canonicalize().unwrap()
}

/// A program that `deploy/dev/install.sh test` installs, in the repository or for the machine.
pub fn tool(program: &str) -> Command {
    let root = folder(".");
    let own = [
        root.join(".tools/venv/bin").join(program),
        root.join("tests/clients/typescript/node_modules/.bin").join(program),
    ];
    Command::new(own.into_iter().find(|it| it.exists()).unwrap_or_else(|| program.into()))
}

/// A program that knows the platform by its environment.
pub fn tool_of(platform: &Platform, program: &str) -> Command {
    let mut command = tool(program);
    command.envs(platform.environment());
    command
}

/// Runs it to its end; fails, with all it said, unless it succeeds. Gives what it printed.
#[track_caller]
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|cause| {
        panic!("{command:?}: {cause}; run `deploy/dev/install.sh test`");
    });
    let (told, said) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{told}\n{said}", output.status);
    told.into_owned()
}
