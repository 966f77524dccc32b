"""Reads the store again and compares: `python -m llmaz.agent.cache.scrub DIR`.

A disk may give back other bytes than it was given. What is found wrong loses its names at once, in
the store and in every tree, so that nothing opens it any more; what has it open goes on. The bytes
are kept in quarantine/ for whoever looks into the disk. A fetch then brings the file anew.

It is a process of its own, at the lowest priority and a bounded rate: it takes hours, and the
engines shall not notice.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from llmaz.agent.cache.chunkmap import drop_chunkmaps
from llmaz.agent.children import die_with_parent

DEFAULT_RATE = 50 * 10**6  # bytes a second
_BLOCK = 2**20
_NICEST = 19


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One stored file that was read again; `problem` says what is wrong with it, if anything."""

    sha256: str
    size: int
    problem: str | None = None


def scrub(
    cache_dir: Path, *, rate: int | None = None, pause: Callable[[float], None] = time.sleep
) -> Iterator[Checked]:
    """Read every stored file, and put what is wrong into quarantine before it is told."""
    for stored in sorted((cache_dir / "store" / "sha256").glob("??/*")):
        if len(stored.name) != hashlib.sha256().digest_size * 2:
            continue  # one that a killed process was about to rename
        checked = _check(stored, rate, pause)
        if checked is None:
            continue  # evicted meanwhile
        if checked.problem is not None:
            checked = _hidden(cache_dir, stored, checked)
        yield checked


def quarantine(cache_dir: Path, stored: Path) -> None:
    """Take every name from a stored file, those in the trees first."""
    with suppress(FileNotFoundError):
        inode = stored.stat().st_ino
        for blob in cache_dir.glob("*/models--*/blobs/*"):
            with suppress(FileNotFoundError):
                if blob.stat().st_ino == inode:
                    blob.unlink()
        aside = cache_dir / "quarantine" / stored.name
        aside.parent.mkdir(exist_ok=True)
        stored.replace(aside)
        drop_chunkmaps(cache_dir, {stored.name})


def _hidden(cache_dir: Path, stored: Path, checked: Checked) -> Checked:
    try:
        quarantine(cache_dir, stored)
    except OSError as error:  # a disk that fails is often read-only by then
        words = f"{checked.problem}, and it can't be taken away: {error.strerror}"
        return replace(checked, problem=words)
    return checked


def _check(stored: Path, rate: int | None, pause: Callable[[float], None]) -> Checked | None:
    digest, size, begun = hashlib.sha256(), 0, time.monotonic()
    try:
        with stored.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                size += len(block)
                ahead = size / rate - (time.monotonic() - begun) if rate else 0.0
                if ahead > 0:
                    pause(ahead)
    except FileNotFoundError:
        return None
    except OSError as error:
        return Checked(sha256=stored.name, size=size, problem=f"can't be read: {error.strerror}")
    found = digest.hexdigest()
    problem = None if found == stored.name else f"its sha256 is {found}"
    return Checked(sha256=stored.name, size=size, problem=problem)


def main() -> None:
    die_with_parent()
    parser = argparse.ArgumentParser(prog="llmaz-cache-scrub", allow_abbrev=False)
    parser.add_argument("cache_dir", type=Path)
    parser.add_argument("--rate", type=int, default=DEFAULT_RATE, metavar="BYTES")
    given = parser.parse_args()
    os.nice(_NICEST)
    for checked in scrub(given.cache_dir, rate=given.rate):
        said = {"sha256": checked.sha256, "size": checked.size, "problem": checked.problem}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
