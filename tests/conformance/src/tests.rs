//! The rules on the platform as it is, and on platforms that break them.

mod examples;
mod planted;
mod platform;
