"""Refusals, as the Status objects that clients of a kube-apiserver understand.

The words matter: client-go, kubectl and people match on reasons, causes and messages.
"""

from collections.abc import Sequence

from llmaz.local.objects.fielderror import FieldError, summary
from llmaz.local.objects.values import Json, Object


class StatusError(Exception):
    """A request that is answered with a Status object instead of what it asked for."""

    def __init__(
        self, code: int, reason: str, message: str, *, details: Object | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def body(self) -> Object:
        body: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}}
        body |= {"status": "Failure", "message": self.message}
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        return body | {"code": self.code}


def qualified(name: str, group: str) -> str:
    """Return `widgets.example.io`, or `nodes` for the core group."""
    return f"{name}.{group}" if group else name


def _details(group: str, kind: str, name: str = "") -> Object:
    parts = {"name": name, "group": group, "kind": kind}
    return {key: value for key, value in parts.items() if value}


def not_found(group: str, plural: str, name: str) -> StatusError:
    message = f'{qualified(plural, group)} "{name}" not found'
    return StatusError(404, "NotFound", message, details=_details(group, plural, name))


def already_exists(group: str, plural: str, name: str) -> StatusError:
    message = f'{qualified(plural, group)} "{name}" already exists'
    return StatusError(409, "AlreadyExists", message, details=_details(group, plural, name))


def conflict(group: str, plural: str, name: str, reason: str) -> StatusError:
    message = f'Operation cannot be fulfilled on {qualified(plural, group)} "{name}": {reason}'
    return StatusError(409, "Conflict", message, details=_details(group, plural, name))


MODIFIED = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


def invalid(group: str, kind: str, name: str, errors: Sequence[FieldError]) -> StatusError:
    message = f'{qualified(kind, group)} "{name}" is invalid: {summary(errors)}'
    causes: list[Json] = [error.cause() for error in errors]
    details = _details(group, kind, name) | {"causes": causes}
    return StatusError(422, "Invalid", message, details=details)


def invalid_options(kind: str, errors: Sequence[FieldError]) -> StatusError:
    """Options of the query, such as CreateOptions, that the request can't mean."""
    return invalid("meta.k8s.io", kind, "", errors)


def bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)


def forbidden(group: str, plural: str, name: str, why: str) -> StatusError:
    subject = qualified(plural, group)
    subject = f'{subject} "{name}"' if name else subject
    message = f"{subject} is forbidden: {why}"
    return StatusError(403, "Forbidden", message, details=_details(group, plural, name))


def method_not_allowed() -> StatusError:
    message = "the server does not allow this method on the requested resource"
    return StatusError(405, "MethodNotAllowed", message, details={})


def not_acceptable(accepted: Sequence[str]) -> StatusError:
    message = f"only the following media types are accepted: {', '.join(accepted)}"
    return StatusError(406, "NotAcceptable", message)


def unsupported_media_type(accepted: Sequence[str]) -> StatusError:
    message = (
        "the body of the request was in an unknown format - accepted media types include: "
        f"{', '.join(accepted)}"
    )
    return StatusError(415, "UnsupportedMediaType", message)


def too_large() -> StatusError:
    message = "Request entity too large: limit is 3145728"
    return StatusError(413, "RequestEntityTooLarge", message)


def expired(message: str) -> StatusError:
    return StatusError(410, "Expired", message)


def too_new(revision: int, current: int) -> StatusError:
    """A client knows of a version that was never here: of another server, or of lost data."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    message = f"Timeout: Too large resource version: {revision}, current: {current}"
    details: Object = {"causes": [cause], "retryAfterSeconds": 1}
    return StatusError(504, "Timeout", message, details=details)


def too_many_evictions(budget: str, *, needed: int, healthy: int) -> StatusError:
    """A pod may not be evicted now; whoever drains its node tries again."""
    said = f"The disruption budget {budget} needs {needed} healthy pods and has {healthy} currently"
    details: Object = {"causes": [{"reason": "DisruptionBudget", "message": said}]}
    message = "Cannot evict pod as it would violate the pod's disruption budget."
    return StatusError(429, "TooManyRequests", message, details=details)


def internal(message: str) -> StatusError:
    details: Object = {"causes": [{"message": message}]}
    text = f"Internal error occurred: {message}"
    return StatusError(500, "InternalError", text, details=details)


def out_of_space(why: str) -> StatusError:
    """The database could not keep the write: nothing of it was done, and a retry may succeed."""
    message = f"the write could not be stored and was not done: {why}"
    return StatusError(507, "InsufficientStorage", message, details={"retryAfterSeconds": 5})
