"""How much of a file on its way may be sent, as its journal says."""

from pathlib import Path

import pytest

from llmaz.agent.mirror.stream import Coming, SpoiledError

SIZE = 1000
BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@pytest.fixture
def partial(tmp_path: Path) -> Path:
    folder = tmp_path / "partial"
    folder.mkdir()
    (folder / "k.data").write_bytes(bytes(SIZE))
    return folder


def _coming(folder: Path, journal: str) -> Coming:
    (folder / "k.journal").write_text(journal)
    coming = Coming(folder.parent, "k", SIZE)
    assert coming.open()
    return coming


def _add(folder: Path, text: str) -> None:
    with (folder / "k.journal").open("a") as file:
        file.write(text)


def test_ranges_that_are_added_later_are_seen_and_torn_lines_wait_for_their_end(
    partial: Path,
) -> None:
    coming = _coming(partial, f"size {SIZE}\nboot {BOOT}\n0 100\n")
    assert coming.there(0) == 100
    _add(partial, f"claim 0\n100 300\nchunk 0 {'a' * 64}\nflushed 3\n500 6")
    assert (coming.there(0), coming.there(500)) == (300, 500)
    _add(partial, "00\n300 500\n")
    assert coming.there(0) == 600
    coming.close()


def test_a_restart_of_the_machine_takes_back_what_was_not_flushed(partial: Path) -> None:
    coming = _coming(partial, f"size {SIZE}\nboot {BOOT}\n0 100\nflushed 3\n100 300\n")
    assert coming.there(0) == 300
    _add(partial, f"boot {BOOT}\n")
    assert coming.there(0) == 100
    coming.close()


def test_a_journal_that_was_cut_is_read_anew(partial: Path) -> None:
    coming = _coming(partial, f"size {SIZE}\nboot {BOOT}\n0 100\n100 300\n")
    assert coming.there(0) == 300
    (partial / "k.journal").write_text(f"size {SIZE}\nboot {BOOT}\n0 100\n")
    assert coming.there(0) == 100
    coming.close()


def test_the_last_byte_waits_for_the_seal_and_a_discarded_file_is_known(partial: Path) -> None:
    coming = _coming(partial, f"size {SIZE}\nboot {BOOT}\n0 {SIZE}\n")
    assert coming.there(0) == SIZE - 1
    (partial / "k.data").chmod(0o444)
    assert coming.there(0) == SIZE
    (partial / "k.data").chmod(0o644)
    (partial / "k.data").unlink()
    with pytest.raises(SpoiledError):
        coming.there(0)
    coming.close()
