//! Why a request cannot become a message.

/// What a client sent and should not have. Names fields and rules, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The body is not JSON (RFC 8259), not UTF-8 or nested too deeply.
    #[error("the body is not valid JSON: {reason} at byte {offset}")]
    Malformed { offset: usize, reason: &'static str },
    /// A field breaks a rule. The path is in declared names, such as
    /// `biomarkers[0].collected_at`, and empty for the message itself.
    #[error("{path}{}{rule}", if path.is_empty() { "" } else { ": " })]
    Field { path: String, rule: String },
    /// The body is of a type that the method does not read.
    #[error("the body must be {expected}")]
    UnsupportedMediaType { expected: &'static str },
    /// One document of a stream is too large.
    #[error("a document must have at most {limit} bytes")]
    DocumentTooLarge { limit: usize },
}

/// Boxed, because results on the fast path should be small.
pub(crate) type Fault = Box<RequestError>;

pub(crate) fn malformed(offset: usize, reason: &'static str) -> Fault {
    Box::new(RequestError::Malformed { offset, reason })
}

/// A broken rule; [`Within`] adds where.
pub(crate) fn broken(rule: impl Into<String>) -> Fault {
    Box::new(RequestError::Field { path: String::new(), rule: rule.into() })
}

/// Adds the way to a fault, from the inside out.
pub(crate) trait Within {
    fn within(self, name: &str) -> Self;
    fn at(self, index: usize) -> Self;
}

impl<T> Within for Result<T, Fault> {
    #[inline]
    fn within(self, name: &str) -> Self {
        self.map_err(|fault| prefixed(fault, name))
    }

    #[inline]
    fn at(self, index: usize) -> Self {
        self.map_err(|fault| prefixed(fault, &format!("[{index}]")))
    }
}

#[cold]
fn prefixed(mut fault: Fault, prefix: &str) -> Fault {
    if let RequestError::Field { path, .. } = fault.as_mut() {
        let dot = if path.is_empty() || path.starts_with('[') { "" } else { "." };
        *path = format!("{prefix}{dot}{path}");
    }
    fault
}
