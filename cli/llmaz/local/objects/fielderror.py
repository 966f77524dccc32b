"""An error at one field of an object, in the words of a kube-apiserver.

The same error is told twice: as one of a Status's `causes`, and as a part of its message. Path ""
is the object as a whole, which the server prints as `<nil>`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from llmaz.local.objects.values import Json, Object, compact, quoted

ErrorKind = Literal[
    "required",
    "invalid",
    "typeInvalid",
    "unsupported",
    "duplicate",
    "tooLong",
    "tooMany",
    "forbidden",
    "notFound",
    "internal",
]

_WORDS: dict[ErrorKind, tuple[str, str]] = {
    "required": ("Required value", "FieldValueRequired"),
    "invalid": ("Invalid value", "FieldValueInvalid"),
    "typeInvalid": ("Invalid value", "FieldValueTypeInvalid"),
    "unsupported": ("Unsupported value", "FieldValueNotSupported"),
    "duplicate": ("Duplicate value", "FieldValueDuplicate"),
    "tooLong": ("Too long", "FieldValueTooLong"),
    "tooMany": ("Too many", "FieldValueTooMany"),
    "forbidden": ("Forbidden", "FieldValueForbidden"),
    "notFound": ("Not found", "FieldValueNotFound"),
    "internal": ("Internal error", "InternalError"),
}
_WITHOUT_VALUE = frozenset({"required", "forbidden", "tooLong", "internal"})


class Unsaid:
    """Stands for a value that the message leaves out: `Invalid value: must ...`."""

    def __repr__(self) -> str:
        return "UNSAID"


UNSAID = Unsaid()


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong at `path`; `detail` is a sentence of the server's, or empty."""

    path: str
    kind: ErrorKind
    value: Json = None
    detail: str = ""

    def body(self) -> str:
        """Return the message without the path: `Invalid value: -1: should be at least 0`."""
        parts = [_WORDS[self.kind][0]]
        if self.kind not in _WITHOUT_VALUE and not isinstance(self.value, Unsaid):
            parts.append(_shown(self.value))
        if self.detail:
            parts.append(self.detail)
        return ": ".join(parts)

    def message(self) -> str:
        """Return the message with the path in front, as in a Status's message."""
        return f"{self.path or '<nil>'}: {self.body()}"

    def cause(self) -> Object:
        """Return the error as a StatusCause."""
        return {
            "reason": _WORDS[self.kind][1],
            "message": self.body(),
            "field": self.path or "<nil>",
        }


def unsupported(path: str, value: Json, supported: Sequence[Json]) -> FieldError:
    """Return the error of a value outside an enumeration, which lists what is supported."""
    words = (quoted(item if isinstance(item, str) else compact(item)) for item in supported)
    return FieldError(path, "unsupported", value, f"supported values: {', '.join(words)}")


def too_long(path: str, maximum: int) -> FieldError:
    """Return the error of a text of more than `maximum` bytes."""
    unit = "byte" if maximum == 1 else "bytes"
    return FieldError(path, "tooLong", None, f"may not be more than {maximum} {unit}")


def too_many(path: str, actual: int, maximum: int) -> FieldError:
    """Return the error of a list or map with more than `maximum` members."""
    unit = "item" if maximum == 1 else "items"
    return FieldError(path, "tooMany", actual, f"must have at most {maximum} {unit}")


def summary(errors: Iterable[FieldError]) -> str:
    """Return the text behind `is invalid: `: each message once, in brackets if several."""
    messages = list(dict.fromkeys(error.message() for error in errors))
    return messages[0] if len(messages) == 1 else f"[{', '.join(messages)}]"


def _shown(value: Json) -> str:
    if value is None:
        return "null"
    return quoted(value) if isinstance(value, str) else compact(value)
