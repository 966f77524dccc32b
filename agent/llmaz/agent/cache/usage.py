"""How full a cache is, with what was evicted and is still open."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from llmaz.agent.cache.evict import used
from llmaz.agent.cache.room import inventory
from llmaz.api.cache import CacheReport

_PROC = Path("/proc")
_GONE = " (deleted)"
_BLOCK = 512  # what st_blocks counts


def measure(
    cache_dir: Path, quota: int | None, *, may_be_pending: bool = True
) -> CacheReport | None:
    """Look at a cache directory; None where it can't be read, or changes too fast to be counted.

    Unless something may be pending, no process is looked at: on a large host that takes a while.
    """
    try:
        there = next(path for path in (cache_dir, *cache_dir.parents) if path.exists())
        return CacheReport(
            used_bytes=used(inventory(cache_dir)),
            quota_bytes=quota,
            disk_bytes=shutil.disk_usage(there).total,
            pending_bytes=pending(cache_dir) if may_be_pending else 0,
        )
    except OSError:
        return None


def pending(cache_dir: Path, proc: Path = _PROC) -> int:
    """Return the bytes of removed files of the cache that processes read or have mapped still."""
    sizes: dict[tuple[int, int], int] = {}
    prefix = f"{cache_dir}/"
    for process in proc.glob("[0-9]*"):
        for link in _links(process):
            with suppress(OSError):  # it was closed meanwhile, or is another user's
                target = str(link.readlink())
                if target.startswith(prefix) and target.endswith(_GONE):
                    status = link.stat()
                    if status.st_nlink == 0:
                        sizes[status.st_dev, status.st_ino] = status.st_blocks * _BLOCK
    return sum(sizes.values())


def _links(process: Path) -> Iterator[Path]:
    for folder in ("fd", "map_files"):
        with suppress(OSError):  # it has ended, or is another user's
            yield from (process / folder).iterdir()
