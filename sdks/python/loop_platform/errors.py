"""What went wrong with a call, as types."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict


class FieldViolation(TypedDict, total=False):
    """A field that breaks a rule."""

    field: str
    """Such as `biomarkers[0].value`."""
    description: str
    reason: str


class LoopError(Exception):
    """A call that failed. Every error of this library is one."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        error: str = "unknown",
        request_id: str | None = None,
        details: Sequence[Mapping[str, Any]] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        """The HTTP status; 0 where no answer came."""
        self.error = error
        """A code for programs, such as `validation_error`."""
        self.request_id = request_id
        """What to name when asking for help."""
        self.details = details
        """Messages of google.rpc, as JSON."""
        self.retry_after = retry_after
        """Seconds to wait before the next attempt, where the platform says so."""

    @property
    def reason(self) -> str | None:
        """Why, as the method's contract names it, such as `BIOMARKER_NOT_FOUND`."""
        reason = self._detail("google.rpc.ErrorInfo").get("reason")
        return reason if isinstance(reason, str) else None

    @property
    def field_violations(self) -> list[FieldViolation]:
        """The fields that break a rule."""
        violations = self._detail("google.rpc.BadRequest").get("field_violations")
        return violations if isinstance(violations, list) else []

    def _detail(self, name: str) -> Mapping[str, Any]:
        wanted = f"type.googleapis.com/{name}"
        named = (it for it in self.details if isinstance(it, Mapping) and it.get("@type") == wanted)
        return next(named, {})


class ValidationError(LoopError):
    """400: a parameter or a field breaks a rule; `field_violations` name both."""


class OAuthError(LoopError):
    """400 or 401 of an OAuth endpoint; `error` is a code of RFC 6749, such as `invalid_grant`."""


class UnauthenticatedError(LoopError):
    """401: there is no valid access token."""


class ForbiddenError(LoopError):
    """403: the token does not allow this call."""


class InsufficientScopeError(ForbiddenError):
    """403: the token lacks a scope."""


class NotFoundError(LoopError):
    """404: it does not exist, or not for this caller."""


class ConflictError(LoopError):
    """409: it exists already, or somebody else is changing it."""


class PreconditionFailedError(LoopError):
    """412: its present state does not allow this."""


class TooLargeError(LoopError):
    """413: the body is larger than the limit."""


class UnsupportedMediaTypeError(LoopError):
    """415: the body's type is not one that the method takes."""


class UnprocessableError(LoopError):
    """422: the body is well formed and cannot be acted on."""


class RateLimitedError(LoopError):
    """429: too many calls; `retry_after` says how long to wait."""


class InternalError(LoopError):
    """500: a fault of the platform."""


class UnavailableError(LoopError):
    """502 or 503: a part of the platform does not answer."""


class DeadlineExceededError(LoopError):
    """504, or the call's own time ran out."""


class ConnectionFailedError(LoopError):
    """No answer came: the connection failed."""


_BY_STATUS: dict[int, type[LoopError]] = {
    400: ValidationError,
    401: UnauthenticatedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    412: PreconditionFailedError,
    413: TooLargeError,
    415: UnsupportedMediaTypeError,
    422: UnprocessableError,
    429: RateLimitedError,
    500: InternalError,
    502: UnavailableError,
    503: UnavailableError,
    504: DeadlineExceededError,
}


def failed(
    status: int,
    content: bytes,
    retry_after: float | None = None,
    request_id: str | None = None,
) -> LoopError:
    """The error that an answer tells of. It may be of anybody: a proxy answers too."""
    body = _parsed(content)

    def text(name: str) -> str | None:
        value = body.get(name)
        return value if isinstance(value, str) else None

    error, message = text("error"), text("message")
    details = body.get("details")
    kind = _BY_STATUS.get(status, LoopError)
    if error is not None and message is None and status in (400, 401):
        kind = OAuthError
    elif status == 403 and error == "insufficient_scope":
        kind = InsufficientScopeError
    return kind(
        message or text("error_description") or f"HTTP status {status}",
        status=status,
        error=error or "unknown",
        request_id=text("request_id") or request_id,
        details=details if isinstance(details, list) else (),
        retry_after=retry_after,
    )


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
