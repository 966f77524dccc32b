"""One agent on a directory at a time.

Two on a state directory would start the same engines, two on a cache would evict each other's.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

WAIT_SECONDS = 10.0  # an agent that was told to end, or was killed, is gone by then
_POLL_SECONDS = 0.05
_NAME = "agent.lock"


class LockedError(Exception):
    """Another agent holds the directory."""


@contextmanager
def held(folder: Path, *, wait_seconds: float = WAIT_SECONDS, mode: int = 0o700) -> Iterator[None]:
    """Hold the directory inside the `with` block; the kernel lets go when the process ends."""
    folder.mkdir(mode=mode, parents=True, exist_ok=True)
    with (folder / _NAME).open("a") as file:
        deadline = time.monotonic() + wait_seconds
        while not _taken(file.fileno()):
            if time.monotonic() >= deadline:
                raise LockedError(f"{folder}: another llmaz-agent is running on it")
            time.sleep(_POLL_SECONDS)
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def holding_cache(cache_dir: Path) -> AbstractContextManager[None]:
    """Hold a cache as well; one that can't be written needs no lock, and is told of as such."""
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        (cache_dir / _NAME).touch()
    except OSError:
        return nullcontext()
    return held(cache_dir, mode=0o755)
