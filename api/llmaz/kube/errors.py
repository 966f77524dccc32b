"""What an API server may answer besides success. The message says what was asked and its words."""

from llmaz.api.manifest import Json


class KubeError(Exception):
    """A request that the API server did not carry out."""

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class NotFound(KubeError):
    """There is no such object, or no such kind."""


class AlreadyExists(KubeError):
    """An object of that name is there."""


class Conflict(KubeError):
    """The object has changed since it was read, or another manager owns the field."""


class Invalid(KubeError):
    """The server refuses the object or the request as it stands."""


class Forbidden(KubeError):
    """These credentials may not do that."""


class Unauthorized(KubeError):
    """The server does not know these credentials."""


class Gone(KubeError):
    """The version to resume from is too old: list anew."""


class Unavailable(KubeError):
    """No answer, a broken one, or one that asks to come back later. Nothing is known."""


class OutOfSpace(Unavailable):
    """The server's disk is full: it keeps what it has, and writes again once there is room."""


_BY_STATUS: dict[int, type[KubeError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    413: Invalid,
    415: Invalid,
    422: Invalid,
    507: OutOfSpace,
}

# How a kube-apiserver answers server-side apply of a field that no schema has: with a 500.
_NOT_IN_SCHEMA = "failed to create typed patch object"


def from_answer(
    request: str, status: int, body: Json, *, retry_after_seconds: float | None = None
) -> KubeError:
    """Return the error for an answer: `request` in words, its HTTP status and its Status object."""
    said = body if isinstance(body, dict) else {}
    words = said.get("message") or f"the server answered {status}"
    kind = _BY_STATUS.get(status, Unavailable)
    if status == 500 and str(words).startswith(_NOT_IN_SCHEMA):
        kind = Invalid
    if status == 409 and said.get("reason") == "AlreadyExists":
        kind = AlreadyExists
    return kind(f"{request}: {words}", retry_after_seconds=retry_after_seconds)
