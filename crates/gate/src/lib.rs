//! The version gate: whatever a bus delivers, each event takes effect once and in order.
//!
//! Every function runs inside the transaction that also holds the effect, so position and effect
//! commit together or not at all. The connection's `search_path` is the consumer's schema and
//! `app.brand_id` is the event's brand.
//!
//! A handler's way, for an event with a version:
//!
//! 1. Begin. [`admit`] the event. On [`Admission::Apply`] write the effect. Commit.
//! 2. Whatever the admission was, the delivery is over: acknowledge it.
//! 3. After an apply, [`unpark`] returns the event that waited for it; begin again with that one.
//! 4. When the effect cannot be written, roll back and [`fail`] in a new transaction.
//!
//! A service runs [`contiguous`] from time to time for each brand, for events whose turn came when
//! nobody looked. Events without a version pass by [`claim`] instead.

mod admission;
mod dead_letter;
mod error;
mod inbox;
mod parking;
mod position;
#[cfg(test)]
mod tests;

pub use admission::{Admission, admit, decide};
pub use dead_letter::{ATTEMPTS, Failure, fail, retry, skip};
pub use error::{Error, Result};
pub use inbox::claim;
pub use parking::{Gap, contiguous, gaps, unpark};
pub use position::start_at;
