"""The directories of built environments."""

import os
from pathlib import Path

from llmaz.agent.engines.shelf import Shelf


def put(shelf: Shelf, name: str, size: int, used_at: float) -> None:
    directory = shelf.directory(name)
    (directory / "lib").mkdir(parents=True)
    (directory / "lib" / "code").write_bytes(b"x" * size)
    (directory / "lib" / "same").hardlink_to(directory / "lib" / "code")
    shelf.add(name, ["vllm"])
    os.utime(directory / "llmaz.complete", (used_at, used_at))


def test_the_longest_unused_goes_first_and_none_that_is_kept(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, quota=5 << 19)
    for name, used_at in (("old", 1.0), ("older", 0.5), ("kept", 0.1), ("new", 9.0)):
        put(shelf, name, 1 << 20, used_at)
    assert shelf.keep_to_quota({"kept"}) == {"older", "old"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "new"]


def test_what_is_kept_is_of_use_now(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, quota=None)
    put(shelf, "kept", 1, 0.0)
    shelf.keep_to_quota({"kept"})
    assert (tmp_path / "kept" / "llmaz.complete").stat().st_mtime > 1e9


def test_nothing_goes_while_there_is_room(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, quota=1 << 30)
    put(shelf, "one", 1, 0.0)
    assert shelf.keep_to_quota(()) == frozenset()
    assert shelf.has("one")


def test_what_is_over_the_quota_and_kept_stays(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, quota=1)
    put(shelf, "kept", 1 << 20, 0.0)
    assert shelf.keep_to_quota({"kept"}) == frozenset()


def test_what_was_left_half_built_goes_before_the_next_build(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, quota=None)
    (tmp_path / "half" / "bin").mkdir(parents=True)
    (tmp_path / "building").mkdir()
    shelf.make_room({"building"})
    assert [path.name for path in tmp_path.iterdir()] == ["building"]
    assert not shelf.has("half")


def test_an_environment_of_an_agent_that_noted_no_size_is_measured(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, quota=1 << 10)
    put(shelf, "former", 1 << 20, 0.0)
    (tmp_path / "former" / "llmaz.complete").write_text("vllm==0.32.0")
    assert shelf.keep_to_quota(()) == {"former"}
