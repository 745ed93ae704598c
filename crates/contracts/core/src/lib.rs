//! What generated contracts are made of: the constant tables and traits that
//! `cargo xtask gen` fills in from the protos.

mod event;
mod method;
mod phi;
mod validate;

pub use event::{Event, EventType};
pub use method::{Audit, CallerKind, Idempotency, Method, Rate};
pub use phi::{Masked, Phi};
pub use regex_lite::Regex as Pattern;
pub use validate::{Rules, Validate, Violation, regex};

/// A package's contract: everything the platform derives from its protos.
#[derive(Debug)]
pub struct Package {
    /// The proto package, such as `loop.clinical.v1`.
    pub name: &'static str,
    pub methods: &'static [Method],
    pub events: &'static [&'static EventType],
    /// A serialized `google.protobuf.FileDescriptorSet` of the package and its imports.
    pub descriptors: &'static [u8],
}
