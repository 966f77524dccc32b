"""How long a server asks to be left alone. Pure.

`Retry-After` is a number of seconds or a date; `RateLimit` (the hubs: `"api";r=0;t=55`) says how
many requests are left of a window, and when the next one begins.
"""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from llmaz.agent.cache.remote import Headers

_LEFT = re.compile(r"(?:^|[;,\s])r=(\d+)")
_RESET = re.compile(r"(?:^|[;,\s])t=(\d+)")


def asked_wait(headers: Headers, now: datetime) -> float | None:
    """Return the seconds that a refusal asks for, or None where it asks for none."""
    after = (headers.get("Retry-After") or "").strip()
    if after.isascii() and after.isdecimal():
        return float(after)
    if after:
        until = _date(after)
        if until is not None:
            return max(0.0, (until - now).total_seconds())
    limit = headers.get("RateLimit") or ""
    left, reset = _LEFT.search(limit), _RESET.search(limit)
    if reset is None or (left is not None and int(left[1]) > 0):
        return None
    return float(reset[1])


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
