//! Laboratory values, their units, reference ranges by sex, and what a value means against them.
//!
//! The crate is a pure engine: text and numbers go in, an interpretation or an error comes out.
//! It reads no clock and does no I/O; its tables are compiled in from `data/`.
//!
//! A result takes one path: its text becomes a [`Value`], its unit a [`Unit`], both are converted
//! to the marker's canonical unit, checked for plausibility, and classified. [`interpret`] is that
//! path for one result and [`interpret_report`] for a whole report.
//!
//! The ranges and formulas are engineering data with a named source each. They are not medical
//! advice, and a clinician signs a rule set off before anybody relies on it.

mod catalogue;
mod classify;
mod error;
mod interval;
mod phenoage;
mod report;
mod unit;
mod value;

pub use catalogue::{Marker, Ranges, Sex, marker, markers};
pub use classify::{Classification, FoldedStatus, Status, Thresholds, classify};
pub use error::{Bound, DecimalRule, Error, Field, ReportError};
pub use interval::Interval;
pub use phenoage::{Ineligible, PhenoAge, PhenoAgeInputs, Subject, Variant};
pub use report::{Interpreted, LabResult, Original, RangeSource, interpret, interpret_report};
pub use unit::{Unit, convert};
pub use value::{Comparator, MAX_DECIMALS, Value, parse_decimal};

/// The version of the tables and rules. A derived fact stores it, so that it can be reproduced
/// later; every change of `data/markers.csv`, `data/conversions.csv` or of a rule changes it.
pub const RULESET_VERSION: &str = "2026-11-1";
