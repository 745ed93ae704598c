//! What the platform enforces around one method, as its proto options say it.

/// One row of a contract's method table.
#[derive(Debug, PartialEq, Eq)]
pub struct Method {
    /// The gRPC path: `/loop.clinical.v1.ClinicalService/GetBiomarker`.
    pub path: &'static str,
    /// The service's name in the mesh: `clinical`.
    pub service: &'static str,
    /// Any one of these suffices. Empty only where the public may call.
    pub scopes: &'static [&'static str],
    pub callers: &'static [CallerKind],
    pub audit: Audit,
    /// Names of the events a write leaves in its outbox.
    pub emits: &'static [&'static str],
    pub idempotency: Idempotency,
    pub rate: Rate,
}

impl Method {
    /// True when anybody may call without a token.
    pub fn is_public(&self) -> bool {
        self.callers.contains(&CallerKind::Public)
    }

    /// True when a success must have left an audit row.
    pub fn writes(&self) -> bool {
        matches!(self.audit, Audit::Write(_))
    }
}

/// Who stands behind a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallerKind {
    User,
    Service,
    Staff,
    Public,
}

impl CallerKind {
    /// The word for it in audit rows and token records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Service => "service",
            Self::Staff => "staff",
            Self::Public => "public",
        }
    }
}

/// What the audit log says of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audit {
    /// The change leaves a row of this `event_type` in its own transaction.
    Write(&'static str),
    /// The answer holds protected data: the access is recorded under this `event_type`.
    Read(&'static str),
    /// Nothing is recorded; the contract says why.
    None,
}

/// Whether a retry gets the first answer again, and for how long that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotency {
    None,
    Accepted { retention_hours: u32 },
    Required { retention_hours: u32 },
}

/// The class of a method at the rate limiter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rate {
    Read,
    Write,
    Admin,
    Token,
    Introspect,
    Revoke,
    Authorize,
}
