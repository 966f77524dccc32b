"""One agent on a state directory at a time: two would start the same engines."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WAIT_SECONDS = 10.0  # an agent that was told to end, or was killed, is gone by then
_POLL_SECONDS = 0.05


class LockedError(Exception):
    """Another agent holds the state directory."""


@contextmanager
def held(state_dir: Path, *, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold the directory inside the `with` block; the kernel lets go when the process ends."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (state_dir / "agent.lock").open("a") as file:
        deadline = time.monotonic() + wait_seconds
        while not _taken(file.fileno()):
            if time.monotonic() >= deadline:
                raise LockedError(f"{state_dir}: another llmaz-agent is running on it")
            time.sleep(_POLL_SECONDS)
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
