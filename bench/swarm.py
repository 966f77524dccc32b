"""Nodes in network namespaces with shaped links bring one model from one shaped origin.

Beside the swarm: every node for itself, in the same run. The bound is max(S/W, S/B), for an origin
of W and links of B: the file has to come in once, and each node has to take it in. With --simulate
the same decisions drive thousands of nodes in one process. Needs root, `ip` and `tc`.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.figures import report
from harness.origin import REPOSITORY

HERE = Path(__file__).parent
MEGABIT = 125_000  # bytes a second
TOKEN = "the-token-of-the-benchmarks-nodes"  # of nodes that end with the run
PORT = 9401


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(argv)}: {done.stderr.strip()}")


@dataclass
class Network:
    """A bridge, and a namespace with a shaped link for the origin and for each node."""

    prefix: str
    names: list[str] = field(default_factory=list)

    def add(self, number: int, megabits: int) -> str:
        """Make a namespace whose link carries so much, each way; return its name."""
        name, address = f"{self.prefix}{number}", f"10.99.0.{number + 1}/24"
        _run("ip", "netns", "add", name)
        self.names.append(name)
        _run("ip", "link", "add", f"v{name}", "type", "veth", "peer", "name", "eth0", "netns", name)
        _run("ip", "link", "set", f"v{name}", "master", self.prefix, "up")
        inside = ("ip", "netns", "exec", name)
        _run(*inside, "ip", "addr", "add", address, "dev", "eth0")
        _run(*inside, "ip", "link", "set", "eth0", "up")
        _run(*inside, "ip", "link", "set", "lo", "up")
        shape = ("root", "tbf", "rate", f"{megabits}mbit", "burst", "256k", "latency", "50ms")
        _run("tc", "qdisc", "add", "dev", f"v{name}", *shape)
        _run(*inside, "tc", "qdisc", "add", "dev", "eth0", *shape)
        return name


@contextlib.contextmanager
def network() -> Iterator[Network]:
    prefix = f"lz{os.getpid() % 10000}"
    made = Network(prefix)
    _run("ip", "link", "add", prefix, "type", "bridge")
    try:
        _run("ip", "link", "set", prefix, "up")
        yield made
    finally:
        for name in made.names:
            subprocess.run(["ip", "netns", "del", name], check=False)
        subprocess.run(["ip", "link", "del", prefix], check=False)


@contextlib.contextmanager
def background(namespace: str, argv: list[str]) -> Iterator[subprocess.Popen[str]]:
    environ = os.environ | {"PYTHONPATH": str(HERE)}
    command = ["ip", "netns", "exec", namespace, *argv]
    process = subprocess.Popen(
        command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def sent_by(origin: str) -> int:
    """Return the bytes that have left the origin, as its link counts them."""
    return int(Path(f"/sys/class/net/v{origin}/statistics/rx_bytes").read_text())


def request_of(folder: Path, name: str, *, together: bool) -> str:
    peering = {
        "node": name,
        "peersFile": str(folder / "peers.json"),
        "tokenFile": str(folder.parent / "token"),
    }
    body = {
        "kind": "HubRepository",
        "origin": {"repository": REPOSITORY, "revision": "main"},
        "cacheDir": str(folder),
        "credentials": {},
        "peering": peering if together else None,
    }
    return json.dumps(body) + "\n" + json.dumps({}) + "\n"


def sharing_argv(folder: Path, name: str, address: str) -> list[str]:
    options = [f"--node-name={name}", f"--listen-host={address}", f"--listen-port={PORT}"]
    options += [f"--cache-dir={folder}", f"--peer-token-file={folder.parent / 'token'}"]
    return [sys.executable, "-m", "llmaz.agent.sharing", *options]


def fetched(
    count: int, size: int, origin_mbit: int, node_mbit: int, *, together: bool
) -> dict[str, float]:
    """Have `count` nodes fetch at once; return the seconds and the bytes from the origin."""
    with tempfile.TemporaryDirectory(prefix="llmaz-bench-") as scratch, network() as net:
        folder = Path(scratch)
        weights = folder / "weights"
        with weights.open("wb") as file:
            for _ in range(size >> 20):
                file.write(os.urandom(2**20))
        (folder / "token").write_text(TOKEN)
        origin = net.add(0, origin_mbit)
        names = [net.add(number, node_mbit) for number in range(1, count + 1)]
        addresses = {name: f"10.99.0.{number + 2}" for number, name in enumerate(names)}
        peers = [{"name": name, "url": f"http://{addresses[name]}:{PORT}"} for name in names]
        with contextlib.ExitStack() as stack:
            hub = [sys.executable, "-m", "harness.origin", str(weights), "10.99.0.1:80"]
            server = stack.enter_context(background(origin, hub))
            assert server.stdout is not None
            server.stdout.readline()
            for name in names:
                (folder / name).mkdir()
                (folder / name / "peers.json").write_text(json.dumps({"peers": peers}))
                argv = sharing_argv(folder / name, name, addresses[name])
                shared = stack.enter_context(background(name, argv))
                assert shared.stdout is not None
                shared.stdout.readline()
            before, began = sent_by(origin), time.monotonic()
            fetches = [_fetch(stack, folder / name, name, together=together) for name in names]
            for fetch in fetches:
                said, _ = fetch.communicate()
                if '"Fetched"' not in said:
                    raise SystemExit(f"a fetch failed: {said[-300:]}")
            seconds = time.monotonic() - began
            return {"seconds": seconds, "bytes": float(sent_by(origin) - before)}


def _fetch(
    stack: contextlib.ExitStack, folder: Path, name: str, *, together: bool
) -> subprocess.Popen[str]:
    argv = ["env", "HF_ENDPOINT=http://10.99.0.1:80", f"HOME={folder}"]
    argv += [sys.executable, "-m", "llmaz.agent.cache.fetch"]
    process = stack.enter_context(background(name, argv))
    assert process.stdin is not None
    process.stdin.write(request_of(folder, name, together=together))
    process.stdin.flush()
    return process


def simulated(count: int) -> dict[str, float]:
    """Drive the same decisions for many nodes; return both ratios."""
    sys.path.insert(0, str(HERE.parent / "tests"))
    from support.swarms import Simulation  # noqa: PLC0415  # of the tests; only for this option

    size, speed = 64 * 2**20, 40.0 * 2**20
    simulation = Simulation(size, speed)
    for number in range(count):
        simulation.add(f"node-{number}", 2 * speed)
    simulation.run()
    ratio = simulation.origin_bytes / size
    return {"origin_ratio": ratio, "time_over_bound": simulation.seconds / (size / speed)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="4 nodes, 64 MiB: under a minute")
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--mebibytes", type=int, default=256)
    parser.add_argument("--origin-mbit", type=int, default=160)
    parser.add_argument("--node-mbit", type=int, default=320)
    parser.add_argument("--simulate", type=int, metavar="NODES", help="nodes in one process")
    given = parser.parse_args()
    if given.simulate:
        report(nodes=given.simulate, simulated=True, **simulated(given.simulate))
        return
    size = (64 if given.quick else given.mebibytes) << 20
    shape = (given.nodes, size, given.origin_mbit, given.node_mbit)
    bound = max(size / (given.origin_mbit * MEGABIT), size / (given.node_mbit * MEGABIT))
    swarm = fetched(*shape, together=True)
    alone = {} if given.quick else fetched(*shape, together=False)
    report(
        nodes=given.nodes,
        bytes=size,
        origin_mbit=given.origin_mbit,
        node_mbit=given.node_mbit,
        bound_s=bound,
        swarm_s=swarm["seconds"],
        time_over_bound=swarm["seconds"] / bound,
        origin_ratio=swarm["bytes"] / size,
        load=os.getloadavg()[0],
        **(
            {"each_alone_s": alone["seconds"], "each_alone_origin_ratio": alone["bytes"] / size}
            if alone
            else {}
        ),
    )


if __name__ == "__main__":
    main()
