"""Compiled programs on the disk: packed whole, unpacked safely, of no file twice."""

import io
import os
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from llmaz.agent.jit.decide import Run
from llmaz.agent.jit.shelf import JitShelf
from llmaz.agent.jit.tree import TooMuch

KEY = "b" * 64


def _compile(shelf: JitShelf, name: str = "triton/k.so", data: bytes = b"x" * 100) -> Path:
    path = shelf.live(KEY) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_what_was_packed_is_there_for_the_next_start(tmp_path: Path) -> None:
    shelf = JitShelf(tmp_path)
    assert not shelf.open(KEY)
    program = _compile(shelf)
    program.chmod(0o755)
    assert shelf.keep(KEY)
    assert shelf.archive(KEY).stat().st_mode & 0o777 == 0o444
    shelf.close(KEY)
    assert shelf.open(KEY)
    assert program.read_bytes() == b"x" * 100
    assert os.access(program, os.X_OK)


def test_nothing_is_packed_twice_and_nothing_for_nothing(tmp_path: Path) -> None:
    shelf = JitShelf(tmp_path)
    shelf.open(KEY)
    assert not shelf.keep(KEY)
    _compile(shelf)
    assert shelf.keep(KEY)
    assert not shelf.keep(KEY)
    _compile(shelf, "inductor/graph")
    assert shelf.keep(KEY)


def test_links_and_names_that_lead_out_are_not_unpacked(tmp_path: Path) -> None:
    shelf = JitShelf(tmp_path)
    shelf.archive(KEY).parent.mkdir(parents=True)
    with tarfile.open(shelf.archive(KEY), "w") as tar:
        for name in ("../out", "/abs", "good/file"):
            member = tarfile.TarInfo(name)
            member.size = 1
            member.mode = 0o4755
            tar.addfile(member, io.BytesIO(b"x"))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    assert shelf.open(KEY)
    found = [path for path in tmp_path.rglob("*") if path.is_file() or path.is_symlink()]
    assert sorted(path.name for path in found) == [f"{KEY}.tar", "file"]
    assert (shelf.live(KEY) / "good" / "file").stat().st_mode & 0o7000 == 0


def test_links_are_not_packed(tmp_path: Path) -> None:
    shelf = JitShelf(tmp_path)
    shelf.open(KEY)
    _compile(shelf)
    (shelf.live(KEY) / "secret").symlink_to("/etc/passwd")
    assert shelf.keep(KEY)
    with tarfile.open(shelf.archive(KEY)) as tar:
        assert tar.getnames() == ["triton/k.so"]


def test_an_archive_that_is_torn_is_thrown_away(tmp_path: Path) -> None:
    shelf = JitShelf(tmp_path)
    shelf.archive(KEY).parent.mkdir(parents=True)
    shelf.archive(KEY).write_bytes(b"no archive")
    assert not shelf.open(KEY)
    assert not shelf.archive(KEY).exists()


def test_an_archive_that_can_not_be_written_out_is_thrown_away(tmp_path: Path) -> None:
    shelf = JitShelf(tmp_path)
    shelf.archive(KEY).parent.mkdir(parents=True)
    with tarfile.open(shelf.archive(KEY), "w") as tar:
        for name in ("a", "a/b"):
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    assert not shelf.open(KEY)
    assert not shelf.archive(KEY).exists()
    assert shelf.live(KEY).is_dir()


def test_a_file_that_grows_when_it_is_unpacked_is_not(tmp_path: Path) -> None:
    shelf = JitShelf(tmp_path)
    shelf.archive(KEY).parent.mkdir(parents=True)
    with tarfile.open(shelf.archive(KEY), "w", format=tarfile.PAX_FORMAT) as tar:
        grows = tarfile.TarInfo("grows")
        sparse = {"major": "0", "minor": "1", "size": str(2**20), "map": "0,0"}
        grows.pax_headers = {f"GNU.sparse.{name}": value for name, value in sparse.items()}
        tar.addfile(grows, io.BytesIO())
    assert not shelf.open(KEY)
    assert list(shelf.live(KEY).iterdir()) == []


def test_runs_are_known_to_the_next_agent(tmp_path: Path) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    run = Run(key=KEY, at=moment, had=True, kept=moment)
    JitShelf(tmp_path).note("default/fake-0", run)
    (tmp_path / "runs" / "torn").write_text("{")
    assert JitShelf(tmp_path).runs() == {"default/fake-0": run}
    JitShelf(tmp_path).forget("default/fake-0")
    assert JitShelf(tmp_path).runs() == {}


def test_sizes_are_those_of_archives_and_of_what_is_live(tmp_path: Path) -> None:
    shelf = JitShelf(tmp_path)
    shelf.open(KEY)
    _compile(shelf)
    assert shelf.sizes() == {KEY: 100}
    shelf.keep(KEY)
    assert shelf.sizes() == {KEY: 100 + shelf.archive(KEY).stat().st_size}
    assert set(shelf.last_used()) == {KEY}
    shelf.drop(KEY)
    assert shelf.sizes() == {}


def test_a_slot_has_a_live_directory_of_its_own_and_shares_what_was_packed(tmp_path: Path) -> None:
    for slot in ("a", "b"):
        (tmp_path / "slots" / slot).mkdir(parents=True)
    shelf = JitShelf(tmp_path / "jit", tmp_path / "slots")
    assert not shelf.open(KEY, "a")
    (shelf.live(KEY, "a") / "kernel.so").write_text("k")
    assert shelf.keep(KEY, "a")
    assert shelf.open(KEY, "b")
    assert (shelf.live(KEY, "b") / "kernel.so").read_text() == "k"
    assert shelf.live(KEY, "b").parent == tmp_path / "slots" / "b"
    assert shelf.sizes() == {KEY: shelf.archive(KEY).stat().st_size}
    other = KEY.replace("b", "c")
    shelf.open(other, "b")  # its engine has other arguments now
    assert [path.name for path in (tmp_path / "slots" / "b").iterdir()] == [f"jit-{other}"]


def test_a_slot_that_puts_a_link_in_the_place_of_its_directory_leads_nobody(tmp_path: Path) -> None:
    (tmp_path / "slots" / "a").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    shelf = JitShelf(tmp_path / "jit", tmp_path / "slots")
    shelf.open(KEY)
    _compile(shelf)
    assert shelf.keep(KEY)
    shelf.live(KEY, "a").symlink_to(tmp_path / "elsewhere")
    assert shelf.open(KEY, "a")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert (shelf.live(KEY, "a") / "triton" / "k.so").exists()


def test_more_than_the_quota_is_not_packed(tmp_path: Path) -> None:
    shelf = JitShelf(tmp_path, most=50)
    shelf.open(KEY)
    _compile(shelf)
    with pytest.raises(TooMuch):
        shelf.keep(KEY)
    assert not shelf.archive(KEY).exists()
