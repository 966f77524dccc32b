"""The sha256 of each chunk of a complete file, kept beside the store for the nodes that share it.

chunks/<ab>/<key>    "<size> <sha256>", then a digest a line
"""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmaz.agent.files import write_atomically
from llmaz.agent.swarm.chunks import chunk_count, chunk_size

_BLOCK = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunkmap:
    """A complete file: what it is, and the digests of its chunks."""

    size: int
    sha256: str
    digests: tuple[str, ...]


def chunkmap_path(cache_dir: Path, key: str) -> Path:
    return cache_dir / "chunks" / key[:2] / key


def read_chunkmap(cache_dir: Path, key: str) -> Chunkmap | None:
    try:
        head, *digests = chunkmap_path(cache_dir, key).read_text().splitlines()
        size, sha256 = head.split(" ")
    except (OSError, ValueError):
        return None
    if not size.isdecimal() or len(digests) != chunk_count(int(size)):
        return None
    return Chunkmap(size=int(size), sha256=sha256, digests=tuple(digests))


def write_chunkmap(
    cache_dir: Path, key: str, size: int, sha256: str, digests: Sequence[str]
) -> None:
    """Write it down; the file has been verified to be `sha256`."""
    text = "\n".join([f"{size} {sha256}", *digests]) + "\n"
    write_atomically(chunkmap_path(cache_dir, key), text)


def drop_chunkmaps(cache_dir: Path, gone: Collection[str]) -> None:
    """Forget the digests of files that are no longer stored, by their sha256."""
    for path in (cache_dir / "chunks").glob("??/*") if gone else ():
        known = read_chunkmap(cache_dir, path.name)
        if known is not None and known.sha256 in gone:
            path.unlink(missing_ok=True)


def verified_chunkmap(
    cache_dir: Path, sha256: str, path: Path, tell: Callable[[int, str], None]
) -> bool:
    """Read a file of the store once, and write its chunkmap if it is what its name says."""
    size, whole = path.stat().st_size, hashlib.sha256()
    digests = []
    with path.open("rb", buffering=0) as file:
        for number in range(chunk_count(size)):
            digest, left = hashlib.sha256(), chunk_size(size)
            while left and (block := file.read(min(_BLOCK, left))):
                digest.update(block)
                whole.update(block)
                left -= len(block)
            digests.append(digest.hexdigest())
            tell(number, digests[-1])
    if whole.hexdigest() != sha256:
        return False
    write_chunkmap(cache_dir, sha256, size, sha256, digests)
    return True
