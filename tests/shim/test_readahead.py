"""Weights are in memory when the reading has ended, within limits; the reader ends with it all."""

import json
import random
import sys
import time
from pathlib import Path

import pytest

from llmaz.agent.engines.launch import shim_lives
from llmaz.shim import proc
from llmaz.shim.readahead import LEFT_FREE, REPORT, allowed, files_of
from support.pagecache import drop, resident
from support.shims import SLEEPER, Connection, kill_shim, wait_until

SIZE = 8 * 2**20
TOTAL = 1000
FREE = int(TOTAL * LEFT_FREE)


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


def report(directory: Path) -> dict[str, object]:
    wait_until((directory / REPORT).exists, "the reading has ended")
    said: dict[str, object] = json.loads((directory / REPORT).read_text())
    if said["stopped"] == "memory":
        pytest.skip("this machine is short of memory")
    return said


def test_every_file_is_in_memory_while_the_engine_starts(
    shim: Connection, directory: Path, weights: Path
) -> None:
    shards = [Path(name) for name in files_of(str(weights))]
    if any(resident(path) > 0.5 for path in shards):
        pytest.skip("this file system keeps its files in memory")
    shim.start(*SLEEPER)
    assert shim.ask("warm", paths=[str(weights)], rate=2**30)["ok"]
    assert report(directory) == {"bytes": 2 * SIZE, "stopped": ""}
    assert all(resident(path) > 0.9 for path in shards)


def test_the_rate_is_kept(shim: Connection, directory: Path, weights: Path) -> None:
    shim.start(*SLEEPER)
    begun = time.monotonic()
    shim.ask("warm", paths=[str(weights)], rate=SIZE)
    report(directory)
    assert time.monotonic() - begun > 1.5


def readers(shim: Connection) -> list[proc.Process]:
    """Return the descendants of a shim beside its engine."""
    status = shim.status()
    below = proc.descendants(status["shim"][0])
    return [process for process in below if process[0] != status["engine"][0]]


def test_the_reader_ends_with_its_engine(shim: Connection, directory: Path, weights: Path) -> None:
    shim.start(*SLEEPER)
    shim.ask("warm", paths=[str(weights)], rate=1)
    (reader,) = readers(shim)
    shim.ask("stop", grace=0)
    shim.wait_clear()
    assert not proc.alive(reader)
    assert not (directory / REPORT).exists()


def test_a_shim_that_is_killed_is_dead_although_its_reader_was_not(
    shim: Connection, directory: Path, weights: Path
) -> None:
    shim.start(*SLEEPER)
    shim.ask("warm", paths=[str(weights)], rate=1)
    (reader,) = readers(shim)
    kill_shim(directory)
    assert not shim_lives(directory)
    wait_until(lambda: not proc.alive(reader), "the reader is gone")


def test_nothing_is_read_for_an_engine_that_does_not_run(shim: Connection) -> None:
    answer = shim.ask("warm", paths=["/"], rate=1)
    assert (answer["ok"], answer["error"]) == (False, "not-running")


def test_files_that_are_not_there_are_passed_over(
    shim: Connection, directory: Path, tmp_path: Path
) -> None:
    shim.start(*SLEEPER)
    shim.ask("warm", paths=[str(tmp_path / "none"), sys.executable], rate=2**30)
    assert report(directory)["bytes"] == Path(sys.executable).stat().st_size


def test_all_but_what_stays_free_may_be_read() -> None:
    assert allowed({"total": TOTAL, "available": 800}, 0) == 800 - FREE


def test_what_was_read_counts_although_the_kernel_could_give_it_back() -> None:
    assert allowed({"total": TOTAL, "available": 800}, 650) == 0


def test_an_engines_own_limit_bounds_what_is_charged_to_it() -> None:
    memory = {"total": TOTAL, "available": 800, "limit": 200, "used": 100}
    assert allowed(memory, 10) == 170 - 100


def test_a_machine_that_is_short_of_memory_reads_nothing() -> None:
    assert allowed({"total": TOTAL, "available": FREE}, 0) <= 0
