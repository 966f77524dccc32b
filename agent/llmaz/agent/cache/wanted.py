"""Which bytes of a file on its way somebody waits for, so that its fetch brings them first.

    wanted/<key>/<who>      an offset

Who waits writes, the fetch reads. What was not renewed for a while is nobody's any more.
"""

import time
from contextlib import suppress
from pathlib import Path

RENEW_SECONDS = 5.0
FORGET_SECONDS = 30.0


class Wish:
    """One reader's place in a file, told while it waits."""

    def __init__(self, cache_dir: Path, key: str, who: str) -> None:
        self._path = cache_dir / "wanted" / key / who
        self._offset: int | None = None
        self._told_at = 0.0

    def tell(self, offset: int) -> None:
        """Say where the reader waits; that it can't be said only makes it wait longer."""
        now = time.monotonic()
        if offset == self._offset and now - self._told_at < RENEW_SECONDS:
            return
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(str(offset))
            self._offset, self._told_at = offset, now

    def drop(self) -> None:
        """The reader waits no more."""
        if self._offset is None:
            return
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
            self._path.parent.rmdir()  # unless others wait as well


def read_wanted(cache_dir: Path, key: str) -> tuple[int, ...]:
    """Return the offsets that are waited for now, the lowest first."""
    found, now = set(), time.time()
    with suppress(OSError):
        for path in (cache_dir / "wanted" / key).iterdir():
            with suppress(OSError, ValueError):  # it was dropped meanwhile, or is being written
                if now - path.stat().st_mtime < FORGET_SECONDS:
                    found.add(int(path.read_text()))
    return tuple(sorted(offset for offset in found if offset >= 0))
