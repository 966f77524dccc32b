"""String formats of schemas: those that a kube-apiserver checks, as strictly as it does."""

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from datetime import date, timedelta
from urllib.parse import urlsplit

_TIME = re.compile(r"(\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:z|[+-]\d\d:\d\d)", re.ASCII)
_UUID = r"[0-9a-f]{8}-?[0-9a-f]{4}-?%s-?%s-?[0-9a-f]{12}"
_DURATION = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+|[+-]?0", re.ASCII)
_DURATION_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_WORDY_DURATION = re.compile(r"(\d+)\s*([A-Za-zµ]+)", re.ASCII)
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
_DURATION_WORDS_WORDS = (
    "ns nano nanosecond us µs micro microsecond ms milli millisecond s sec second m min "
    "minute h hr hour d day w wk week"
)
_DURATION_WORDS = frozenset(_DURATION_WORDS_WORDS.split())
_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"


def matches(text: str, name: str) -> bool:
    """Tell whether a string has the format; true for formats that are not checked."""
    check = _CHECKS.get(name)
    return check is None or check(text)


def parse_duration(text: str) -> timedelta | None:
    """Read a Go duration such as `1h30m`; None if it is not one."""
    if not _DURATION.fullmatch(text):
        return None
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text))
    try:
        return timedelta(seconds=-seconds if text.startswith("-") else seconds)
    except OverflowError:
        return None


def _is_duration(text: str) -> bool:
    if parse_duration(text) is not None:
        return True
    parts = _WORDY_DURATION.findall(text)
    return bool(parts) and all(
        word.lower() in _DURATION_WORDS or word.lower().removesuffix("s") in _DURATION_WORDS
        for _, word in parts
    )


def _is_date(text: str) -> bool:
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_date_time(text: str) -> bool:
    day, _, rest = text.lower().partition("t")
    time = _TIME.fullmatch(rest)
    if time is None or not _is_date(day):
        return False
    hour, minute, second = (int(part) for part in time.groups())
    return hour <= 23 and minute <= 59 and second <= 59


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _is_uri(text: str) -> bool:
    """Accept what Go's url.ParseRequestURI accepts: an absolute path, or a scheme and something."""
    if not text or re.search(r"[\x00-\x20\x7f]", text):
        return False
    if text.startswith("/"):
        return True
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", text)) and bool(parts.netloc or parts.path)


def _is_address(text: str, kind: type[ipaddress.IPv4Address | ipaddress.IPv6Address]) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text


def _fits(pattern: str, *, longest: int | None = None) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.IGNORECASE | re.ASCII)
    return lambda text: bool(compiled.fullmatch(text)) and (longest is None or len(text) <= longest)


_CHECKS: dict[str, Callable[[str], bool]] = {
    "byte": _is_base64,
    "cidr": _is_network,
    "date": _is_date,
    "date-time": _is_date_time,
    "datetime": _is_date_time,
    "duration": _is_duration,
    "email": _fits(r"[^@\s]+@[^@\s]+\.[^@\s]+|[^@\s]+@localhost"),
    "hexcolor": _fits(r"#?(?:[0-9a-f]{3}|[0-9a-f]{6})"),
    "hostname": _fits(
        r"(?:[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?\.?"
    ),
    "ipv4": lambda text: _is_address(text, ipaddress.IPv4Address),
    "ipv6": lambda text: _is_address(text, ipaddress.IPv6Address),
    "k8s-long-name": lambda text: (
        bool(re.fullmatch(rf"{_LABEL}(?:\.{_LABEL})*", text)) and len(text) <= 253
    ),
    "k8s-short-name": lambda text: bool(re.fullmatch(_LABEL, text)) and len(text) <= 63,
    "mac": _fits(r"[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2}"),
    "uri": _is_uri,
    "uuid": _fits(_UUID % ("[0-9a-f]{4}", "[0-9a-f]{4}")),
    "uuid3": _fits(_UUID % ("3[0-9a-f]{3}", "[0-9a-f]{4}")),
    "uuid4": _fits(_UUID % ("4[0-9a-f]{3}", "[89ab][0-9a-f]{3}")),
    "uuid5": _fits(_UUID % ("5[0-9a-f]{3}", "[89ab][0-9a-f]{3}")),
}
