//! Stories across services, against the real program in each of its shapes.

mod chaos;
mod gap;
mod many_processes;
mod one_process;
mod program;
