"""The store of one node: what a kill costs, what is found of rot, what a warm hit takes.

huggingface_hub is the rival in the same run, from the same hub, which counts what it is asked.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from subprocess import DEVNULL, PIPE

from harness.figures import options, percentile, report
from harness.origin import REPOSITORY
from huggingface_hub import snapshot_download
from huggingface_hub.utils.tqdm import disable_progress_bars

from llmaz.agent.cache.child import FetchChild
from llmaz.agent.cache.limits import Limits
from llmaz.agent.cache.models import ModelCache
from llmaz.agent.cache.origin import HubRepository
from llmaz.agent.cache.remote import Listing, RemoteFile
from llmaz.agent.cache.request import FetchRequest, Room, write_request
from llmaz.agent.cache.room import inventory, make_room, touch
from llmaz.agent.cache.scrub import scrub
from llmaz.agent.cache.state import Fetching, FetchModel, Held
from llmaz.agent.cache.store import Digests, Store, Tree, publish
from llmaz.api.manifest import encode
from llmaz.api.node import AssignedModel
from llmaz.api.source import ModelHub, ModelSource

BIN = Path(sys.executable).parent
RATE = 40 * 2**20
SMALL = 2**16
SEED = 20261123
PROCESSES = 8
HISTORIES = 4  # of random operations, beside each other: they mostly wait for the disk
KILLED_AT = 0.7
_BLOCK = 2**20


class Hub:
    """One file, served by a process of its own at a bounded rate."""

    def __init__(self, url: str, size: int) -> None:
        self.url = url
        self.size = size

    def count(self) -> dict[str, int]:
        with urllib.request.urlopen(f"{self.url}/count", timeout=30) as answer:
            found: dict[str, int] = json.load(answer)
        return found

    def ours(self, into: Path) -> "subprocess.Popen[bytes]":
        origin = HubRepository(repository=REPOSITORY, revision="main")
        request = FetchRequest(origin=origin, cache_dir=str(into))
        child = self._start([sys.executable, "-m", "llmaz.agent.cache.fetch"], into)
        assert child.stdin is not None
        child.stdin.write(f"{write_request(request)}\n{json.dumps(encode(Room()))}\n".encode())
        child.stdin.close()
        return child

    def theirs(self, into: Path) -> "subprocess.Popen[bytes]":
        return self._start(
            [str(BIN / "hf"), "download", REPOSITORY, "--cache-dir", str(into)], into
        )

    def _start(self, argv: list[str], into: Path) -> "subprocess.Popen[bytes]":
        into.mkdir(exist_ok=True)
        environ = os.environ | {
            "HF_ENDPOINT": self.url,
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HOME": str(into),
        }
        quiet = DEVNULL
        return subprocess.Popen(argv, env=environ, stdin=PIPE, stdout=quiet, stderr=quiet)


@contextmanager
def serving(folder: Path, size: int) -> Iterator[Hub]:
    weights = folder / "weights"
    dice = random.Random(SEED)
    with weights.open("wb") as file:
        for _ in range(size // _BLOCK):  # randbytes gives 256 MiB at most
            file.write(dice.randbytes(_BLOCK))
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    argv = [sys.executable, "-m", "harness.pacedhub", str(weights), str(RATE)]
    with subprocess.Popen(argv, env=environ, stdout=PIPE, stderr=DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            yield Hub(server.stdout.readline().strip(), size)
        finally:
            server.kill()


def ended(*children: "subprocess.Popen[bytes]") -> None:
    for child in children:
        if child.wait(timeout=300) != 0:
            raise SystemExit(f"{child.args!r} failed")


def fetched_again(hub: Hub, name: str, into: Path) -> float:
    """Kill a fetch at 70 %, fetch anew, and return the share that was served twice."""
    start = hub.ours if name == "llmaz" else hub.theirs
    before = hub.count()["bytes"]
    child = start(into)
    while hub.count()["bytes"] - before < KILLED_AT * hub.size:
        if child.poll() is not None:
            raise SystemExit(f"{name} ended before it could be killed")
        time.sleep(0.02)
    child.kill()
    child.wait()
    ended(start(into))
    return (hub.count()["bytes"] - before) / hub.size - 1


def at_once(hub: Hub, into: Path) -> float:
    """Let eight processes fetch the same; return how often the bytes were served."""
    before = hub.count()["bytes"]
    ended(*[hub.ours(into) for _ in range(PROCESSES)])
    return (hub.count()["bytes"] - before) / hub.size


async def warm_hits(hub: Hub, cache_dir: Path, rounds: int) -> tuple[list[float], int]:
    """Ask for what is there, each time as an agent that has just started."""
    source = ModelSource(model_hub=ModelHub(model_id=REPOSITORY))
    model = AssignedModel(name="m", source=source)
    seconds: list[float] = []
    before = 0
    for turn in range(rounds + 1):
        changed = asyncio.Event()
        cache = ModelCache(
            cache_dir,
            fetcher=FetchChild(os.environ | {"HF_ENDPOINT": hub.url}),
            secrets=_NoSecrets(),
            now=lambda: datetime.now(UTC),
            changed=changed,
            endpoint=hub.url,
        )
        begun = time.perf_counter()
        cache.perform(FetchModel(model=model))
        while isinstance(state := cache.seen()["m"].state, Fetching):
            await changed.wait()
            changed.clear()
        if not isinstance(state, Held):
            raise SystemExit(f"not ready: {state.message}")
        if turn == 0:
            before = hub.count()["requests"]  # the first turn notes what the fetch before it left
        else:
            seconds.append(time.perf_counter() - begun)
        await cache.aclose()
    return seconds, hub.count()["requests"] - before


class _NoSecrets:
    async def credentials(self, *_: object, **__: object) -> dict[str, str]:
        return {}


def theirs_warm(hub: Hub, cache_dir: Path, rounds: int) -> tuple[list[float], int]:
    disable_progress_bars()
    before, seconds = hub.count()["requests"], []
    for _ in range(rounds):
        begun = time.perf_counter()
        snapshot_download(REPOSITORY, cache_dir=cache_dir, endpoint=hub.url)
        seconds.append(time.perf_counter() - begun)
    return seconds, hub.count()["requests"] - before


def put(cache_dir: Path, name: str, blobs: list[bytes]) -> Path:
    """Put a verified snapshot into the store."""
    store, tree, commit = Store(cache_dir), Tree.of(cache_dir, "hub", f"a/{name}"), name.zfill(40)
    files = []
    for number, data in enumerate(blobs):
        digests = Digests(RemoteFile(path="x", size=len(data)))
        digests.update(data)
        file = RemoteFile(path=f"{number}.bin", size=len(data), sha256=digests.sha256)
        if not store.holds(digests.sha256, len(data)):
            with store.partial(digests.sha256, len(data)) as partial:
                partial.write(0, memoryview(data))
                partial.seal(store.path(digests.sha256))
        store.show(tree, commit, file, digests.sha256)
        files.append(file)
    publish(tree, Listing(commit=commit, files=tuple(files)), "main")
    return tree.snapshot(commit)


def flips_found(cache_dir: Path, flips: int, dice: random.Random) -> int:
    """Flip one bit of each of so many stored files; return how many a scrub finds."""
    put(cache_dir, "0", [dice.randbytes(2**12) for _ in range(flips)])
    for stored in (cache_dir / "store").rglob("??/*"):
        stored.chmod(0o644)
        with stored.open("r+b") as file:
            at, bit = dice.randrange(2**12), dice.randrange(8)
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ (1 << bit)]))
    return sum(checked.problem is not None for checked in scrub(cache_dir))


def evictions_in_use(folder: Path, operations: int) -> tuple[int, int, int]:
    """Go through histories of a cache each; return wrong evictions, all, and the largest excess."""
    each = operations // HISTORIES
    with ProcessPoolExecutor(HISTORIES) as pool:
        begun = [
            pool.submit(history, folder / f"full-{turn}", each, SEED + turn)
            for turn in range(HISTORIES)
        ]
        wrong, evictions, over = zip(*(one.result() for one in begun), strict=True)
    return sum(wrong), sum(evictions), max(over)


def history(cache_dir: Path, operations: int, seed: int) -> tuple[int, int, int]:
    """Bring, use and evict at random under a quota; return wrong ones, all, and the excess."""
    cache_dir.mkdir()
    dice = random.Random(seed)
    quota, live = 16 * SMALL, dict[str, Path]()
    wrong = evictions = over = 0
    for _ in range(operations):
        name = str(dice.randrange(40))
        if name in live and live[name].exists():
            touch(live[name])
            continue
        used = set(dice.sample(sorted(live), min(4, len(live))))
        keep = [live[one] for one in used if live[one].exists()]
        need = dice.randint(1, 3) * SMALL
        gone, refusal = make_room(cache_dir, need=need, keep=keep, limits=Limits(quota=quota))
        evictions += len(gone)
        wrong += sum(not path.exists() for path in keep)
        if refusal is None:
            data = [f"{name} {part}".encode().ljust(SMALL) for part in range(need // SMALL)]
            live[name] = put(cache_dir, name, data)
            sizes = {blob: size for one in inventory(cache_dir) for blob, size in one.blobs.items()}
            over = max(over, sum(sizes.values()) - quota)
    return wrong, evictions, over


def main() -> None:
    quick = options(__doc__ or "").quick
    size, flips, operations = (64, 200, 400) if quick else (512, 1_000, 10_000)
    dice = random.Random(SEED)
    figures: dict[str, object] = {"seed": SEED, "bytes": size * 2**20}
    with tempfile.TemporaryDirectory(prefix="llmaz-bench-") as scratch:
        folder = Path(scratch)
        with serving(folder, size * 2**20) as hub:
            for name in ("llmaz", "hf"):
                figures[f"{name}_fetched_again_after_kill"] = fetched_again(
                    hub, name, folder / name
                )
            figures["eight_processes_fetches"] = at_once(hub, folder / "eight")
            rounds = 50 if quick else 500
            ours, asked = asyncio.run(warm_hits(hub, folder / "llmaz", rounds))
            theirs, theirs_asked = theirs_warm(hub, folder / "hf", 10 if quick else 50)
        figures["llmaz_warm_hit_p99_ms"] = 1e3 * percentile(ours, 0.99)
        figures["llmaz_warm_hit_requests"] = asked
        figures["hf_warm_hit_p50_ms"] = 1e3 * percentile(theirs, 0.5)
        figures["hf_warm_hit_requests_each"] = theirs_asked / len(theirs)
        figures["flips"] = flips
        figures["flips_found"] = flips_found(folder / "rot", flips, dice)
        wrong, evictions, over = evictions_in_use(folder, operations)
    figures |= {"operations": operations, "evictions": evictions}
    report(**figures, evictions_in_use=wrong, most_over_quota=max(0, over))


if __name__ == "__main__":
    main()
