"""Work that waits for a thread, and the threads that wait for work.

One thread is woken for each piece of work. Were all of them, those that come too late would cost
more than the work: each takes a turn of the interpreter to find that there is nothing to do.
"""

import heapq
import threading
import time
from itertools import count
from typing import Generic, TypeVar

T = TypeVar("T")


class Waiting(Generic[T]):
    """A queue for numbered threads, of which those below `most` take something."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._queue: list[tuple[float, int, T]] = []
        self._order = count()
        self._ended = False
        lock = threading.Lock()
        self._wake = threading.Condition(lock)
        self._resting = threading.Condition(lock)  # threads beyond those that take some

    def put(self, work: T, wait: float = 0.0) -> None:
        """Add work, to be taken in so many seconds at the soonest."""
        with self._wake:
            due = time.monotonic() + wait if wait else 0.0
            heapq.heappush(self._queue, (due, next(self._order), work))
            self._wake.notify()

    def take(self, number: int) -> T | None:
        """Wait for the next work; None at the end."""
        with self._wake:
            while not self._ended:
                if number >= self._most:
                    self._wake.notify()  # this thread may be the one that was woken for some
                    self._resting.wait()
                    continue
                wait = self._queue[0][0] - time.monotonic() if self._queue else None
                if wait is not None and wait <= 0:
                    return self._taken()
                self._wake.wait(wait)
            return None

    def allow(self, most: int) -> None:
        """Let so many threads take something."""
        with self._wake:
            if most != self._most:
                self._most = most
                self._wake.notify_all()
                self._resting.notify_all()

    def end(self) -> None:
        """Let go of all threads."""
        with self._wake:
            self._ended = True
            self._wake.notify_all()
            self._resting.notify_all()

    def _taken(self) -> T:
        work = heapq.heappop(self._queue)[2]
        if self._queue:
            self._wake.notify()  # this thread may have been the one that waited for what is left
        return work
