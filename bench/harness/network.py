"""Network namespaces with shaped links around bridges: as far as bytes go, machines in zones.

Needs root, `ip` and `tc`. Each link is shaped on both of its ends, so that it carries so much each
way; headers count, so that of the bytes of files about 95 % of its rate gets through. A zone is a
bridge; a spine joins those of several, over a link of each.
"""

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

MEGABIT = 125_000  # bytes a second
_FIRST_BYTES = 2**18  # that are weights, rather than questions about them


@dataclass
class Network:
    """Zones, and a namespace with a shaped link for each origin and each node."""

    prefix: str
    names: list[str] = field(default_factory=list)
    borders: list[str] = field(default_factory=list)  # of each zone, where there are several

    def add(self, megabits: int, zone: int = 0) -> str:
        """Make a namespace whose link carries so much, each way; return its name."""
        name, address = f"{self.prefix}-{len(self.names)}", f"{address_of(len(self.names))}/24"
        _run("ip", "netns", "add", name)
        self.names.append(name)
        _run("ip", "link", "add", f"v{name}", "type", "veth", "peer", "name", "eth0", "netns", name)
        _run("ip", "link", "set", f"v{name}", "master", f"{self.prefix}z{zone}", "up")
        inside = ("ip", "netns", "exec", name)
        _run(*inside, "ip", "addr", "add", address, "dev", "eth0")
        _run(*inside, "ip", "link", "set", "eth0", "up")
        _run(*inside, "ip", "link", "set", "lo", "up")
        _run("tc", "qdisc", "add", "dev", f"v{name}", *_shape(megabits))
        _run(*inside, "tc", "qdisc", "add", "dev", "eth0", *_shape(megabits))
        return name

    def zone(self, number: int, megabits: int | None) -> None:
        """Make a zone; with a rate, a link of it to the spine."""
        bridge = f"{self.prefix}z{number}"
        _run("ip", "link", "add", bridge, "type", "bridge")
        _run("ip", "link", "set", bridge, "up")
        if megabits is None:
            return
        border, beyond = f"{self.prefix}b{number}", f"{self.prefix}s{number}"
        _run("ip", "link", "add", border, "type", "veth", "peer", "name", beyond)
        for end, above in ((border, bridge), (beyond, self.prefix)):
            _run("ip", "link", "set", end, "master", above, "up")
            _run("tc", "qdisc", "add", "dev", end, *_shape(megabits))
        self.borders.append(border)

    def crossed(self) -> int:
        """Return the bytes that have come into all zones from others."""
        return sum(_received(border) for border in self.borders)


def _shape(megabits: int) -> tuple[str, ...]:
    return ("root", "tbf", "rate", f"{megabits}mbit", "burst", "256k", "latency", "50ms")


def _received(link: str) -> int:
    return int(Path(f"/sys/class/net/{link}/statistics/rx_bytes").read_text())


def address_of(number: int) -> str:
    """Return the address of the namespace that was made as that; the first is number 0."""
    return f"10.99.0.{number + 1}"


@contextlib.contextmanager
def network(zones: int = 1, border_megabits: int = 1000) -> Iterator[Network]:
    """Have so many zones inside the `with` block, each with such a link to the others."""
    prefix = f"lz{os.getpid() % 10000}"
    made = Network(prefix)
    _run("ip", "link", "add", prefix, "type", "bridge")
    try:
        _run("ip", "link", "set", prefix, "up")
        for number in range(zones):
            made.zone(number, border_megabits if zones > 1 else None)
        yield made
    finally:
        for name in made.names:
            subprocess.run(["ip", "netns", "del", name], check=False)
        bridges = [prefix, *(f"{prefix}z{number}" for number in range(zones))]
        for link in (*made.borders, *bridges):
            subprocess.run(["ip", "link", "del", link], check=False, stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def program(
    namespace: str, argv: list[str], environ: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """Run a program in a namespace until the end of the block."""
    command = ["ip", "netns", "exec", namespace, *argv]
    process = subprocess.Popen(
        command,
        env={**os.environ, **environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


class Gauge:
    """Looks at what leaves some namespaces, until the end of the block."""

    def __init__(self, namespaces: Sequence[str]) -> None:
        self._links = [f"v{namespace}" for namespace in namespaces]
        self._before, self._began = self._read(), time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.first_at: float | None = None  # when weights began to leave
        self.last_at = 0.0  # when the last bytes left

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def bytes(self) -> int:
        return self._read() - self._before

    def _read(self) -> int:
        return sum(map(_received, self._links))

    def _look(self) -> None:
        known = 0
        while not self._ended.wait(0.02):
            now, sent = time.monotonic() - self._began, self.bytes
            if self.first_at is None and sent > _FIRST_BYTES:
                self.first_at = now
            if sent > known + 10_000:  # more than that a connection is kept alive
                self.last_at, known = now, sent


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(argv)}: {done.stderr.strip()}")
