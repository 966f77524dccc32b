"""Values of files that somebody rewrites."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from llmaz.agent.sharing.renewed import Renewed


def read_number(path: Path) -> Callable[[], int]:
    return lambda: int(path.read_text())


async def until(right: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not right():
            await asyncio.sleep(0.02)


async def test_what_is_written_anew_is_taken_and_what_can_not_be_read_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "number"
    path.write_text("1")
    number = Renewed([path], read_number(path))
    assert number.get() == 1
    path.write_text("22")
    await until(lambda: number.get() == 22)
    path.write_text("half of it")
    await until(lambda: number.get() == 22 and "what it held stays" in caplog.text)
    path.unlink()
    assert number.get() == 22
    path.write_text("4444")
    await until(lambda: number.get() == 4444)


async def test_a_mounted_secret_changes_by_another_link(tmp_path: Path) -> None:
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "number").write_text(version)
    current = tmp_path / "current"
    current.symlink_to("1")
    number = Renewed([current / "number"], read_number(current / "number"))
    assert number.get() == 1
    (tmp_path / "next").symlink_to("2")
    (tmp_path / "next").rename(current)
    await until(lambda: number.get() == 2)


def test_the_first_reading_tells_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Renewed([tmp_path / "absent"], read_number(tmp_path / "absent"))


async def test_what_can_not_be_used_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, reads = tmp_path / "number", [0]

    def read() -> int:
        reads[0] += 1
        return int(path.read_text())

    path.write_text("1")
    number = Renewed([path], read)
    (tmp_path / "next").write_text("half of it")
    (tmp_path / "next").rename(path)
    await until(lambda: number.get() == 1 and reads[0] >= 4)
    assert caplog.text.count("what it held stays") == 1
