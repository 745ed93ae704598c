//! The gate on a real database.

mod competition;
mod database;
mod failures;
mod order;
mod schedules;
