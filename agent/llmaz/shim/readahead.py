"""Read weights into the page cache while their engine starts: a fork of the shim that ends itself.

A page is charged to the cgroup of whoever reads it first. The shim's child reads in the engine's
cgroup, as the engine would: the pages count as the engine's and go with it. It is a descendant of
the shim, hence killed with what the engine leaves.
"""

import json
import os
import signal
import time
from collections.abc import Iterator

from llmaz.shim import cgroup, proc

REPORT = "readahead.json"  # in the shim's directory: what the last reading came to
LEFT_FREE = 0.15  # of the machine, and of the engine's own limit: what else runs needs some
_BLOCK = 1 << 20
_WINDOW = 8 << 20  # the kernel is asked for what lies so far ahead
_LOOK_BYTES = 64 << 20  # after so many, memory is looked at again
_UNLIMITED = 1 << 60  # a limit beyond it is none
_NICEST = 19


def allowed(memory: dict[str, int], read: int) -> int:
    """Return how many more bytes may be read after `read` of them: 0 or less is to stop.

    A page that was read is given back by the kernel when somebody wants it, but an engine whose own
    pages went for others' would have lost. `memory`: total, available, and where the cgroup that is
    charged has a limit, limit and used.
    """
    spare = memory["available"] - int(memory["total"] * LEFT_FREE) - read
    if "limit" in memory:
        spare = min(spare, int(memory["limit"] * (1 - LEFT_FREE)) - memory["used"])
    return spare


def begin(paths: list[str], rate: int, cgroup_path: str | None) -> int:
    """Fork what reads `paths`, in their order, at `rate` bytes a second; return its pid."""
    parent = os.getpid()
    if os.path.exists(REPORT):
        os.unlink(REPORT)
    pid = os.fork()
    if pid:
        return pid
    try:
        if not proc.die_with_parent(parent):
            os._exit(0)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        os.closerange(3, 4096)  # the shim's lock among them, which tells whether it lives
        if cgroup_path is not None:
            cgroup.enter(cgroup_path)
        proc.renounce_privileges()
        os.nice(_NICEST)
        _say(*_read(paths, rate, cgroup_path))
    finally:
        os._exit(0)


def _say(count: int, stopped: str) -> None:
    beside = REPORT + ".new"
    with open(beside, "w") as file:
        json.dump({"bytes": count, "stopped": stopped}, file)
    os.rename(beside, REPORT)


def _read(paths: list[str], rate: int, cgroup_path: str | None) -> tuple[int, str]:
    buffer, begun = bytearray(_BLOCK), time.monotonic()
    count = next_look = 0
    for path in paths:
        for name in files_of(path):
            for size in _blocks(name, buffer):
                count += size
                if count >= next_look:
                    next_look = count + _LOOK_BYTES
                    if allowed(memory(cgroup_path), count) < _LOOK_BYTES:
                        return count, "memory"
                ahead = count / rate - (time.monotonic() - begun)
                if ahead > 0:
                    time.sleep(ahead)
    return count, ""


def _blocks(name: str, buffer: bytearray) -> Iterator[int]:
    try:
        file = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # it may just be evicted
        return
    try:
        at = 0
        while size := os.preadv(file, [buffer], at):
            at += size
            os.posix_fadvise(file, at + _WINDOW, _BLOCK, os.POSIX_FADV_WILLNEED)
            yield size
    except OSError:
        return
    finally:
        os.close(file)


def files_of(path: str) -> Iterator[str]:
    """Return what an engine opens there, in the order of the names."""
    if os.path.isfile(path):
        yield path
        return
    for folder, folders, files in os.walk(path):
        folders.sort()
        for name in sorted(files):
            yield os.path.join(folder, name)


def memory(cgroup_path: str | None) -> dict[str, int]:
    """Look at the machine, and at the cgroup that is charged: the engine's own, or this one's."""
    found = {}
    with open("/proc/meminfo") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name in ("MemTotal", "MemAvailable"):
                found[name] = int(value.split()[0]) * 1024
    looked = {"total": found["MemTotal"], "available": found["MemAvailable"]}
    path = cgroup_path or cgroup.own()
    if path is not None:
        limit, used = _number(path, "memory.max"), _number(path, "memory.current")
        if limit is not None and used is not None and limit < _UNLIMITED:
            looked |= {"limit": limit, "used": used}
    return looked


def _number(path: str, name: str) -> int | None:
    try:
        with open(os.path.join(path, name)) as file:
            return int(file.read())
    except (OSError, ValueError):  # not delegated, or `max`
        return None
