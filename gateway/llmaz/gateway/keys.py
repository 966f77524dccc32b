"""The keys that clients must show, one a line of a file, such as a mounted Secret's.

The file is read again when it changes, so that a key is given or taken without a restart. One that
can't be read lets nobody in.
"""

import hashlib
import logging
import os
from collections.abc import Collection
from pathlib import Path

from llmaz.gateway.answers import OpenAIError

logger = logging.getLogger(__name__)

_SCHEME = "bearer"


class Keys:
    """The keys of a file; without one, everybody may ask."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._digests: frozenset[bytes] = frozenset()
        self._problem = ""  # why the file can't be read, as it was said last

    @property
    def are_asked_for(self) -> bool:
        return self._path is not None

    def check(self, authorization: str) -> None:
        """Raise OpenAIError unless the header shows one of the keys."""
        if self._path is None:
            return
        self._read_changes(self._path)
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != _SCHEME or _digest(key.strip()) not in self._digests:
            raise OpenAIError(
                401,
                "a valid API key is required: `Authorization: Bearer <key>`",
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )

    def _read_changes(self, path: Path) -> None:
        try:
            found = os.stat(path)  # noqa: PTH116  # half the time of Path.stat, for each request
            seen = (found.st_mtime_ns, found.st_ino, found.st_size)
            if seen == self._seen:
                return
            digests = _digests(path.read_text().splitlines())
        except (OSError, ValueError) as error:
            if self._problem != str(error):  # once, not for each request
                logger.error("no API key is valid, since %s can't be read: %s", path, error)
            self._problem, self._seen, self._digests = str(error), None, frozenset()
            return
        self._problem, self._seen, self._digests = "", seen, digests
        logger.info("API keys read from %s: %s", path, len(digests))


def _digests(lines: Collection[str]) -> frozenset[bytes]:
    """Return what keys are kept as: comparing digests tells nothing of a key by its time."""
    keys = (line.strip() for line in lines)
    return frozenset(_digest(key) for key in keys if key and not key.startswith("#"))


def _digest(key: str) -> bytes:
    # A header may hold bytes that are no text: they are no key, and no failure either.
    return hashlib.sha256(key.encode(errors="surrogateescape")).digest()
