"""One node fetches one model from an origin on this machine, and knows that its bytes are right.

Rivals fetch the same file in the same rounds: `hf` (which verifies nothing) from the same origin,
and by hf_xet from one that keeps the file in Xet, as `llmaz_xet` does, aria2c with eight
connections and its own check of the sha256, curl and rclone followed by sha256sum. Ours alone also
flushes to the disk. Rounds alternate, since noise drifts.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from statistics import median

from harness.figures import options, report
from harness.origin import FILE, REPOSITORY, digest

from llmaz.agent.cache.origin import HubRepository
from llmaz.agent.cache.policy import XetMode
from llmaz.agent.cache.request import FetchRequest, Room, write_request
from llmaz.api.manifest import encode

BIN = Path(sys.executable).parent
GIGABYTE = 1e9
BLOCK = 2**20


@dataclass(frozen=True)
class Cost:
    """What one fetch took."""

    seconds: float
    cpu_seconds: float
    resident_mib: float


@dataclass(frozen=True)
class Contest:
    """One origin and its file."""

    url: str
    xet_url: str
    sha256: str
    size: int
    folder: Path

    @property
    def address(self) -> str:
        return f"{self.url}/{REPOSITORY}/resolve/main/{FILE}"

    def request(self, cache: Path, xet: XetMode) -> bytes:
        origin = HubRepository(repository=REPOSITORY, revision="main")
        request = FetchRequest(origin=origin, cache_dir=str(cache), xet=xet)
        room = json.dumps(encode(Room()))
        return f"{write_request(request)}\n{room}\n".encode()

    def commands(self, into: Path) -> dict[str, list[list[str]]]:
        target = str(into / FILE)
        check = ["sha256sum", target]
        aria = ["-q", "-x8", "-s8", f"--checksum=sha-256={self.sha256}", f"--dir={into}"]
        return {
            "llmaz": [[sys.executable, "-m", "llmaz.agent.cache.fetch"]],
            "llmaz_xet": [[sys.executable, "-m", "llmaz.agent.cache.fetch"]],
            "hf": [[str(BIN / "hf"), "download", REPOSITORY, "--cache-dir", str(into)]],
            "hf_xet": [[str(BIN / "hf"), "download", REPOSITORY, "--cache-dir", str(into)]],
            "aria2c": [[str(BIN / "aria2c"), *aria, "-o", FILE, self.address]],
            "curl": [["curl", "-sSf", "-o", target, self.address], check],
            "rclone": [[str(BIN / "rclone"), "copyurl", self.address, target], check],
        }

    def run(self, name: str) -> Cost:
        into = self.folder / name
        into.mkdir()
        by_xet = name.endswith("_xet")
        request = self.request(into, "always" if by_xet else "never")
        environ = os.environ | {
            "HF_ENDPOINT": self.xet_url if by_xet else self.url,
            "HF_HUB_DISABLE_XET": "0" if name == "hf_xet" else "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HOME": str(into),
        }
        costs = [
            measured(argv, environ, request if name.startswith("llmaz") else b"")
            for argv in self.commands(into)[name]
        ]
        found = max(into.rglob("*"), key=lambda path: path.stat().st_size)
        if found.stat().st_size != self.size:
            raise SystemExit(f"{name} brought no file")
        rmtree(into)
        return Cost(
            seconds=sum(cost.seconds for cost in costs),
            cpu_seconds=sum(cost.cpu_seconds for cost in costs),
            resident_mib=max(cost.resident_mib for cost in costs),
        )


def measured(argv: list[str], environ: dict[str, str], stdin: bytes) -> Cost:
    """Run a program to its end; it must succeed."""
    started = time.perf_counter()
    child = subprocess.Popen(
        argv, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(stdin)
    child.stdin.close()
    said = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    child.stdout.close()
    if child.returncode != 0 or b'"FetchFailed"' in said:
        raise SystemExit(f"{argv[0]} failed: {said[-300:]!r}")
    return Cost(
        seconds=time.perf_counter() - started,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        resident_mib=usage.ru_maxrss / 1024,
    )


@contextmanager
def contest(size: int) -> Iterator[Contest]:
    """Serve a file of random bytes, in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="llmaz-bench-") as scratch:
        folder = Path(scratch)
        weights = folder / "weights"
        with weights.open("wb") as file:
            for _ in range(size // BLOCK):
                file.write(os.urandom(BLOCK))
        xorbs = folder / "xorbs"
        xorbs.mkdir()
        with (
            served("harness.origin", str(weights)) as url,
            served("harness.xetorigin", str(weights), str(xorbs)) as xet_url,
        ):
            yield Contest(url, xet_url, digest(weights), size, folder)


@contextmanager
def served(module: str, *args: str) -> Iterator[str]:
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    argv = [sys.executable, "-m", module, *args]
    with subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.kill()


def main() -> None:
    quick = options(__doc__ or "").quick
    size, rounds = (256 * BLOCK, 2) if quick else (1024 * BLOCK, 5)
    costs: dict[str, list[Cost]] = {}
    with contest(size) as where:
        names = list(where.commands(where.folder))
        for turn in range(rounds):
            for name in names[turn:] + names[:turn]:  # nobody always has the freshest page cache
                costs.setdefault(name, []).append(where.run(name))
    figures: dict[str, object] = {"bytes": size, "rounds": rounds}
    for name, found in costs.items():
        figures[f"{name}_mb_per_s"] = size / 1e6 / median(cost.seconds for cost in found)
        figures[f"{name}_cpu_s_per_gb"] = (
            median(cost.cpu_seconds for cost in found) * GIGABYTE / size
        )
        figures[f"{name}_resident_mib"] = max(cost.resident_mib for cost in found)
    report(**figures)


if __name__ == "__main__":
    main()
