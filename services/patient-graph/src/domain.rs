//! What a patient is, and what a timeline tells. Pure.

pub mod patient;
pub mod timeline;
