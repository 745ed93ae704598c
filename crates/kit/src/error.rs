//! One error for every service. `reason` is contract; `message` is prose.

use std::time::Duration;

use contract::Violation;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The domain of every `google.rpc.ErrorInfo` of the platform.
pub const DOMAIN: &str = "platform.loop.health";

/// Why a call failed. Becomes a `google.rpc.Status` in one place, and at the edge the documented
/// HTTP error. The source is logged there once and never leaves the process.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.message)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: Code,
    /// Stable, UPPER_SNAKE_CASE, listed in docs/errors.
    reason: &'static str,
    message: String,
    metadata: Vec<(&'static str, String)>,
    violations: Vec<Violation>,
    retry_after: Option<Duration>,
    source: Option<anyhow::Error>,
}

impl Error {
    pub fn not_found(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, reason, message)
    }

    /// One field breaks a rule that the contract cannot express.
    pub fn invalid(
        reason: &'static str,
        field: impl Into<String>,
        rule: impl Into<String>,
    ) -> Self {
        let violation = Violation { field: field.into(), rule: rule.into() };
        let message = format!("{} {}", violation.field, violation.rule);
        let mut error = Self::new(Code::InvalidArgument, reason, message);
        error.0.violations.push(violation);
        error
    }

    /// Fields break rules of the contract.
    pub fn violations(violations: Vec<Violation>) -> Self {
        let clauses: Vec<_> =
            violations.iter().map(|it| format!("{} {}", it.field, it.rule)).collect();
        let mut error = Self::new(Code::InvalidArgument, "VALIDATION", clauses.join("; "));
        error.0.violations = violations;
        error
    }

    /// The state does not allow it: 412.
    pub fn precondition(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Code::FailedPrecondition, reason, message)
    }

    /// Something like it is already there: 409.
    pub fn conflict(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Code::AlreadyExists, reason, message)
    }

    pub fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(Code::Unauthenticated, "UNAUTHENTICATED", message)
    }

    pub fn denied(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Code::PermissionDenied, reason, message)
    }

    /// Cannot be known or done now; a retry may succeed.
    pub fn unavailable(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Code::Unavailable, reason, message).retry_after(Duration::from_secs(1))
    }

    pub fn rate_limited(message: impl Into<String>, retry_after: Duration) -> Self {
        Self::new(Code::ResourceExhausted, "RATE_LIMITED", message).retry_after(retry_after)
    }

    /// Ours, not the caller's.
    pub fn internal(source: impl Into<anyhow::Error>) -> Self {
        Self::new(Code::Internal, "INTERNAL", "internal error").caused_by(source)
    }

    pub fn new(code: Code, reason: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            reason,
            message: message.into(),
            metadata: Vec::new(),
            violations: Vec::new(),
            retry_after: None,
            source: None,
        }))
    }

    pub fn caused_by(mut self, source: impl Into<anyhow::Error>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds a value that clients may read from `ErrorInfo.metadata`.
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.0.metadata.push((key, value.into()));
        self
    }

    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.0.retry_after = Some(delay);
        self
    }

    /// The same error for another who waited for it. The cause stays with the first.
    pub(crate) fn again(&self) -> Self {
        let Inner { code, reason, message, metadata, violations, retry_after, source: _ } =
            &*self.0;
        Self(Box::new(Inner {
            code: *code,
            reason,
            message: message.clone(),
            metadata: metadata.clone(),
            violations: violations.clone(),
            retry_after: *retry_after,
            source: None,
        }))
    }

    pub fn code(&self) -> Code {
        self.0.code
    }

    pub fn reason(&self) -> &'static str {
        self.0.reason
    }
}

/// A storage failure is ours, never the caller's: say nothing of its text.
impl From<sqlx::Error> for Error {
    fn from(source: sqlx::Error) -> Self {
        let state = source.as_database_error().and_then(|it| it.code()).unwrap_or_default();
        let unreachable =
            matches!(source, sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) | sqlx::Error::Tls(_));
        let cause = sanitized(&source);
        match &*state {
            "40001" | "40P01" => {
                Self::new(Code::Aborted, "CONFLICT", "changed by another call at the same time")
                    .retry_after(Duration::from_millis(100))
            }
            "23505" => Self::conflict("CONFLICT", "already exists"),
            // What Postgres keeps as text, or as text in jsonb, has every character but one.
            "22021" | "22P05" => Self::invalid("VALIDATION", "text", "must have no NUL character"),
            "57014" => Self::new(Code::DeadlineExceeded, "DEADLINE", "took too long"),
            "57P01" | "57P02" | "57P03" | "53300" => storage_unavailable(),
            _ if unreachable => storage_unavailable(),
            _ => Self::internal(anyhow::anyhow!("a query failed")),
        }
        .caused_by(cause)
    }
}

fn storage_unavailable() -> Error {
    Error::unavailable("STORAGE_UNAVAILABLE", "storage is not reachable")
}

/// What may be logged of a storage failure. Postgres repeats values in its messages, such as
/// `invalid input syntax for type numeric: "…"`, so of an error of its own only names are kept.
fn sanitized(source: &sqlx::Error) -> anyhow::Error {
    match source.as_database_error() {
        Some(error) => anyhow::anyhow!(
            "Postgres error {} (table {}, constraint {})",
            error.code().unwrap_or_default(),
            error.table().unwrap_or("unknown"),
            error.constraint().unwrap_or("none"),
        ),
        None => anyhow::anyhow!("{source}"),
    }
}

impl From<cache::Error> for Error {
    fn from(source: cache::Error) -> Self {
        Self::unavailable("CACHE_UNAVAILABLE", "short-lived state is not reachable")
            .caused_by(source)
    }
}

impl From<mesh::Error> for Error {
    fn from(source: mesh::Error) -> Self {
        let error = match source {
            mesh::Error::UnknownPeer(_) | mesh::Error::Address(_) => {
                Self::unavailable("PEER_UNKNOWN", "a service is not reachable")
            }
            mesh::Error::Open { retry_after, .. } => {
                Self::unavailable("PEER_UNREACHABLE", "a service is not reachable")
                    .retry_after(retry_after)
            }
            _ => Self::unavailable("PEER_UNREACHABLE", "a service is not reachable"),
        };
        error.caused_by(source)
    }
}

impl From<gate::Error> for Error {
    fn from(source: gate::Error) -> Self {
        Self::internal(source)
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let Inner { code, reason, message, metadata, violations, retry_after, source } = *error.0;
        if let Some(source) = source {
            tracing::error!(reason, cause = format!("{source:#}"), "call failed");
        }
        let mut details = ErrorDetails::new();
        let metadata = metadata.into_iter().map(|(key, value)| (key.to_owned(), value));
        details.set_error_info(
            reason,
            DOMAIN,
            metadata.collect::<std::collections::HashMap<_, _>>(),
        );
        if !violations.is_empty() {
            let violations =
                violations.into_iter().map(|it| FieldViolation::new(it.field, it.rule));
            details.set_bad_request(violations.collect::<Vec<_>>());
        }
        if let Some(delay) = retry_after {
            details.set_retry_info(Some(delay));
        }
        Self::with_error_details(code, message, details)
    }
}

/// What a peer answered, passed on: its code and its reason, if it is one of ours.
pub fn from_peer(status: Status) -> Error {
    let reason = status.get_details_error_info().map(|it| it.reason);
    Error::new(status.code(), "PEER_FAILED", status.message())
        .with("peer_reason", reason.unwrap_or_default())
        .caused_by(anyhow::anyhow!("a peer answered {:?}", status.code()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_carries_reason_violation_and_delay() {
        let error = Error::invalid("UNIT_UNKNOWN", "biomarkers[0].unit", "must be a UCUM unit")
            .with("unit", "furlong")
            .retry_after(Duration::from_secs(2));
        let status = Status::from(error);
        let details = status.get_error_details();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(details.error_info().unwrap().reason, "UNIT_UNKNOWN");
        assert_eq!(details.error_info().unwrap().metadata["unit"], "furlong");
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "biomarkers[0].unit");
        assert_eq!(details.retry_info().unwrap().retry_delay, Some(Duration::from_secs(2)));
    }

    #[test]
    fn an_open_circuit_says_when_to_come_back() {
        let retry_after = Duration::from_millis(2500);
        let error = Error::from(mesh::Error::Open { service: "clinical", retry_after });
        assert_eq!((error.code(), error.reason()), (Code::Unavailable, "PEER_UNREACHABLE"));
        let details = Status::from(error).get_error_details();
        assert_eq!(details.retry_info().unwrap().retry_delay, Some(retry_after));
    }

    #[test]
    fn the_cause_of_an_internal_error_stays_inside() {
        let status = Status::from(Error::internal(anyhow::anyhow!("password in a DSN")));
        assert_eq!(status.message(), "internal error");
        assert!(!format!("{status:?}").contains("DSN"));
    }
}
