//! From the outboxes to the consumers: the relay, the two buses, and what feeds a handler.
//!
//! The outbox in Postgres is the only source of truth. A [`Relay`] reads it and sends each event
//! twice: on the [`Fast`] bus, a hint that arrives within a millisecond or never, and on a
//! [`DurableBus`], which brings it again until it is acknowledged. [`consume`] feeds a handler from
//! both. Neither bus orders or deduplicates; the handler goes through the gate (crate `gate`).

mod backoff;
mod consumer;
mod durable;
mod error;
mod fast;
mod queue;
mod relay;
#[cfg(test)]
mod tests;

pub use consumer::consume;
pub use durable::{DurableBus, Put, Receipt, Received, Routes};
pub use error::{Error, Result};
pub use fast::{Fast, Subscription, Wakes};
pub use queue::PostgresQueue;
pub use relay::Relay;
