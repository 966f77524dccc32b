"""One bit of a model is flipped, at the origin or on the disk: is it found, and is it ever visible?

At the origin, the hub goes on to list the digest of what it had: the fetch must be refused, with
nothing in the cache. On the disk, a scrub must take the file's names away. Which bits are flipped
follows from the seed alone.
"""

import random
from pathlib import Path
from shutil import rmtree

from fetch import contest
from harness.figures import options, report

from llmaz.agent.cache.fetch import fetch
from llmaz.agent.cache.origin import HubRepository
from llmaz.agent.cache.outcome import Fetched, FetchFailed
from llmaz.agent.cache.request import FetchRequest, Room
from llmaz.agent.cache.scrub import scrub

SEED = 20261123
SIZE = 2**20
REPOSITORY = HubRepository(repository="bench/model", revision="main")


def flip(path: Path, bit: int) -> None:
    """Flip one bit where the file lies, whatever its mode is."""
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(bit // 8)
        (value,) = file.read(1)
        file.seek(bit // 8)
        file.write(bytes([value ^ (1 << bit % 8)]))


def visible(cache: Path) -> bool:
    """Tell whether any name in the cache leads to bytes."""
    names = ("store/sha256/*/*", "hub/models--*/snapshots/*/*", "hub/models--*/blobs/*")
    return any(path.exists() for name in names for path in cache.glob(name))


def brought(url: str, cache: Path) -> Fetched | FetchFailed:
    request = FetchRequest(origin=REPOSITORY, cache_dir=str(cache))
    return fetch(request, {"HF_ENDPOINT": url}, lambda _: None, lambda _: Room())


def at_the_origin(url: str, weights: Path, cache: Path, bit: int) -> tuple[bool, bool]:
    """Return whether the flip was found, and whether anything became visible."""
    flip(weights, bit)
    outcome = brought(url, cache)
    flip(weights, bit)
    seen = visible(cache)
    rmtree(cache, ignore_errors=True)
    return isinstance(outcome, FetchFailed) and outcome.reason == "CorruptDownload", seen


def on_the_disk(url: str, cache: Path, bit: int) -> tuple[bool, bool]:
    """Return whether a scrub found the flip, and whether anything stayed visible."""
    assert isinstance(brought(url, cache), Fetched)
    (stored,) = cache.glob("store/sha256/*/*")
    flip(stored, bit)
    found = [checked.problem is not None for checked in scrub(cache)]
    return found == [True], visible(cache)


def main() -> None:
    flips = 20 if options(__doc__ or "").quick else 500  # of each kind
    bits = random.Random(SEED)  # it shall be the same each time
    found = {"origin": 0, "disk": 0}
    shown = 0
    with contest(SIZE) as where:
        weights, cache = where.folder / "weights", where.folder / "cache"
        for _ in range(flips):
            for kind in found:
                bit = bits.randrange(8 * SIZE)
                was_found, seen = (
                    at_the_origin(where.url, weights, cache, bit)
                    if kind == "origin"
                    else on_the_disk(where.url, cache, bit)
                )
                found[kind] += was_found
                shown += seen
            rmtree(cache / "quarantine", ignore_errors=True)
        assert isinstance(brought(where.url, cache), Fetched)
    report(
        seed=SEED,
        flips=2 * flips,
        found_at_origin=found["origin"],
        found_on_disk=found["disk"],
        visible=shown,
    )


if __name__ == "__main__":
    main()
