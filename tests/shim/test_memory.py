"""An engine that the kernel kills for want of memory is told from one that somebody killed."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.shims import SLEEPER, Connection

LIMIT_BYTES = 96 << 20
GREEDY = "kept = bytearray(400 << 20); print(len(kept))"
MOUNTS = Path("/sys/fs/cgroup")


@pytest.fixture
def limited() -> Iterator[Path]:
    """A memory cgroup, of either version, with room for a shim and little more."""
    group = _own_group() / f"llmaz-test-{os.getpid()}"
    limit = group / ("memory.max" if "memory" not in group.parts else "memory.limit_in_bytes")
    try:
        group.mkdir()
        limit.write_text(str(LIMIT_BYTES))
    except OSError as error:
        if group.exists():
            group.rmdir()
        pytest.skip(f"no memory cgroup can be made here: {error}")
    yield group
    for pid in (group / "cgroup.procs").read_text().split():  # the shim, which ends after the test
        (group.parent / "cgroup.procs").write_text(pid)
    group.rmdir()


def _own_group() -> Path:
    memberships = dict(
        line.split(":", 2)[1:] for line in Path("/proc/self/cgroup").read_text().splitlines()
    )
    if "memory" in memberships:
        return MOUNTS / "memory" / memberships["memory"].lstrip("/")
    return MOUNTS / memberships.get("", "").lstrip("/")


def test_a_kill_for_want_of_memory_is_known_as_one(shim: Connection, limited: Path) -> None:
    (limited / "cgroup.procs").write_text(str(shim.status()["shim"][0]))
    shim.start(sys.executable, "-I", "-S", "-c", GREEDY)
    ended = shim.wait_clear()["exit"]
    assert (ended["signal"], ended["oom"]) == (signal.SIGKILL, True)


def test_a_kill_by_somebody_is_no_want_of_memory(shim: Connection) -> None:
    os.kill(shim.start(*SLEEPER)["status"]["engine"][0], signal.SIGKILL)
    ended = shim.wait_clear()["exit"]
    assert (ended["signal"], ended["oom"]) == (signal.SIGKILL, False)
