"""Nodes in network namespaces around an origin that serves one file, for measuring.

Where there are several zones, each has an origin of its own with its share of the rate, as edges of
one network of delivery are: what goes over a border goes from node to node.
"""

import contextlib
import dataclasses
import json
import os
import resource
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from harness import certificates
from harness.figures import cpu_seconds
from harness.network import MEGABIT, address_of, network, program
from harness.origin import REPOSITORY
from llmaz.agent.swarm.chunks import chunk_size

HERE = Path(__file__).parents[1]
TOKEN = "the-token-of-the-benchmarks-nodes"  # of nodes that end with the run
PORT = 9401
_RACKS = 2  # of each zone, where there are several zones


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How many nodes bring how much over what."""

    nodes: int
    size: int
    origin_mbit: int
    node_mbit: int
    connection_mbit: int | None = None  # of each to the origin, where that limits them
    zones: int = 1

    @property
    def bound(self) -> float:
        return max(self.size / (self.origin_mbit * MEGABIT), self.size / (self.node_mbit * MEGABIT))


class Nodes:
    """Namespaces, each with a folder, around an origin that serves one file."""

    def __init__(self, shape: Shape, folder: Path, stack: contextlib.ExitStack) -> None:
        zones = range(shape.zones)
        net = stack.enter_context(network(shape.zones, shape.origin_mbit))
        self.net, self.shape, self.folder, self._stack = net, shape, folder, stack
        self.origins = [net.add(shape.origin_mbit // shape.zones, zone) for zone in zones]
        self._zones = {net.add(shape.node_mbit, n % len(zones)): n for n in range(shape.nodes)}
        self.names = list(self._zones)
        self.addresses = {name: address_of(net.names.index(name)) for name in self.names}
        self._serving: dict[str, int] = {}
        self._tls: dict[str, str] = {}
        for name in self.names:
            (folder / name).mkdir()

    def run(self, where: str, *argv: str, **environ: str) -> subprocess.Popen[str]:
        """Start a program in a namespace."""
        return self._stack.enter_context(
            program(where, list(argv), {"PYTHONPATH": str(HERE), **environ})
        )

    def serve(self, weights: Path) -> None:
        each = self.shape.connection_mbit
        rate = [str(each * MEGABIT)] if each is not None else []
        for number, origin in enumerate(self.origins):
            listen = f"{address_of(number)}:80"
            argv = ("-m", "harness.origin", str(weights), listen, *rate)
            line(self.run(origin, sys.executable, *argv))

    def hub(self, name: str) -> str:
        """Return the origin of a node's zone."""
        return f"http://{address_of(self._zones[name] % self.shape.zones)}:80"

    def _peer(self, name: str, scheme: str) -> dict[str, str]:
        peer = {"name": name, "url": f"{scheme}://{self.addresses[name]}:{PORT}"}
        if self.shape.zones == 1:
            return peer
        number, zone = divmod(self._zones[name], self.shape.zones)
        return {**peer, "zone": f"zone-{zone}", "rack": f"rack-{zone}-{number % _RACKS}"}

    def speak_tls(self) -> None:
        """Have the nodes speak TLS from now on, with one certificate of its own authority."""
        self._tls = dataclasses.asdict(certificates.made(self.folder))

    def share(self) -> None:
        """Run the nodes' sharing processes, and let them know each other."""
        scheme = "https" if self._tls else "http"
        peers = [self._peer(name, scheme) for name in self.names]
        (self.folder / "token").write_text(TOKEN)
        for name in self.names:
            cache = self.folder / name
            (cache / "peers.json").write_text(json.dumps({"peers": peers}))
            options = [f"--node-name={name}", f"--listen-host={self.addresses[name]}"]
            options += [f"--listen-port={PORT}", f"--cache-dir={cache}", "--mirror-fetch=off"]
            options += [f"--peer-token-file={self.folder / 'token'}"]
            options += [f"--tls-{what}={file}" for what, file in self._tls.items()]
            process = self.run(name, sys.executable, "-m", "llmaz.agent.sharing", *options)
            line(process)
            self._serving[name] = process.pid

    def kill(self, name: str) -> None:
        """Kill what serves a node."""
        os.kill(self._serving.pop(name), signal.SIGKILL)

    def held(self, name: str) -> int:
        """Return the bytes that a node has brought from outside, or has begun to bring."""
        claims: set[str] = set()
        for journal in (self.folder / name / "partial").glob("*.journal"):
            lines = (line.split() for line in journal.read_text().splitlines())
            claims |= {words[1] for words in lines if words[:1] == ["claim"] and len(words) == 2}
        return len(claims) * chunk_size(self.shape.size)

    def cpu_seconds(self) -> float:
        """Return the CPU time of what serves, and of all that has ended."""
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return ended.ru_utime + ended.ru_stime + sum(map(cpu_seconds, self._serving.values()))

    def fetch(self, name: str, *, together: bool) -> subprocess.Popen[str]:
        folder = self.folder / name
        peering: dict[str, object] = {"node": name, "peersFile": str(folder / "peers.json")}
        peering["tokenFile"] = str(self.folder / "token")
        if self._tls:
            peering["tls"] = self._tls
        body = {
            "kind": "HubRepository",
            "origin": {"repository": REPOSITORY, "revision": "main"},
            "cacheDir": str(folder),
            "credentials": {},
            "peering": peering if together else None,
        }
        argv = (sys.executable, "-m", "llmaz.agent.cache.fetch")
        process = self.run(name, *argv, HF_ENDPOINT=self.hub(name), HOME=str(folder))
        assert process.stdin is not None
        process.stdin.write(json.dumps(body) + "\n{}\n")
        process.stdin.flush()
        return process


def line(process: subprocess.Popen[str]) -> str:
    """Wait for what a program says next."""
    assert process.stdout is not None
    return process.stdout.readline()
