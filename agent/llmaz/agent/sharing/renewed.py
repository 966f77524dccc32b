"""What is read from files that somebody rewrites: taken anew without a restart.

Certificates live for weeks and nodes for months; who renews them writes the same files again.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0  # between two looks at the files: each is a call of the system
_T = TypeVar("_T")


class Renewed(Generic[_T]):
    """The value that some files hold. Safe for threads.

    While they can't be read, as between the writing of a certificate and that of its key, the last
    good value stays, and they are read again at the next look. The first reading raises what it
    meets.
    """

    def __init__(self, files: Sequence[str | Path], read: Callable[[], _T]) -> None:
        self._files = tuple(Path(file) for file in files)
        self._read = read
        self._lock = threading.Lock()
        self._seen = self._state()
        self._value = read()
        self._looked = time.monotonic()
        self._problem = ""  # as it was said last

    def get(self) -> _T:
        """Return the value as it is now."""
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            with self._lock:
                self._look()
        return self._value

    def _look(self) -> None:
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return  # another thread has looked meanwhile
        self._looked = time.monotonic()
        state = self._state()
        if state == self._seen:
            return
        try:
            self._value = self._read()
        except (OSError, ValueError) as error:
            if str(error) != self._problem:  # once, not at each look
                logger.warning("%s can't be used, what it held stays: %s", self._names, error)
            self._problem = str(error)
            return
        self._seen, self._problem = state, ""
        logger.info("%s was renewed", self._names)

    @property
    def _names(self) -> str:
        return ", ".join(str(file) for file in self._files)

    def _state(self) -> tuple[tuple[int, int, int] | None, ...]:
        """Return what differs once a file was written again, or is another one."""
        return tuple(_state(file) for file in self._files)


def _state(file: Path) -> tuple[int, int, int] | None:
    try:
        about = file.stat()  # follows links: a mounted Secret changes by another link
    except OSError:
        return None
    return (about.st_ino, about.st_mtime_ns, about.st_size)
