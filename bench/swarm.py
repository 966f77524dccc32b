"""Nodes in network namespaces with shaped links bring one model from one shaped origin.

The bound is max(S/W, S/B), for an origin of W and links of B: the file has to come in once, and
each node has to take it in. In the same run, one after the other: every node for itself, with our
fetch and with `hf`; libtorrent with the origin as web seed of all nodes; and libtorrent where one
node downloads the file and then seeds it. Only ours flushes to the disk. The nodes share this
machine's cores, and their processes start at once: links must be slow enough that the cores are
not what is measured. With --simulate the same decisions drive many nodes in one process. Needs
root, `ip` and `tc`; each rival that is not installed is left out, and said to be.
"""

import argparse
import contextlib
import dataclasses
import importlib.util
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import certificates
from harness.figures import cpu_seconds, report
from harness.network import MEGABIT, Gauge, address_of, network, program
from harness.origin import FILE, REPOSITORY

HERE = Path(__file__).parent
TOKEN = "the-token-of-the-benchmarks-nodes"  # of nodes that end with the run
PORT = 9401
HUB = f"http://{address_of(0)}:80"
BIN = Path(sys.executable).parent


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How many nodes bring how much over what."""

    nodes: int
    size: int
    origin_mbit: int
    node_mbit: int

    @property
    def bound(self) -> float:
        return max(self.size / (self.origin_mbit * MEGABIT), self.size / (self.node_mbit * MEGABIT))


@dataclass(frozen=True)
class Took:
    """What one way of bringing the model to all nodes took."""

    seconds: float
    bytes: int
    cpu_s: float  # of the nodes' programs: those that fetched, and those that served meanwhile
    first_byte_s: float
    origin_done_s: float


class Nodes:
    """Namespaces, each with a folder, around an origin that serves one file."""

    def __init__(self, shape: Shape, folder: Path, stack: contextlib.ExitStack) -> None:
        net = stack.enter_context(network())
        self.shape, self.folder, self._stack = shape, folder, stack
        self.origin = net.add(shape.origin_mbit)
        self.names = [net.add(shape.node_mbit) for _ in range(shape.nodes)]
        self.addresses = {name: address_of(1 + n) for n, name in enumerate(self.names)}
        self._serving: list[int] = []
        self._tls: dict[str, str] = {}
        for name in self.names:
            (folder / name).mkdir()

    def run(self, where: str, *argv: str, **environ: str) -> subprocess.Popen[str]:
        """Start a program in a namespace."""
        return self._stack.enter_context(
            program(where, list(argv), {"PYTHONPATH": str(HERE), **environ})
        )

    def serve(self, weights: Path) -> None:
        _line(self.run(self.origin, sys.executable, "-m", "harness.origin", str(weights), HUB[7:]))

    def speak_tls(self) -> None:
        """Have the nodes speak TLS from now on, with one certificate of its own authority."""
        self._tls = dataclasses.asdict(certificates.made(self.folder))

    def share(self) -> None:
        """Run the nodes' sharing processes, and let them know each other."""
        scheme = "https" if self._tls else "http"
        urls = {name: f"{scheme}://{self.addresses[name]}:{PORT}" for name in self.names}
        peers = [{"name": name, "url": url} for name, url in urls.items()]
        (self.folder / "token").write_text(TOKEN)
        for name in self.names:
            cache = self.folder / name
            (cache / "peers.json").write_text(json.dumps({"peers": peers}))
            options = [f"--node-name={name}", f"--listen-host={self.addresses[name]}"]
            options += [f"--listen-port={PORT}", f"--cache-dir={cache}", "--mirror-fetch=off"]
            options += [f"--peer-token-file={self.folder / 'token'}"]
            options += [f"--tls-{what}={file}" for what, file in self._tls.items()]
            process = self.run(name, sys.executable, "-m", "llmaz.agent.sharing", *options)
            _line(process)
            self._serving.append(process.pid)

    def cpu_seconds(self) -> float:
        """Return the CPU time of what serves, and of all that has ended."""
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return ended.ru_utime + ended.ru_stime + sum(map(cpu_seconds, self._serving))

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
        process = self.run(name, *argv, HF_ENDPOINT=HUB, HOME=str(folder))
        assert process.stdin is not None
        process.stdin.write(json.dumps(body) + "\n{}\n")
        process.stdin.flush()
        return process


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


# Each way prepares the nodes, and returns what brings the file to all of them.
Way = Callable[[Nodes], Callable[[], None]]


def llmaz(nodes: Nodes) -> Callable[[], None]:
    nodes.share()
    return lambda: _fetched([nodes.fetch(name, together=True) for name in nodes.names])


def llmaz_tls(nodes: Nodes) -> Callable[[], None]:
    nodes.speak_tls()
    return llmaz(nodes)


def each_alone(nodes: Nodes) -> Callable[[], None]:
    return lambda: _fetched([nodes.fetch(name, together=False) for name in nodes.names])


def _fetched(fetches: list[subprocess.Popen[str]]) -> None:
    for fetch in fetches:
        said, _ = fetch.communicate()
        if '"Fetched"' not in said:
            raise SystemExit(f"a fetch failed: {said[-300:]}")


def hf_alone(nodes: Nodes) -> Callable[[], None]:
    def download(name: str) -> subprocess.Popen[str]:
        into = str(nodes.folder / name)
        argv = (str(BIN / "hf"), "download", REPOSITORY, "--cache-dir", into)
        quiet = {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        return nodes.run(name, *argv, HF_ENDPOINT=HUB, HOME=into, **quiet)

    return lambda: _ended([download(name) for name in nodes.names])


def _ended(processes: list[subprocess.Popen[str]]) -> None:
    for process in processes:
        process.communicate()
        if process.returncode:
            raise SystemExit(f"{process.args!r} failed")


def torrent_web_seed(nodes: Nodes) -> Callable[[], None]:
    torrent = _torrent(nodes, f"{HUB}/{REPOSITORY}/resolve/main/{FILE}")
    return lambda: _joined([_join(nodes, name, torrent) for name in nodes.names])


def torrent_one_seeds(nodes: Nodes) -> Callable[[], None]:
    torrent, first = _torrent(nodes, ""), nodes.names[0]
    url = f"{HUB}/{REPOSITORY}/resolve/main/{FILE}"

    def go() -> None:
        download = nodes.run(first, "curl", "-sSf", "-o", str(nodes.folder / first / FILE), url)
        others = [_join(nodes, name, torrent) for name in nodes.names[1:]]
        _ended([download])
        _joined([_join(nodes, first, torrent), *others])

    return go


def _torrent(nodes: Nodes, url: str) -> Path:
    path = nodes.folder / "torrent"
    argv = [
        sys.executable,
        "-m",
        "harness.torrent",
        "make",
        str(nodes.folder / FILE),
        url,
        str(path),
    ]
    subprocess.run(argv, env={**os.environ, "PYTHONPATH": str(HERE)}, check=True)
    return path


def _join(nodes: Nodes, name: str, torrent: Path) -> subprocess.Popen[str]:
    others = [address for other, address in nodes.addresses.items() if other != name]
    argv = ("-m", "harness.torrent", "join", str(torrent), str(nodes.folder / name))
    return nodes.run(name, sys.executable, *argv, nodes.addresses[name], *others)


def _joined(processes: list[subprocess.Popen[str]]) -> None:
    if any(_line(process) != "done\n" for process in processes):
        raise SystemExit("a torrent ended")


def brought(way: Way, shape: Shape) -> Took:
    """Have fresh nodes bring a fresh file one way, and see what the origin's link carried."""
    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="llmaz-bench-"))
        weights = Path(scratch) / FILE
        with weights.open("wb") as file:
            for _ in range(shape.size >> 20):
                file.write(os.urandom(2**20))
        nodes = Nodes(shape, Path(scratch), stack)
        nodes.serve(weights)
        go = way(nodes)
        with Gauge(nodes.origin) as gauge:
            began, before = time.monotonic(), nodes.cpu_seconds()
            go()
            seconds, cpu = time.monotonic() - began, nodes.cpu_seconds() - before
        return Took(seconds, gauge.bytes, cpu, gauge.first_at or 0.0, gauge.last_at)


def ways(*, rivals: bool, tls: bool) -> Iterator[tuple[str, Way]]:
    yield "swarm", llmaz
    if tls:
        yield "swarm_tls", llmaz_tls
    if not rivals:
        return
    yield "each_alone", each_alone
    if (BIN / "hf").exists():
        yield "hf_alone", hf_alone
    else:
        print("hf (huggingface_hub) is not installed: it is left out")
    if importlib.util.find_spec("libtorrent") and shutil.which("curl"):
        yield "torrent_web_seed", torrent_web_seed
        yield "torrent_one_seeds", torrent_one_seeds
    else:
        print("libtorrent or curl is not installed: it is left out")


def figures(name: str, took: Took, shape: Shape) -> dict[str, float]:
    found = {
        f"{name}_s": took.seconds,
        f"{name}_over_bound": took.seconds / shape.bound,
        f"{name}_origin_ratio": took.bytes / shape.size,
    }
    if name == "swarm_tls":
        found["tls_cpu_s_per_gb"] = took.cpu_s * 1e9 / (shape.nodes * shape.size)
    if name == "swarm":
        found |= {"first_byte_s": took.first_byte_s, "tail_s": took.seconds - took.origin_done_s}
        found["cpu_s_per_gb"] = took.cpu_s * 1e9 / (shape.nodes * shape.size)
    return found


def simulated(count: int, shape: Shape) -> dict[str, float]:
    """Drive the same decisions for many nodes over links of the same rates; return both ratios."""
    sys.path.insert(0, str(HERE.parent / "tests"))
    from support.swarms import Simulation  # noqa: PLC0415  # of the tests; only for this option

    simulation = Simulation(shape.size, float(shape.origin_mbit * MEGABIT))
    for number in range(count):
        simulation.add(f"node-{number}", float(shape.node_mbit * MEGABIT))
    simulation.run()
    ratio = simulation.origin_bytes / shape.size
    return {"origin_ratio": ratio, "time_over_bound": simulation.seconds / shape.bound}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="4 nodes, 64 MiB, no rivals")
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--mebibytes", type=int, default=256)
    parser.add_argument("--origin-mbit", type=int, default=160)
    parser.add_argument("--node-mbit", type=int, default=320)
    parser.add_argument("--rounds", type=int, default=1, help="of ours, of which the median counts")
    parser.add_argument("--no-rivals", action="store_true")
    parser.add_argument("--tls", action="store_true", help="the same between nodes of TLS as well")
    parser.add_argument("--simulate", type=int, metavar="NODES", help="nodes in one process")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # namespaces are taken down with it
    shape = Shape(
        nodes=given.simulate or given.nodes,
        size=(64 if given.quick else given.mebibytes) << 20,
        origin_mbit=given.origin_mbit,
        node_mbit=given.node_mbit,
    )
    said: dict[str, float] = {"nodes": shape.nodes, "bytes": shape.size, "bound_s": shape.bound}
    said |= {"origin_mbit": shape.origin_mbit, "node_mbit": shape.node_mbit}
    if given.simulate:
        report(simulated=True, **said, **simulated(given.simulate, shape))
        return
    found: dict[str, float] = {}
    for name, way in ways(rivals=not (given.quick or given.no_rivals), tls=given.tls):
        count = given.rounds if name.startswith("swarm") else 1
        rounds = [brought(way, shape) for _ in range(count)]
        rounds.sort(key=lambda took: took.seconds)
        found |= figures(name, rounds[len(rounds) // 2], shape)
    ours = {
        "time_over_bound": found["swarm_over_bound"],
        "origin_ratio": found["swarm_origin_ratio"],
    }
    predicted = simulated(shape.nodes, shape)["time_over_bound"]
    report(**said, **ours, simulated_over_bound=predicted, **found, load=os.getloadavg()[0])


if __name__ == "__main__":
    main()
