"""What readers of a file on its way wait for, as its fetch reads it."""

import os
import time
from pathlib import Path

from llmaz.agent.cache.wanted import FORGET_SECONDS, Wish, read_wanted


def test_a_fetch_sees_where_all_readers_wait_until_they_go(tmp_path: Path) -> None:
    one, other = Wish(tmp_path, "k", "one"), Wish(tmp_path, "k", "other")
    one.tell(700)
    other.tell(300)
    assert read_wanted(tmp_path, "k") == (300, 700)
    other.tell(800)
    assert read_wanted(tmp_path, "k") == (700, 800)
    one.drop()
    assert read_wanted(tmp_path, "k") == (800,)
    other.drop()
    assert read_wanted(tmp_path, "k") == ()
    assert not (tmp_path / "wanted" / "k").exists()


def test_a_reader_that_waited_for_nothing_leaves_nothing(tmp_path: Path) -> None:
    Wish(tmp_path, "k", "one").drop()
    assert not (tmp_path / "wanted").exists()


def test_what_a_dead_reader_left_and_what_is_no_offset_is_not_waited_for(tmp_path: Path) -> None:
    Wish(tmp_path, "k", "dead").tell(5)
    folder = tmp_path / "wanted" / "k"
    long_ago = time.time() - FORGET_SECONDS - 1
    os.utime(folder / "dead", (long_ago, long_ago))
    (folder / "begun").write_text("")
    (folder / "odd").write_text("-4")
    assert read_wanted(tmp_path, "k") == ()
