"""Nodes in network namespaces with shaped links bring one model from a shaped origin.

The bound is max(S/W, S/B), for an origin of W and links of B: the file has to come in once, and
each node has to take it in. In the same run, one after the other: every node for itself, with our
fetch and with `hf`; libtorrent with the origin as web seed of all nodes; and libtorrent where one
node downloads the file and then seeds it. Only ours flushes to the disk. The nodes share this
machine's cores, and their processes start at once: links must be slow enough that the cores are
not what is measured.

With --connection-mbit the origin gives each connection no more than that, as stores behind the
internet do. With --zones the nodes are of several, each with an origin that has its share of the
rate; what goes over the borders is counted. With --kill one node's programs are killed with -9 in
the middle of one more run, and all others have to be done. With --simulate the same decisions
drive many nodes in one process. Needs root, `ip` and `tc`; each rival that is not installed is left
out, and said to be.
"""

import argparse
import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.figures import report
from harness.fleet import HERE, Nodes, Shape, line
from harness.network import MEGABIT, Gauge
from harness.origin import FILE, REPOSITORY

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Took:
    """What one way of bringing the model to all nodes took."""

    seconds: float
    bytes: int
    cpu_s: float  # of the nodes' programs: those that fetched, and those that served meanwhile
    first_byte_s: float
    origin_done_s: float
    crossed: int  # bytes that came into a zone from another
    held: int  # bytes that a node which was killed had brought, or had begun to


# Each way prepares the nodes, and returns what brings the file to all of them.
Way = Callable[[Nodes], Callable[[], None]]


def llmaz(nodes: Nodes) -> Callable[[], None]:
    nodes.share()
    return lambda: _fetched([nodes.fetch(name, together=True) for name in nodes.names])


def llmaz_tls(nodes: Nodes) -> Callable[[], None]:
    nodes.speak_tls()
    return llmaz(nodes)


def llmaz_killed(nodes: Nodes) -> Callable[[], None]:
    nodes.share()

    def go() -> None:
        fetches = {name: nodes.fetch(name, together=True) for name in nodes.names}
        dying = nodes.names[0]
        while nodes.held(dying) < nodes.shape.size / (2 * nodes.shape.nodes):
            time.sleep(0.02)
        fetches.pop(dying).kill()
        nodes.kill(dying)
        _fetched(list(fetches.values()))

    return go


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
        return nodes.run(name, *argv, HF_ENDPOINT=nodes.hub(name), HOME=into, **quiet)

    return lambda: _ended([download(name) for name in nodes.names])


def _ended(processes: list[subprocess.Popen[str]]) -> None:
    for process in processes:
        process.communicate()
        if process.returncode:
            raise SystemExit(f"{process.args!r} failed")


def torrent_web_seed(nodes: Nodes) -> Callable[[], None]:
    torrent = _torrent(nodes, f"{nodes.hub(nodes.names[0])}/{REPOSITORY}/resolve/main/{FILE}")
    return lambda: _joined([_join(nodes, name, torrent) for name in nodes.names])


def torrent_one_seeds(nodes: Nodes) -> Callable[[], None]:
    torrent, first = _torrent(nodes, ""), nodes.names[0]
    url = f"{nodes.hub(nodes.names[0])}/{REPOSITORY}/resolve/main/{FILE}"

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
    if any(line(process) != "done\n" for process in processes):
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
        with Gauge(nodes.origins) as gauge:
            began, before, crossed = time.monotonic(), nodes.cpu_seconds(), nodes.net.crossed()
            go()
            seconds, cpu = time.monotonic() - began, nodes.cpu_seconds() - before
            crossed = nodes.net.crossed() - crossed
        held = nodes.held(nodes.names[0]) if way is llmaz_killed else 0
        first, last = gauge.first_at or 0.0, gauge.last_at
        return Took(seconds, gauge.bytes, cpu, first, last, crossed, held)


def ways(*, rivals: bool, tls: bool, kill: bool) -> Iterator[tuple[str, Way]]:
    yield "swarm", llmaz
    if kill:
        yield "swarm_killed", llmaz_killed
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
    if name == "swarm_killed":
        found["swarm_killed_beside_held"] = (took.bytes - took.held) / shape.size
    if shape.zones > 1:
        found[f"{name}_over_borders"] = took.crossed / shape.size
    return found


def simulated(count: int, shape: Shape) -> dict[str, float]:
    """Drive the same decisions for many nodes over links of the same rates; return both ratios."""
    sys.path.insert(0, str(HERE.parent / "tests"))
    from support.swarms import Simulation  # noqa: PLC0415  # of the tests; only for this option

    simulation = Simulation(shape.size, float(shape.origin_mbit * MEGABIT))
    if shape.connection_mbit is not None:
        simulation.connection_speed = float(shape.connection_mbit * MEGABIT)
    for number in range(count):
        zone = f"zone-{number % shape.zones}"
        simulation.add(f"node-{number}", float(shape.node_mbit * MEGABIT), zone=zone)
    simulation.run()
    ratio = simulation.origin_bytes / shape.size
    return {"origin_ratio": ratio, "time_over_bound": simulation.seconds / shape.bound}


def conditions(shape: Shape) -> dict[str, float]:
    """Return what the figures were measured with."""
    said: dict[str, float] = {"nodes": shape.nodes, "bytes": shape.size, "bound_s": shape.bound}
    said |= {"origin_mbit": shape.origin_mbit, "node_mbit": shape.node_mbit}
    if shape.connection_mbit is not None:
        said["connection_mbit"] = shape.connection_mbit
    if shape.zones > 1:
        said["zones"] = shape.zones
    return said


def measured(name: str, way: Way, shape: Shape, rounds: int) -> dict[str, float]:
    """Return the figures of the median round; whoever is no way of ours has but one."""
    count = rounds if name.startswith("swarm") else 1
    took = sorted((brought(way, shape) for _ in range(count)), key=lambda one: one.seconds)
    return figures(name, took[len(took) // 2], shape)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="4 nodes, 64 MiB, no rivals")
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--mebibytes", type=int, default=256)
    parser.add_argument("--origin-mbit", type=int, default=160)
    parser.add_argument("--node-mbit", type=int, default=320)
    parser.add_argument("--connection-mbit", type=int, help="of each connection to the origin")
    parser.add_argument("--zones", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1, help="of ours, of which the median counts")
    parser.add_argument("--no-rivals", action="store_true")
    parser.add_argument("--tls", action="store_true", help="the same between nodes of TLS as well")
    parser.add_argument("--kill", action="store_true", help="a node in the middle, once more")
    parser.add_argument("--simulate", type=int, metavar="NODES", help="nodes in one process")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # namespaces are taken down with it
    shape = Shape(
        nodes=given.simulate or given.nodes,
        size=(64 if given.quick else given.mebibytes) << 20,
        origin_mbit=given.origin_mbit,
        node_mbit=given.node_mbit,
        connection_mbit=given.connection_mbit,
        zones=given.zones,
    )
    said = conditions(shape)
    if given.simulate:
        report(simulated=True, **said, **simulated(given.simulate, shape))
        return
    found: dict[str, float] = {}
    rivals = not (given.quick or given.no_rivals)
    for name, way in ways(rivals=rivals, tls=given.tls, kill=given.kill):
        found |= measured(name, way, shape, given.rounds)
    ours = {
        "time_over_bound": found["swarm_over_bound"],
        "origin_ratio": found["swarm_origin_ratio"],
    }
    predicted = simulated(shape.nodes, shape)["time_over_bound"]
    report(**said, **ours, simulated_over_bound=predicted, **found, load=os.getloadavg()[0])


if __name__ == "__main__":
    main()
