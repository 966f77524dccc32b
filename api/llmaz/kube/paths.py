"""The URL path of an object or a collection, from names that a person may have typed.

An empty name is the collection's own address, and `..` that of the namespace around it: a DELETE of
either takes far more than was asked for.
"""

from urllib.parse import quote

from llmaz.api.kinds import Kind
from llmaz.kube.errors import Invalid


def path_of(kind: Kind, name: str | None, namespace: str | None, subresource: str = "") -> str:
    """Return the path of a collection, or of one object; raise Invalid for what is no name."""
    inside = _segment("namespace", namespace) if kind.namespaced else None
    return kind.path(_segment("name", name), inside, subresource)


def _segment(what: str, text: str | None) -> str | None:
    """Return one part of a path. What the server would refuse as a name it refuses itself."""
    if text is None:
        return None
    if text in ("", ".", "..") or "/" in text or "%" in text:
        raise Invalid(f"{what} {text!r}: must not be empty, '.' or '..', or contain '/' or '%'")
    return quote(text, safe="")
