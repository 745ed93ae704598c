//! All the SQL of this service.

pub mod patient;
pub mod timeline;

pub use patient::seed;
