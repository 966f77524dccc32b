"""Holds fetches of one node to a rate, and prefetches back behind what an engine waits for.

All fetching processes of a node share one small file for each limit: it says when the next byte
may come, by the clock that they have in common, and when a demanded byte came last. Whoever brings
bytes writes down how long they were worth and then waits that long, so a limit holds over any
number of connections and processes, and a dead one leaves nothing behind.
"""

import fcntl
import os
import struct
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

BURST_SECONDS = 0.25  # what was not used for so long is not saved up
DEMAND_SECONDS = 1.0  # for which a demanded byte holds prefetches back
PREFETCH_SHARE = 0.1  # of the time, while something is demanded
LONGEST_WAIT_SECONDS = 10.0  # at once: a connection that waits for longer counts as stalled
_RECORD = struct.Struct("=dd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What the shared file says."""

    next_at: float = 0.0  # seconds of the machine's monotonic clock
    demanded_at: float = -DEMAND_SECONDS


def spent(turn: Turn, *, seconds: float, now: float, demanded: bool) -> Turn:
    """Return the record after bytes that were worth so many seconds of the limit."""
    begin = max(turn.next_at, now - BURST_SECONDS)
    if begin > now + 3600:  # it is of another run of the machine, whose clock was ahead
        begin = now
    demanded_at = now if demanded else turn.demanded_at
    return Turn(next_at=begin + seconds, demanded_at=demanded_at)


def held_back(turn: Turn, *, now: float, took: float) -> float:
    """Return for how long a prefetch waits after bytes that took so long to come."""
    age = now - turn.demanded_at
    if not 0 <= age < DEMAND_SECONDS:
        return 0.0
    return min(DEMAND_SECONDS, took * (1 / PREFETCH_SHARE - 1))


class Throttle:
    """The limits that hold for one fetch: files under `folder`, bytes a second (0: no limit)."""

    def __init__(
        self,
        folder: Path,
        rates: Mapping[str, int],
        *,
        demanded: bool,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._rates = rates
        self._demanded = demanded
        self._clock, self._sleep = clock, sleep
        self._last = clock()
        self._alone = threading.Lock()
        self._open = ExitStack()
        self._files = {name: self._opened(folder / f"{name}.rate") for name in rates}

    def spend(self, count: int) -> None:
        """Wait until `count` bytes that came are paid for."""
        with self._alone:
            wait = self._wait(count)
        if wait > 0:
            self._sleep(min(wait, LONGEST_WAIT_SECONDS))
            self._last = self._clock()

    def close(self) -> None:
        self._open.close()

    def _opened(self, path: Path) -> int:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._open.callback(os.close, descriptor)
        return descriptor

    def _wait(self, count: int) -> float:
        now = self._clock()
        took, self._last = max(0.0, now - self._last), now
        wait = 0.0
        for name, rate in self._rates.items():
            turn = self._write(self._files[name], count / rate if rate else 0.0, now)
            wait = max(wait, turn.next_at - now if rate else 0.0)
            if not self._demanded:
                wait = max(wait, held_back(turn, now=now, took=min(took, DEMAND_SECONDS)))
        return wait

    def _write(self, descriptor: int, seconds: float, now: float) -> Turn:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            raw = os.pread(descriptor, _RECORD.size, 0)
            turn = Turn()
            if len(raw) == _RECORD.size:
                next_at, demanded_at = _RECORD.unpack(raw)
                turn = Turn(next_at=next_at, demanded_at=demanded_at)
            turn = spent(turn, seconds=seconds, now=now, demanded=self._demanded)
            os.pwrite(descriptor, _RECORD.pack(turn.next_at, turn.demanded_at), 0)
            return turn
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)
