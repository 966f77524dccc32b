"""Makes room in a cache directory: looks at what is there, and removes what was chosen.

Only names are removed. An engine that still has a file open, or mapped, goes on reading it.
"""

import fcntl
import os
import shutil
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from llmaz.agent.cache.chunkmap import drop_chunkmaps
from llmaz.agent.cache.evict import HIGH_SHARE, Entry, Space, evict, lacking
from llmaz.agent.cache.limits import Limits
from llmaz.agent.cache.pins import pinned
from llmaz.api.quantity import in_words

_EVICTED = "evicted"  # where a snapshot is while it is being removed
PARTIAL_KEPT_SECONDS = 24 * 3600.0  # in which a fetch may be resumed


def make_room(
    cache_dir: Path, *, need: int, keep: Collection[Path], limits: Limits
) -> tuple[list[str], str | None]:
    """Evict so that `need` bytes fit; return what went, and why it is not enough if it is not.

    What is pinned stays as well as what is in `keep`.
    """
    _drop_old_partials(cache_dir / "partial")
    _drop_leaked(cache_dir)
    for aside in sorted((cache_dir / _EVICTED).glob("*/*/*")):
        _finish(cache_dir, aside)  # it was killed
    entries = inventory(cache_dir)
    staying = {*keep, *pinned(cache_dir)}
    kept = {entry.root for entry in entries if _is_in(Path(entry.root), staying)}
    space = Space(free=shutil.disk_usage(cache_dir).free - limits.reserve, quota=limits.quota)
    victims = evict(entries, space, need=need, keep=kept)
    for entry in victims:
        remove(cache_dir, Path(entry.root))
    rest = [entry for entry in entries if entry not in victims]
    if victims or lacking(rest, space, need, share=HIGH_SHARE) == 0:
        return [entry.root for entry in victims], None
    limit = "" if limits.quota is None else f", the cache may take {in_words(limits.quota)}"
    free, reserve = in_words(max(space.free, 0)), in_words(limits.reserve)
    spare = f"the disk has {free} to give and keeps {reserve}"
    words = f"{in_words(need)} are needed, {spare}{limit}"
    return [], f"{words}, and too little of it is unused"


def touch(path: Path) -> None:
    """Note that a model is used now: what was used last goes last."""
    for folder in (path, *path.parents):
        if folder.parent.name == "snapshots":
            with suppress(OSError):  # a cache that can't be written evicts nothing either
                os.utime(folder)
            return


def inventory(cache_dir: Path) -> list[Entry]:
    """Return every snapshot, with its blobs by inode: hard links share them over trees."""
    return [
        Entry(
            root=str(root),
            last_used=root.stat().st_mtime,
            blobs={
                str(status.st_ino): status.st_size
                for file in _files(root)
                for status in (file.stat(),)
            },
        )
        for root in sorted(cache_dir.glob("*/models--*/snapshots/*"))
    ]


def remove(cache_dir: Path, snapshot: Path) -> None:
    """Remove a snapshot, its revisions first, and the bytes that nothing else shows.

    It leaves its tree by one rename, so that a half-removed one is never taken for a snapshot that
    was just used. What a killed removal leaves is removed before the next.
    """
    tree, commit = snapshot.parent.parent, snapshot.name
    for ref in (tree / "refs").rglob("*"):
        if ref.is_file() and ref.read_text() == commit:
            ref.unlink(missing_ok=True)
    (tree / "trees" / f"{commit}.json").unlink(missing_ok=True)
    aside = cache_dir / _EVICTED / tree.relative_to(cache_dir) / commit
    aside.parent.mkdir(parents=True, exist_ok=True)
    snapshot.replace(aside)
    _finish(cache_dir, aside)


def _finish(cache_dir: Path, aside: Path) -> None:
    """Remove what a snapshot showed that has left its tree, then what is left of itself.

    The store's name goes before the tree's: a kill in between leaves what can be found again.
    """
    tree = cache_dir / aside.parent.relative_to(cache_dir / _EVICTED)
    shown = {blob for root in (tree / "snapshots").glob("*") for blob in _shown(root)}
    blobs = [tree / "blobs" / name for name in sorted(_shown(aside) - shown)]
    doomed = [blob for blob in blobs if blob.exists()]
    _drop_unshown(cache_dir, Counter(blob.stat().st_ino for blob in doomed))
    for blob in doomed:
        blob.unlink(missing_ok=True)
    shutil.rmtree(aside)


def _shown(root: Path) -> set[str]:
    """Return the names of the blobs that a snapshot links to, whether they are there or not."""
    return {path.readlink().name for path in root.rglob("*") if path.is_symlink()}


def _drop_unshown(cache_dir: Path, doomed: Mapping[int, int]) -> None:
    """Remove stored bytes that no tree shows, save by so many doomed links to an inode.

    Those of a fetch under way are not shown yet.
    """
    limit = time.time() - PARTIAL_KEPT_SECONDS
    dropped = []
    for stored in (cache_dir / "store" / "sha256").glob("*/*"):
        with suppress(FileNotFoundError):
            status = stored.stat()
            links = doomed.get(status.st_ino, 0)
            if status.st_nlink - links == 1 and (links or status.st_mtime < limit):
                dropped.append(stored)
    drop_chunkmaps(cache_dir, {stored.name for stored in dropped})
    for stored in dropped:
        stored.unlink(missing_ok=True)


def _files(root: Path) -> Iterator[Path]:
    return (file for file in root.rglob("*") if file.is_file())


def _is_in(root: Path, keep: Collection[Path]) -> bool:
    """Tell whether a snapshot is kept: itself, what is in it, or the tree that it is of."""
    return any(path.is_relative_to(root) or root.is_relative_to(path) for path in keep)


def _drop_old_partials(folder: Path) -> None:
    limit = time.time() - PARTIAL_KEPT_SECONDS
    for journal in folder.glob("*.journal"):
        if journal.stat().st_mtime > limit:
            continue
        with journal.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # it is being fetched, slowly
            journal.with_suffix(".data").unlink(missing_ok=True)
            journal.unlink()


def _drop_leaked(cache_dir: Path) -> None:
    """Remove what killed programs began and left in the trees, other clients' files among it.

    Those leak it for ever; names of ours have the form .<name>.<pid> or .<pid>.<hash>.
    """
    limit = time.time() - PARTIAL_KEPT_SECONDS
    for pattern in ("blobs/*.incomplete", "blobs/.*.*", "refs/.*.*", "trees/.*.*"):
        for left in cache_dir.glob(f"*/models--*/{pattern}"):
            with suppress(FileNotFoundError):
                if left.lstat().st_ctime < limit or left.lstat().st_mtime < limit:
                    left.unlink()
