//! The mesh over real sockets, with servers that behave badly.

mod calls;
mod connections;
mod replicas;
mod retries;
mod runtimes;
mod server;
mod uploads;
