"""What lies where an engine of a slot may write is looked at without being led anywhere by it."""

import os
import tarfile
from pathlib import Path

import pytest

from llmaz.agent.jit import tree
from llmaz.agent.jit.tree import TooMuch, about, pack


def packed(top: Path, into: Path, most: int = 1 << 20) -> list[str]:
    with tarfile.open(into, "w", dereference=True) as tar:
        pack(top, tar, most)
    with tarfile.open(into) as tar:
        return tar.getnames()


def test_plain_files_are_found_and_nothing_through_links(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "token").write_text("s3cret")
    top = tmp_path / "top"
    (top / "deep" / "er").mkdir(parents=True)
    (top / "deep" / "er" / "kernel.so").write_text("k")
    (top / "file").symlink_to(secret / "token")
    (top / "folder").symlink_to(secret)
    assert list(about(top)) == ["deep/er/kernel.so"]
    assert packed(top, tmp_path / "a.tar") == ["deep/er/kernel.so"]


def test_a_directory_that_became_a_link_has_nothing(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "token").write_text("s3cret")
    (tmp_path / "top").symlink_to("secret")
    assert about(tmp_path / "top") == {}
    assert packed(tmp_path / "top", tmp_path / "a.tar") == []


@pytest.mark.timeout(120)
def test_nobody_is_waited_for_at_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert about(tmp_path) == {}
    assert about(tmp_path / "pipe") == {}
    with tarfile.open(os.devnull, "w") as tar:
        pack(tmp_path, tar, 100)


def test_a_file_with_two_names_is_packed_by_both(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    (top / "a").write_text("k")
    (top / "b").hardlink_to(top / "a")
    with tarfile.open(tmp_path / "x.tar", "w", dereference=True) as tar:
        pack(top, tar, 100)
    with tarfile.open(tmp_path / "x.tar") as tar:
        assert [member.isreg() for member in tar] == [True, True]


def test_there_is_an_end_to_bytes_and_to_depth(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    with (top / "hole").open("wb") as file:
        file.truncate(1 << 30)  # of no blocks at all
    with pytest.raises(TooMuch, match="it grows"):
        packed(top, tmp_path / "a.tar")
    top.joinpath(*["d"] * (tree.MOST_DEEP + 1)).mkdir(parents=True)
    with pytest.raises(TooMuch, match="in each other"):
        about(top)
