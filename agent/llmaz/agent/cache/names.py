"""Which names from outside may become names of files. Pure.

A repository's file names, object keys and revisions are joined to directories of the cache: what a
stranger wrote must stay below them. Two names that differ in case alone are two files here.
"""

from collections.abc import Iterable

_LONGEST_PART = 255  # bytes; of Linux' file systems
_LONGEST_NAME = 2048  # bytes; the path to the cache needs room as well


def why_unsafe(name: str) -> str | None:
    """Return why a relative name can't be a file below a directory, or None where it can."""
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        return "is no valid text"
    if len(encoded) > _LONGEST_NAME:
        return f"is longer than {_LONGEST_NAME} bytes"
    if any(ord(sign) < 0x20 or ord(sign) == 0x7F for sign in name) or "\\" in name:
        return "has a control character or a backslash"
    for part in name.split("/"):
        if part in ("", ".", ".."):
            return "leads out of it" if part == ".." or name.startswith("/") else "is no path"
        if len(part.encode()) > _LONGEST_PART:
            return f"has a part longer than {_LONGEST_PART} bytes"
    return None


def first_unsafe(names: Iterable[str]) -> tuple[str, str] | None:
    """Return the first name that can't be kept with the others, and why; None where all can."""
    kept: set[str] = set()
    folders: set[str] = set()
    for name in names:
        reason = why_unsafe(name)
        if reason is not None:
            return name, reason
        parts = name.split("/")
        above = {"/".join(parts[:depth]) for depth in range(1, len(parts))}
        if name in kept:
            return name, "is there twice"
        if name in folders or above & kept:
            return name, "is a file and a folder at once"
        kept.add(name)
        folders |= above
    return None
