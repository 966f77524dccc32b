"""Which bytes a `Range` header asks for. Pure."""

import re

_ONE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class Unsatisfiable(Exception):
    """The range lies beyond the file: the answer is 416."""


def wanted_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return the start and end of the one range that is asked for; None: the whole file.

    Several ranges, and what is no range at all, mean the whole file, as RFC 9110 allows.
    """
    match = _ONE.fullmatch((header or "").replace(" ", ""))
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < int(first):
            return None
    if start >= end:
        raise Unsatisfiable
    return start, end
