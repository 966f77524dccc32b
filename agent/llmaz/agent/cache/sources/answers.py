"""Reads what sources answer: values that can be trusted in form, and statuses in words."""

import hashlib
import ipaddress
import json
from collections.abc import Iterable, Sequence
from itertools import islice
from urllib.parse import urlsplit

from llmaz.agent.cache.acl import Visibility
from llmaz.agent.cache.remote import Listing, Refused, RemoteFile
from llmaz.agent.cache.wire import CutError

MOST_FILES = 100_000  # 90 MiB in the process that lists them
_HEXADECIMAL = frozenset("0123456789abcdef")


def number(value: object) -> int:
    """Return a size; raise CutError where it is none."""
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if not isinstance(value, int) or value < 0:
        raise CutError(f"the listing has a size of {value!r}")
    return value


def hexadecimal(value: object, length: int) -> str | None:
    """Return a digest, which becomes the name of a file; None where it is not of that form."""
    text = str(value).lower()
    return text if len(text) == length and set(text) <= _HEXADECIMAL else None


def below(key: str, name: str) -> str | None:
    """Return an object's path below a key, or its last part where it is the key itself.

    None: it is a neighbour that begins as the key does, or a folder's marker.
    """
    if name == key:
        return name.rpartition("/")[2]
    inside = name.startswith(f"{key}/") and not name.endswith("/")
    return name.removeprefix(f"{key}/") if inside else None


def strong(etag: str | None) -> str | None:
    """Return an ETag that is another when a byte is; a weak one promises less."""
    return etag if etag and etag.startswith('"') and etag.endswith('"') else None


def is_loopback(authority: str) -> bool:
    """Tell whether a server is on this very machine, where no certificate is to be had."""
    host = authority.rpartition(":")[0] if authority.count(":") == 1 else authority
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def check_way(url: str, listed: Sequence[str], *, is_secret: bool) -> None:
    """Refuse to send a secret without TLS, unless the server is on this machine or listed."""
    parts = urlsplit(url)
    open_to_all = parts.scheme == "http" and not is_loopback(parts.hostname or "")
    if is_secret and open_to_all and parts.netloc not in listed and parts.hostname not in listed:
        words = (
            f"{parts.netloc} would be sent credentials in the clear: give it https, or name it by "
            "--plain-http"
        )
        raise Refused("PlainHttp", words, passing=False)


def bounded(files: Iterable[RemoteFile], name: str) -> tuple[RemoteFile, ...]:
    """Collect a listing as it comes; refuse one of more files than any model has."""
    found = tuple(islice(files, MOST_FILES + 1))
    if len(found) > MOST_FILES:
        words = f"{name} has more than {MOST_FILES} files, which no model has"
        raise Refused("TooManyFiles", words, passing=False)
    return found


def pinned(files: Sequence[RemoteFile], *, anonymous: bool) -> Listing:
    """Name what a source holds now, where it has no commits: by its files and their digests.

    What anybody was shown who brought no credentials is public.
    """
    facts = [
        (file.path, file.size, file.sha256, file.git_sha1, file.md5, file.version)
        for file in sorted(files, key=lambda file: file.path)
    ]
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    visibility = Visibility.PUBLIC if anonymous else Visibility.UNKNOWN
    return Listing(commit=digest[:40], files=tuple(files), visibility=visibility)


def refusal(status: int, name: str) -> Refused:
    """Say what a status means where something was asked for."""
    match status:
        case 401 | 403:
            words = f"the source refuses {name} (HTTP {status})"
            return Refused("Unauthorized", words, passing=False)
        case 404 | 410:
            words = f"the source has no {name} (HTTP {status})"
            return Refused("FileNotFound", words, passing=False)
        case 412 | 416:
            words = f"{name} changed at the source while it was fetched (HTTP {status})"
            return Refused("SourceChanged", words, passing=True)
        case 429:
            words = "the source asks for fewer requests (HTTP 429)"
            return Refused("RateLimited", words, passing=True)
        case _:
            words = f"the source answered HTTP {status} for {name}"
            return Refused("HubError", words, passing=True)
