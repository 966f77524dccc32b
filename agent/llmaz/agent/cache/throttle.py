"""Holds fetches of one node to a rate, and prefetches back behind what an engine waits for.

All fetching processes of a node share one small file for each limit: it says when the next byte
may come, by the clock that they have in common, and when a demanded byte came last. Whoever brings
bytes writes down how long they were worth and then waits that long, so a limit holds over any
number of connections and processes, and a dead one leaves nothing behind. Bytes that a prefetch
brought while something was demanded are owed, and paid off by demanded ones: time would say
little, for what a held connection was sent meanwhile is there at once.
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
PREFETCH_SHARE = 0.1  # of the bytes, while something is demanded
_LOOK_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 10.0  # at once: a connection that waits for longer counts as stalled
_RECORD = struct.Struct("=ddd")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What the shared file says."""

    next_at: float = 0.0  # seconds of the machine's monotonic clock
    demanded_at: float = -DEMAND_SECONDS
    owed: float = 0.0  # bytes


def spent(turn: Turn, *, count: int, seconds: float, now: float, demanded: bool) -> Turn:
    """Return the record after so many bytes, worth so many seconds of the limit."""
    begin = max(turn.next_at, now - BURST_SECONDS)
    if begin > now + 3600:  # it is of another run of the machine, whose clock was ahead
        begin = now
    demanded_at = now if demanded else turn.demanded_at
    if demanded:
        owed = max(0.0, turn.owed - count * PREFETCH_SHARE / (1 - PREFETCH_SHARE))
    else:
        owed = turn.owed + count if _is_demanded(turn, now) else 0.0
    return Turn(next_at=begin + seconds, demanded_at=demanded_at, owed=owed)


def held_back(turn: Turn, *, now: float) -> bool:
    """Tell whether prefetches wait: as long as something is demanded, and they owe it bytes."""
    return turn.owed > 0 and _is_demanded(turn, now)


def _is_demanded(turn: Turn, now: float) -> bool:
    return 0 <= now - turn.demanded_at < DEMAND_SECONDS


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
        self._alone = threading.Lock()
        self._open = ExitStack()
        self._files = {name: self._opened(folder / f"{name}.rate") for name in rates}

    def spend(self, count: int, alive: Callable[[], None] = lambda: None) -> None:
        """Wait until `count` bytes that came are paid for; say meanwhile that one is alive."""
        with self._alone:
            wait, is_held = self._after(count)
        if wait > 0:
            self._sleep(min(wait, LONGEST_WAIT_SECONDS))
        while is_held:
            alive()
            self._sleep(_LOOK_SECONDS)
            now = self._clock()
            is_held = any(held_back(_read(file), now=now) for file in self._files.values())

    def close(self) -> None:
        self._open.close()

    def _opened(self, path: Path) -> int:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._open.callback(os.close, descriptor)
        return descriptor

    def _after(self, count: int) -> tuple[float, bool]:
        """Write bytes down; return how long to wait for them, and whether to wait for others'."""
        now = self._clock()
        wait, is_held = 0.0, False
        for name, rate in self._rates.items():
            turn = self._write(self._files[name], count, count / rate if rate else 0.0, now)
            wait = max(wait, turn.next_at - now if rate else 0.0)
            is_held = is_held or (not self._demanded and held_back(turn, now=now))
        return wait, is_held

    def _write(self, descriptor: int, count: int, seconds: float, now: float) -> Turn:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            demanded = self._demanded
            turn = spent(
                _read(descriptor), count=count, seconds=seconds, now=now, demanded=demanded
            )
            os.pwrite(descriptor, _RECORD.pack(turn.next_at, turn.demanded_at, turn.owed), 0)
            return turn
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)


def _read(descriptor: int) -> Turn:
    raw = os.pread(descriptor, _RECORD.size, 0)
    if len(raw) != _RECORD.size:  # it is new
        return Turn()
    next_at, demanded_at, owed = _RECORD.unpack(raw)
    return Turn(next_at=next_at, demanded_at=demanded_at, owed=owed)
