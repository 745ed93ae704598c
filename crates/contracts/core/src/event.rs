//! A fact that travels.

/// A message that is an event. Implemented by generated code only.
pub trait Event: prost::Message + Default {
    const TYPE: &'static EventType;

    /// The value that orders delivery: events of one aggregate with one key arrive in order.
    fn key(&self) -> &str;
}

/// One row of a contract's event table.
#[derive(Debug, PartialEq, Eq)]
pub struct EventType {
    /// `clinical.biomarker.parsed.v1`.
    pub name: &'static str,
    /// The service that publishes it.
    pub producer: &'static str,
    /// The name's first two parts: events that share one sequence per key.
    pub aggregate: &'static str,
    /// The name of the key field.
    pub key: &'static str,
    /// The scope that makes it visible to a partner; empty: none does.
    pub partner_scope: &'static str,
    /// The payload's message type.
    pub message: &'static str,
}
