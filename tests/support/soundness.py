"""Judges a cache directory as whoever reads it would: what can be seen must be right."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from llmaz.agent.cache import marks, spans
from llmaz.agent.cache.journal import replayed

_NO_FILES: Mapping[str, bytes] = MappingProxyType({})
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def wrongs(cache_dir: Path, files: Mapping[str, bytes] = _NO_FILES, key: str = "") -> list[str]:
    """Return what is visible in a cache and is not as it should be; `files` are the right ones."""
    return [
        *wrong_bytes(cache_dir),
        *_wrong_snapshots(cache_dir, files),
        *_wrong_promises(cache_dir),
        *_wrong_mark(cache_dir, files, key),
    ]


def there(cache_dir: Path, size: int) -> int:
    """Return how much is here, by what is written down, of the one file that has this size."""
    stored = sum(path.stat().st_size for path in _stored(cache_dir) if path.stat().st_size == size)
    boot = _BOOT_ID.read_text().strip()
    for journal in (cache_dir / "partial").glob("*.journal"):
        if not journal.with_suffix(".data").exists():
            continue  # it was killed when the file had just become visible
        text = journal.read_text()
        if text.startswith(f"size {size}\n"):
            stored += spans.total(replayed(text, size=size, boot=boot).there)
    return min(stored, size)


def leftovers(cache_dir: Path) -> list[str]:
    """Return the names that killed work has left, and that no work needs."""
    found = [path for path in cache_dir.rglob(".*") if path.name[1:2].isdigit() or "." in path.stem]
    found += [path for path in (cache_dir / "partial").glob("*") if path.is_file()]
    return sorted(str(path.relative_to(cache_dir)) for path in found)


def _stored(cache_dir: Path) -> Iterator[Path]:
    for path in (cache_dir / "store" / "sha256").glob("??/*"):
        if len(path.name) == 64:
            yield path


def wrong_bytes(cache_dir: Path) -> Iterator[str]:
    """Say of what is stored which is not what its name says."""
    for path in _stored(cache_dir):
        if hashlib.sha256(path.read_bytes()).hexdigest() != path.name:
            yield f"{path.name} in the store is something else"
    for blob in cache_dir.glob("*/models--*/blobs/*"):
        data = blob.read_bytes()
        git = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        names = (hashlib.sha256(data).hexdigest(), git)
        if not blob.name.startswith(".") and blob.name not in names:
            yield f"{blob} is something else"


def _wrong_snapshots(cache_dir: Path, files: Mapping[str, bytes]) -> Iterator[str]:
    for root in cache_dir.glob("*/models--*/snapshots/*"):
        for path, data in files.items():
            shown = root / path
            if shown.exists() and shown.read_bytes() != data:
                yield f"{shown} shows other bytes"


def _wrong_promises(cache_dir: Path) -> Iterator[str]:
    """A revision promises that all of its commit is there."""
    for tree in cache_dir.glob("*/models--*"):
        for ref in (tree / "refs").glob("[!.]*"):
            commit = ref.read_text()
            listed = tree / "trees" / f"{commit}.json"
            if not listed.exists():
                yield f"{ref} names a commit of which nothing is known"
                continue
            yield from _missing(
                tree / "snapshots" / commit, json.loads(listed.read_text())["files"]
            )


def _wrong_mark(cache_dir: Path, files: Mapping[str, bytes], key: str) -> Iterator[str]:
    """A note that a fetch has ended promises all of its files."""
    known = marks.recall(cache_dir, key)
    if known is not None:
        yield from _missing(next(cache_dir.glob("*/models--*/snapshots/*")), files)


def _missing(root: Path, files: Iterable[str]) -> Iterator[str]:
    for path in files:
        if not (root / path).exists():
            yield f"{root / path} is promised and missing"
