"""How full a cache is."""

import ctypes
import mmap
from pathlib import Path

import pytest

from llmaz.agent.cache.room import remove
from llmaz.agent.cache.usage import measure, pending
from support.snapshots import put_snapshot

SIZE = 2**16


def test_files_that_snapshots_share_count_once(tmp_path: Path) -> None:
    put_snapshot(tmp_path, "one", b"a", b"b", size=SIZE)
    put_snapshot(tmp_path, "two", b"b", size=SIZE)
    report = measure(tmp_path, 10 * SIZE)
    assert report is not None
    assert (report.used_bytes, report.quota_bytes) == (2 * SIZE, 10 * SIZE)
    assert report.disk_bytes is not None
    assert report.disk_bytes > SIZE


def test_a_cache_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    report = measure(tmp_path / "none", None)
    assert report is not None
    assert report.used_bytes == 0


def test_what_was_evicted_while_it_was_open_is_pending_until_it_is_closed(tmp_path: Path) -> None:
    snapshot = put_snapshot(tmp_path, "m", b"a", b"b", b"c", size=SIZE)
    with (snapshot / "a.bin").resolve().open("rb") as file:
        assert pending(tmp_path) == 0
        remove(tmp_path, snapshot)
        assert pending(tmp_path) >= SIZE
        assert file.read(1) == b"a"
    assert pending(tmp_path) == 0


def test_an_engine_reads_on_in_what_it_has_mapped_after_an_eviction(tmp_path: Path) -> None:
    snapshot = put_snapshot(tmp_path, "m", b"a", size=SIZE)
    with (snapshot / "a.bin").open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    with mapped:
        remove(tmp_path, snapshot)
        assert mapped[:] == b"a" * SIZE
        assert not list((tmp_path / "store").rglob("??/*"))


def test_what_is_mapped_and_no_longer_open_is_pending_too(tmp_path: Path) -> None:
    snapshot = put_snapshot(tmp_path, "m", b"a", size=SIZE)
    libc = ctypes.CDLL(None)  # Python's own mapping keeps the file open
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    with (snapshot / "a.bin").open("rb") as file:
        place = libc.mmap(None, SIZE, mmap.PROT_READ, mmap.MAP_SHARED, file.fileno(), 0)
    try:
        try:
            next(Path("/proc/self/map_files").iterdir()).readlink()
        except OSError:
            pytest.skip("the kernel shows what is mapped to the privileged alone")
        remove(tmp_path, snapshot)
        assert pending(tmp_path) >= SIZE
    finally:
        libc.munmap(place, SIZE)
    assert pending(tmp_path) == 0
