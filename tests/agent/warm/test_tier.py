"""Copies in memory: whole, verified, within the quota, and never taken from an engine."""

import os
import shutil
import time
from pathlib import Path

import pytest

from llmaz.agent.warm.tier import MemoryTier
from support.snapshots import put_snapshot

SIZE = 2**16


def tier(folder: Path, *, quota: int = 10 * SIZE, in_use: tuple[str, ...] = ()) -> MemoryTier:
    return MemoryTier(folder / "warm", quota, cache_dir=folder / "cache", in_use=lambda: in_use)


def test_a_model_is_given_from_memory_once_it_is_there_whole(tmp_path: Path) -> None:
    shown = put_snapshot(tmp_path / "cache", "m", b"a", b"b")
    memory = tier(tmp_path)
    assert memory.found(str(shown)) == str(shown)
    assert memory.take(str(shown / "a.bin"))
    copy = Path(memory.found(str(shown / "b.bin")))
    assert copy.is_relative_to(tmp_path / "warm")
    assert copy.read_bytes() == b"b" * SIZE
    assert not copy.is_symlink()
    assert memory.original(str(copy)) == str(shown / "b.bin")
    assert memory.used_bytes() == 2 * SIZE


def test_a_model_whose_copy_is_gone_is_given_from_the_disk(tmp_path: Path) -> None:
    shown = put_snapshot(tmp_path / "cache", "m", b"a")
    memory = tier(tmp_path)
    memory.take(str(shown))
    shutil.rmtree(memory.found(str(shown)))
    assert memory.found(str(shown)) == str(shown)


def test_the_least_recently_used_goes_and_never_what_an_engine_has_open(tmp_path: Path) -> None:
    models = [put_snapshot(tmp_path / "cache", name, name.encode()) for name in "abc"]
    memory = tier(tmp_path, quota=int(2.5 * SIZE))
    for age, model in ((100, models[0]), (50, models[1])):
        memory.take(str(model))
        then = time.time() - age
        os.utime(memory.found(str(model)), (then, then))
    used = memory.found(str(models[0]))
    os.utime(used, (0, 0))
    memory = tier(tmp_path, quota=int(2.5 * SIZE), in_use=(f"{used}/a.bin",))
    assert memory.take(str(models[2]))
    assert memory.found(str(models[0])) == used
    assert memory.found(str(models[1])) == str(models[1])


def test_what_does_not_fit_stays_where_it_is_and_takes_nothings_place(tmp_path: Path) -> None:
    small = put_snapshot(tmp_path / "cache", "small", b"a")
    large = put_snapshot(tmp_path / "cache", "large", b"b", b"c", b"d")
    memory = tier(tmp_path, quota=2 * SIZE)
    assert memory.take(str(small))
    assert not memory.take(str(large))
    assert memory.found(str(small)) != str(small)


def test_bytes_that_rotted_are_not_copied(tmp_path: Path) -> None:
    shown = put_snapshot(tmp_path / "cache", "m", b"a")
    stored = (shown / "a.bin").resolve()
    stored.chmod(0o644)
    stored.write_bytes(b"z" * SIZE)
    with pytest.raises(OSError, match="is not what it was"):
        tier(tmp_path).take(str(shown))
    assert tier(tmp_path).found(str(shown)) == str(shown)
    assert tier(tmp_path).used_bytes() == 0


def test_what_a_killed_agent_left_half_copied_goes_with_the_next_copy(tmp_path: Path) -> None:
    shown = put_snapshot(tmp_path / "cache", "m", b"a")
    left = tmp_path / "warm" / "hub" / "models--acme--x" / "snapshots" / "c.partial"
    left.mkdir(parents=True)
    tier(tmp_path).take(str(shown))
    assert not left.exists()


def test_a_path_of_the_node_is_not_copied(tmp_path: Path) -> None:
    (tmp_path / "own.gguf").write_bytes(b"x")
    assert not tier(tmp_path).take(str(tmp_path / "own.gguf"))
    assert tier(tmp_path).found(str(tmp_path / "own.gguf")) == str(tmp_path / "own.gguf")
