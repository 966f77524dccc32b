"""What a path of a request means. Pure: what it names is safe to become a directory's name."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from llmaz.agent.cache.names import why_unsafe

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,95}")
_API = ("revision", "tree", "paths-info", "refs")
DEFAULT_REVISION = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A repository at a revision, what is asked of it, and a path in it (empty: its root)."""

    what: str  # info, tree, paths-info, refs or resolve
    repository: str
    revision: str = DEFAULT_REVISION
    path: str = ""


def asked_of(raw_path: str) -> Asked | None:
    """Read the path of a URL, still quoted; None where it is none that a hub serves."""
    try:
        parts = [unquote(part, errors="strict") for part in raw_path.strip("/").split("/")]
    except UnicodeDecodeError:
        return None
    if parts[:2] == ["api", "models"]:
        return checked(_of_api(parts[2:]))
    if any("/" in part for part in parts[:2]):
        return None
    for length in (1, 2):  # repositories with and without a namespace
        if len(parts) > length + 2 and parts[length] == "resolve":
            repository, revision = "/".join(parts[:length]), parts[length + 1]
            path = "/".join(parts[length + 2 :])
            return checked(
                Asked(what="resolve", repository=repository, revision=revision, path=path)
            )
    return None


def _of_api(parts: Sequence[str]) -> Asked | None:
    if any("/" in part for part in parts[:2]):
        return None
    for length in (1, 2):
        repository, rest = "/".join(parts[:length]), parts[length:]
        if rest and rest[0] in _API:
            what = "info" if rest[0] == "revision" else rest[0]
            revision = rest[1] if len(rest) > 1 else DEFAULT_REVISION
            return Asked(
                what=what, repository=repository, revision=revision, path="/".join(rest[2:])
            )
    return Asked(what="info", repository="/".join(parts)) if len(parts) in (1, 2) else None


def checked(asked: Asked | None) -> Asked | None:
    """Return what is asked, where all that it names is safe."""
    if asked is None:
        return None
    parts = asked.repository.split("/")
    names = all(_NAME.fullmatch(p) and "--" not in p and ".." not in p for p in parts)
    safe = why_unsafe(asked.revision) is None
    safe = safe and (asked.path == "" or why_unsafe(asked.path) is None)
    return asked if names and safe else None
