"""Counts the bytes of a fetch over its files and threads."""

import threading
import time
from collections.abc import Callable

PERIOD_SECONDS = 0.25


class Meter:
    """Adds up what the files of a fetch have, and tells a few times a second."""

    def __init__(self, total: int, tell: Callable[[int], None]) -> None:
        self.total = total
        self._tell = tell
        self._done: dict[str, int] = {}
        self._lock = threading.Lock()
        self._told_at = 0.0

    def add(self, path: str, count: int, size: int) -> None:
        """Count bytes of a file that has `size`, of which a second try counts some twice."""
        with self._lock:
            self._done[path] = max(0, min(size, self._done.get(path, 0) + count))
            self._maybe_tell()

    def finish(self, path: str, size: int) -> None:
        """Count a file as complete, also one that was there before."""
        with self._lock:
            self._done[path] = size
            self._maybe_tell()

    def tell_last(self) -> None:
        """Tell once more, whenever that was done last."""
        with self._lock:
            self._tell(sum(self._done.values()))

    def _maybe_tell(self) -> None:
        if time.monotonic() - self._told_at >= PERIOD_SECONDS:
            self._told_at = time.monotonic()
            self._tell(sum(self._done.values()))
