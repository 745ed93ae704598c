//! The OAuth error codes, their HTTP status, and the one error of this crate.

use std::borrow::Cow;

/// What a client is told when something is wrong. Both parts are safe to show to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{description}")]
pub struct Error {
    code: ErrorCode,
    description: Cow<'static, str>,
}

/// The registered error codes this server uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// RFC 6749 sections 4.1.2.1 and 5.2.
    InvalidRequest,
    /// RFC 6749 section 5.2.
    InvalidClient,
    /// RFC 6749 section 5.2.
    InvalidGrant,
    /// RFC 6749 sections 4.1.2.1 and 5.2.
    UnauthorizedClient,
    /// RFC 6749 section 5.2.
    UnsupportedGrantType,
    /// RFC 6749 section 4.1.2.1.
    UnsupportedResponseType,
    /// RFC 6749 sections 4.1.2.1 and 5.2.
    InvalidScope,
    /// RFC 6749 section 4.1.2.1.
    AccessDenied,
    /// RFC 6749 section 4.1.2.1.
    ServerError,
    /// RFC 6749 section 4.1.2.1.
    TemporarilyUnavailable,
    /// OpenID Connect Core section 3.1.2.6.
    LoginRequired,
    /// OpenID Connect Core section 3.1.2.6.
    ConsentRequired,
    /// RFC 7591 section 3.2.2.
    InvalidRedirectUri,
    /// RFC 6750 section 3.1.
    InvalidToken,
    /// RFC 6750 section 3.1.
    InsufficientScope,
}

impl Error {
    /// An error with a description for the client's developer (RFC 6749 section 5.2).
    ///
    /// A character outside the set that `error_description` may hold becomes a question mark.
    pub fn new(code: ErrorCode, description: impl Into<Cow<'static, str>>) -> Error {
        let description = description.into();
        if description.chars().all(allowed_in_description) {
            return Error { code, description };
        }
        let clean = description.chars().map(|it| if allowed_in_description(it) { it } else { '?' });
        Error { code, description: clean.collect::<String>().into() }
    }

    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// The value of `error_description`.
    pub fn description(&self) -> &str {
        &self.description
    }
}

impl ErrorCode {
    /// The value of `error`.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorCode::InvalidRequest => "invalid_request",
            ErrorCode::InvalidClient => "invalid_client",
            ErrorCode::InvalidGrant => "invalid_grant",
            ErrorCode::UnauthorizedClient => "unauthorized_client",
            ErrorCode::UnsupportedGrantType => "unsupported_grant_type",
            ErrorCode::UnsupportedResponseType => "unsupported_response_type",
            ErrorCode::InvalidScope => "invalid_scope",
            ErrorCode::AccessDenied => "access_denied",
            ErrorCode::ServerError => "server_error",
            ErrorCode::TemporarilyUnavailable => "temporarily_unavailable",
            ErrorCode::LoginRequired => "login_required",
            ErrorCode::ConsentRequired => "consent_required",
            ErrorCode::InvalidRedirectUri => "invalid_redirect_uri",
            ErrorCode::InvalidToken => "invalid_token",
            ErrorCode::InsufficientScope => "insufficient_scope",
        }
    }

    /// The HTTP status of an answer with this code. 302 stands for the codes that exist only on
    /// the way back to the client's redirect URI.
    pub fn http_status(self) -> u16 {
        match self {
            ErrorCode::InvalidClient | ErrorCode::InvalidToken => 401,
            ErrorCode::InsufficientScope => 403,
            ErrorCode::AccessDenied | ErrorCode::LoginRequired | ErrorCode::ConsentRequired => 302,
            ErrorCode::ServerError => 500,
            ErrorCode::TemporarilyUnavailable => 503,
            _ => 400,
        }
    }
}

/// RFC 6749 appendix A.8.
fn allowed_in_description(character: char) -> bool {
    matches!(character, ' '..='~') && !matches!(character, '"' | '\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_holds_only_what_the_rfc_allows() {
        let error = Error::new(ErrorCode::InvalidScope, "scope \"é\\\n\" is unknown");
        assert_eq!(error.to_string(), "scope ????? is unknown");
        assert_eq!(error.description(), error.to_string());
    }

    #[test]
    fn each_code_has_the_status_of_the_reference() {
        let expected = [
            (ErrorCode::InvalidRequest, "invalid_request", 400),
            (ErrorCode::InvalidGrant, "invalid_grant", 400),
            (ErrorCode::UnauthorizedClient, "unauthorized_client", 400),
            (ErrorCode::UnsupportedGrantType, "unsupported_grant_type", 400),
            (ErrorCode::UnsupportedResponseType, "unsupported_response_type", 400),
            (ErrorCode::InvalidScope, "invalid_scope", 400),
            (ErrorCode::InvalidClient, "invalid_client", 401),
            (ErrorCode::InvalidToken, "invalid_token", 401),
            (ErrorCode::AccessDenied, "access_denied", 302),
            (ErrorCode::InsufficientScope, "insufficient_scope", 403),
            (ErrorCode::ServerError, "server_error", 500),
            (ErrorCode::TemporarilyUnavailable, "temporarily_unavailable", 503),
        ];
        for (code, text, status) in expected {
            assert_eq!((code.as_str(), code.http_status()), (text, status));
        }
    }
}
