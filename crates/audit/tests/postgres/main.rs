//! Seals, verifies and proves against a real Postgres, named by `LOOP_TEST_DATABASE_URL`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod database;
mod proving;
mod sealing;
mod tampering;
