"""Bytes that the disk lost are found, and are seen by nobody any more."""

import random
import subprocess
import sys
from pathlib import Path

from llmaz.agent.cache.scrub import scrub
from support.snapshots import put_snapshot

SEED = 20260101
SIZE = 2**14


def _flip(stored: Path, dice: random.Random) -> None:
    """Flip one bit, as a disk does: the file's length and times stay as they were."""
    stored.chmod(0o644)
    with stored.open("r+b") as file:
        at = dice.randrange(SIZE)
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1 << dice.randrange(8)]))


def _stored(cache_dir: Path) -> list[Path]:
    return sorted((cache_dir / "store" / "sha256").glob("??/*"))


def test_a_sound_store_is_left_as_it_is(tmp_path: Path) -> None:
    put_snapshot(tmp_path, "a", b"a", b"b", size=SIZE)
    assert [checked.problem for checked in scrub(tmp_path)] == [None, None]
    assert len(_stored(tmp_path)) == 2


def test_each_flipped_bit_is_found_and_its_file_hidden(tmp_path: Path) -> None:
    dice = random.Random(SEED)
    letters = [b"%02d" % number for number in range(40)]
    snapshot = put_snapshot(tmp_path, "a", *letters, size=SIZE)
    hit = dice.sample(_stored(tmp_path), 25)
    for stored in hit:
        _flip(stored, dice)
    wrong = {checked.sha256 for checked in scrub(tmp_path) if checked.problem is not None}
    assert wrong == {stored.name for stored in hit}, SEED
    assert len(_stored(tmp_path)) == 15
    readable = [name for name in snapshot.iterdir() if name.exists()]
    assert len(readable) == 15
    assert len(list((tmp_path / "quarantine").iterdir())) == 25


def test_a_reader_keeps_what_it_has_open(tmp_path: Path) -> None:
    snapshot = put_snapshot(tmp_path, "a", b"a", size=SIZE)
    with (snapshot / "a.bin").open("rb") as engine:
        _flip(_stored(tmp_path)[0], random.Random(SEED))
        assert [checked.problem is not None for checked in scrub(tmp_path)] == [True]
        assert len(engine.read()) == SIZE
    assert not (snapshot / "a.bin").exists()


def test_the_rate_is_bounded(tmp_path: Path) -> None:
    put_snapshot(tmp_path, "a", b"a", size=SIZE)
    waited: list[float] = []
    list(scrub(tmp_path, rate=SIZE // 64, pause=waited.append))
    assert sum(waited) > 30


def test_the_child_tells_a_line_for_each_file(tmp_path: Path) -> None:
    put_snapshot(tmp_path, "a", b"a", b"b", size=SIZE)
    program = (sys.executable, "-m", "llmaz.agent.cache.scrub", str(tmp_path))
    told = subprocess.run(program, capture_output=True, text=True, check=True, timeout=120)
    assert len(told.stdout.splitlines()) == 2
