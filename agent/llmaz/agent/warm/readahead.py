"""The child program that reads weights into the page cache while their engine starts.

A page is charged to the cgroup of whoever reads it first. So that it is the engine's and not the
agent's, this enters the engine's cgroup; where it has one and this can't, nothing is read. It ends
with the engine then, too: the shim kills the whole cgroup.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from llmaz.agent.children import die_with_parent
from llmaz.agent.warm.allowance import Memory, allowed
from llmaz.shim import cgroup

FILES_AT_ONCE = 4
BLOCK = 2**20
_LOOK_BYTES = 64 * 2**20  # after so many, memory is looked at again
_NICEST = 19
_UNLIMITED = 2**60  # what version 1 says where nothing is set is beyond it


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What was read, and why no more."""

    bytes: int
    stopped: str = ""  # memory, cgroup; empty: all of it was read


class Reader:
    """Reads files, several at once, at one rate and within one allowance."""

    def __init__(self, rate: int, cgroup_path: str | None) -> None:
        self._rate = rate
        self._cgroup = cgroup_path
        self._lock = Lock()
        self._begun = time.monotonic()
        self._read = 0
        self._next_look = 0
        self._stopped = ""

    def run(self, files: list[Path]) -> Done:
        """Read the files in their order, as engines do."""
        with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
            list(pool.map(self._file, files))
        return Done(bytes=self._read, stopped=self._stopped)

    def _file(self, path: Path) -> None:
        buffer = memoryview(bytearray(BLOCK))
        with suppress(OSError), path.open("rb", buffering=0) as file:  # it may just be evicted
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
            while self._may_go_on() and (size := file.readinto(buffer)):
                self._count(size)

    def _may_go_on(self) -> bool:
        with self._lock:
            if not self._stopped and self._read >= self._next_look:
                self._next_look = self._read + _LOOK_BYTES
                if allowed(memory(self._cgroup), read=self._read) < _LOOK_BYTES:
                    self._stopped = "memory"
            return not self._stopped

    def _count(self, size: int) -> None:
        with self._lock:
            self._read += size
            ahead = self._read / self._rate - (time.monotonic() - self._begun)
        if ahead > 0:
            time.sleep(ahead)


def files_of(path: Path) -> Iterator[Path]:
    """Return what an engine opens there, in the order of the names."""
    if path.is_dir():
        yield from sorted(file for file in path.rglob("*") if file.is_file())
    elif path.is_file():
        yield path


def memory(cgroup_path: str | None) -> Memory:
    """Look at the machine and at the cgroup that this process is in."""
    fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    total, available = (
        int(fields[name].split()[0]) * 1024 for name in ("MemTotal", "MemAvailable")
    )
    if cgroup_path is None:
        return Memory(total=total, available=available)
    limit = _number(Path(cgroup_path) / "memory.max")
    return Memory(
        total=total,
        available=available,
        limit=limit,
        used=_number(Path(cgroup_path) / "memory.current") or 0,
    )


def _number(file: Path) -> int | None:
    with suppress(OSError, ValueError):  # not delegated, or `max`
        number = int(file.read_text())
        return number if number < _UNLIMITED else None
    return None


def main() -> None:
    """Read what standard input asks for; say on standard output what came of it."""
    die_with_parent()
    asked = json.loads(sys.stdin.readline())
    own = asked["cgroup"]
    if own is not None and not cgroup.enter(own):
        done = Done(bytes=0, stopped="cgroup")
    else:
        os.nice(_NICEST)
        files = [file for path in asked["paths"] for file in files_of(Path(path))]
        done = Reader(asked["rate"], own).run(files)
    sys.stdout.write(json.dumps({"bytes": done.bytes, "stopped": done.stopped}) + "\n")


if __name__ == "__main__":
    main()
