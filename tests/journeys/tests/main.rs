//! Stories across services, against the real program in each of its shapes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod chaos;
mod gap;
mod many_processes;
mod one_process;
mod program;
