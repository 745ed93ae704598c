//! A service under test: its own database, its own brand, tokens at will, a clock that is moved.
//!
//! Needs a Postgres: `LOOP_TEST_DATABASE_URL`, which `make test` sets.

mod contract;
mod database;
mod deadline;
mod identity;
mod world;

pub use contract::{contract, package};
pub use database::{Database, key, key_hex};
pub use deadline::{eventually, within};
pub use identity::{FakeIdentity, Grant};
pub use world::{TestClient, World};
