"""Weights are in memory when the reading has ended, charged to the engine, within limits."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from llmaz.agent.warm import warmer
from llmaz.agent.warm.readahead import Reader, files_of
from llmaz.shim import cgroup
from llmaz.shim.crash import Effects
from support.pagecache import drop, resident

SIZE = 8 * 2**20


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Two shards that are on the disk and not in memory, shown by links as in a snapshot."""
    for name in ("a.safetensors", "b.safetensors"):
        blob = tmp_path / "blobs" / name
        blob.parent.mkdir(exist_ok=True)
        blob.write_bytes(random.Random(name).randbytes(SIZE))
        shown = tmp_path / "snapshot" / "deep" / name
        shown.parent.mkdir(parents=True, exist_ok=True)
        shown.symlink_to(blob)
        drop(blob)
    return tmp_path / "snapshot"


def read(weights: Path, cgroup_path: str | None = None) -> dict[str, object]:
    asked = {"paths": [str(weights)], "cgroup": cgroup_path, "rate": 2**30}
    done = subprocess.run(
        warmer.PROGRAM, input=json.dumps(asked), capture_output=True, text=True, check=True
    )
    said: dict[str, object] = json.loads(done.stdout)
    return said


def test_every_file_is_in_memory_afterwards(weights: Path) -> None:
    if any(resident(path) > 0.5 for path in files_of(weights)):
        pytest.skip("this file system keeps its files in memory")
    assert read(weights) == {"bytes": 2 * SIZE, "stopped": ""}
    assert all(resident(path) == 1 for path in files_of(weights))


def test_nothing_is_read_where_the_engines_cgroup_can_not_be_entered(weights: Path) -> None:
    assert read(weights, "/sys/fs/cgroup/no-such") == {"bytes": 0, "stopped": "cgroup"}


def test_it_reads_in_the_engines_cgroup(weights: Path) -> None:
    own = cgroup.place(f"llmaz-test-{os.getpid()}")
    if own is None or not cgroup.create(own, {}, Effects("test", "")):
        pytest.skip("this user may make no cgroup (version 2)")
    try:
        assert read(weights, own) == {"bytes": 2 * SIZE, "stopped": ""}
    finally:
        cgroup.remove(own)


def test_the_rate_is_kept(weights: Path) -> None:
    begun = time.monotonic()
    Reader(SIZE, None).run(list(files_of(weights)))
    assert time.monotonic() - begun > 1.5


def test_it_starts_light() -> None:
    script = (
        "import llmaz.agent.warm.readahead, pathlib\n"
        "status = pathlib.Path('/proc/self/status').read_text()\n"
        "print(next(line.split()[1] for line in status.splitlines() if 'VmHWM' in line))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
    assert int(done.stdout) < 48 * 1024  # KiB
