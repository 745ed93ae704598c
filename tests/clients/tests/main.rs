//! Every client against one platform that runs in this process.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod curl;
mod documents;
mod grpc;
mod libraries;
mod platform;
mod scripts;
mod tool;
