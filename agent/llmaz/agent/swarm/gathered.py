"""Waits for several that end in threads of their own, and tells once."""

import threading
from collections.abc import Callable


class Gathered:
    """`ended` is told when the last of so many has ended, with the first error there was."""

    def __init__(self, count: int, ended: Callable[[Exception | None], None]) -> None:
        self._left = count
        self._ended = ended
        self._error: Exception | None = None
        self._lock = threading.Lock()

    def one(self, error: Exception | None) -> None:
        """One more has ended."""
        with self._lock:
            self._left -= 1
            self._error = self._error or error
            is_last = self._left == 0
        if is_last:
            self._ended(self._error)
