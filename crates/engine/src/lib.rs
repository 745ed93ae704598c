//! The engines a developer machine needs, started and stopped as child processes.
//!
//! `loop up` starts one durable PostgreSQL with [`Postgres::start`]; the tests start everything at
//! once with [`Engines::for_tests`]. The API blocks: it is used at start-up and at the end only.
//!
//! Every engine listens on 127.0.0.1 alone and in a process group of its own, so that a Ctrl-C in
//! the terminal reaches the platform and not the engines, and the platform can drain first.
//! What is temporary dies with its parent, however the parent dies. A durable PostgreSQL outlives a
//! killed parent, and the next start adopts it.

mod engines;
mod error;
mod moto;
mod nats;
mod postgres;
mod process;
mod redis;
mod temporary;

pub use engines::Engines;
pub use error::{Error, Result};
pub use moto::Moto;
pub use nats::Nats;
pub use postgres::{Postgres, PostgresOptions, SUPERUSER};
pub use redis::Redis;
