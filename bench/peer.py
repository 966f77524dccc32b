"""One node serves a big file to others: its sharing process against nginx with sendfile.

The client is the swarm's own, asking for chunk after chunk over kept connections with a capability
in each request, and throws away what it is sent; nginx is asked by the same client for the same
file under the same name. Rounds alternate, since noise drifts; the ratio is of each round's pair.
Beside them the same node speaks TLS, each side showing a certificate. Needs nginx (Debian:
nginx-light) and openssl; without one of them, the figures of the node stand alone.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil
from harness import certificates
from harness.figures import cpu_seconds, options, report
from harness.origin import digest
from harness.ports import free_port

from llmaz.agent.cache.chunkmap import verified_chunkmap
from llmaz.agent.swarm.chunks import chunk_count, span_of
from llmaz.agent.swarm.connection import Connection, Identity, PeerError, Sink

MEBIBYTE, GIGABYTE = 2**20, 1e9
TOKEN = "the-token-of-the-benchmarks-nodes"  # of a node that ends with the run
SEVERAL = 4
CONNECTIONS = 2  # of each client, as the swarm has them
_NGINX = """
daemon off; worker_processes auto; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{ listen 127.0.0.1:{port}; root {folder}/root; }}
}}
"""


@dataclass(frozen=True)
class Server:
    """A server under measurement, with the processes that work for it."""

    url: str
    pid: int
    proofs: Path  # the folder with what it wants to see
    speaks_tls: bool = False

    @property
    def identity(self) -> Identity:
        return identity(self.proofs, tls=self.speaks_tls)

    def cpu_seconds(self) -> float:
        workers = psutil.Process(self.pid).children(recursive=True)
        return sum(cpu_seconds(pid) for pid in (self.pid, *(one.pid for one in workers)))


@dataclass(frozen=True)
class Served:
    """How fast a file was served, and at what cost to the server."""

    rate: float  # MB a second
    cpu: float  # seconds a GB


class Nowhere(Sink):
    """Takes what comes, and neither keeps nor digests it: the server is what is measured."""

    def __init__(self) -> None:
        super().__init__(memoryview(bytearray(MEBIBYTE)), lambda *_: None)

    def take(self, offset: int, view: memoryview) -> None:
        pass


def identity(folder: Path, *, tls: bool) -> Identity:
    """Return who asks, by the token and the certificates of a folder."""
    files = certificates.read(folder) if tls else None
    return Identity(f"client-{os.getpid()}", folder / "token", files)


def read_all(url: str, key: str, size: int, folder: Path) -> None:
    """Read the whole file, each connection every so manieth chunk; wait for a line to begin."""
    me = identity(folder, tls=url.startswith("https:"))

    def read(first: int) -> None:
        connection, sink = Connection(url, me), Nowhere()
        for chunk in range(first, chunk_count(size), CONNECTIONS):
            connection.bring(key, span_of(chunk, size), sink)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        list(pool.map(read, range(CONNECTIONS)))


@contextmanager
def sharing(cache: Path, proofs: Path, *, tls: bool = False) -> Iterator[Server]:
    argv = [sys.executable, "-m", "llmaz.agent.sharing", "--node-name=bench"]
    argv += ["--listen-host=127.0.0.1", "--listen-port=0", f"--cache-dir={cache}"]
    argv += [f"--peer-token-file={proofs / 'token'}", "--mirror-fetch=off"]
    if tls:
        files = certificates.read(proofs)
        argv += [f"--tls-certificate={files.certificate}", f"--tls-key={files.key}"]
        argv += [f"--tls-authority={files.authority}"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            port = json.loads(process.stdout.readline())["port"]
            yield Server(f"http{'s' * tls}://127.0.0.1:{port}", process.pid, proofs, tls)
        finally:
            process.kill()


@contextmanager
def nginx(folder: Path, path: Path, key: str) -> Iterator[Server]:
    root, port = folder / "root/v1/blobs", free_port()
    root.mkdir(parents=True)
    (root / key).hardlink_to(path)
    for above in (folder, folder / "root", root.parent, root):
        above.chmod(0o755)  # its workers are another user
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, port=port))
    with subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf")]) as process:
        try:
            yield Server(f"http://127.0.0.1:{port}", process.pid, folder)
        finally:
            process.terminate()


def until_answering(server: Server, key: str, size: int) -> None:
    """Wait until the file's first chunk comes."""
    deadline = time.monotonic() + 60
    while True:
        try:
            connection = Connection(server.url, server.identity)
            connection.bring(key, span_of(0, size), Nowhere())
        except PeerError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            connection.close()
            return


def served(server: Server, key: str, size: int, clients: int) -> Served:
    """Have so many clients read the file at once."""
    argv = [sys.executable, __file__, "--read", server.url, key, str(size), str(server.proofs)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    started = [subprocess.Popen(argv, **pipes) for _ in range(clients)]  # type: ignore[call-overload]  # pipes
    for one in started:
        one.stdout.readline()
    before, began = server.cpu_seconds(), time.perf_counter()
    for one in started:
        one.stdin.write(b"\n")
        one.stdin.flush()
    for one in started:
        one.communicate()
    seconds = time.perf_counter() - began
    if any(one.returncode for one in started):
        raise SystemExit("a client was not sent the file")
    total = clients * size
    cpu = (server.cpu_seconds() - before) * GIGABYTE / total
    return Served(total / 1e6 / seconds, cpu)


def stored(cache: Path, size: int) -> tuple[Path, str]:
    """Put random bytes into a store, with the digests of its chunks; return where and its key."""
    fresh = cache / "fresh"
    with fresh.open("wb") as file:
        for _ in range(size // MEBIBYTE):
            file.write(os.urandom(MEBIBYTE))
    key = digest(fresh)
    path = cache / "store/sha256" / key[:2] / key
    path.parent.mkdir(parents=True)
    fresh.rename(path)
    verified_chunkmap(cache, key, path, lambda *_: None)
    return path, key


def measured(size: int, rounds: int) -> dict[str, object]:
    """Return the medians of all rounds, and that of each round's ratio."""
    found: dict[str, list[Served]] = {}
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="llmaz-bench-")))
        cache = scratch / "cache"
        cache.mkdir()
        path, key = stored(cache, size)
        (scratch / "token").write_text(TOKEN)
        servers = {"node": stack.enter_context(sharing(cache, scratch))}
        if shutil.which("openssl"):
            certificates.made(scratch)
            servers["tls"] = stack.enter_context(sharing(cache, scratch, tls=True))
        if shutil.which("nginx"):
            servers["nginx"] = stack.enter_context(nginx(scratch, path, key))
        for server in servers.values():
            until_answering(server, key, size)
        for _ in range(rounds):
            for clients in (1, SEVERAL):
                for name, server in servers.items():
                    figures = served(server, key, size, clients)
                    found.setdefault(f"{name}_{clients}", []).append(figures)
    return summary(found)


def summary(found: dict[str, list[Served]]) -> dict[str, object]:
    said: dict[str, object] = {}
    for name, rounds in found.items():
        said[f"{name}_mb_per_s"] = median(one.rate for one in rounds)
        said[f"{name}_cpu_s_per_gb"] = median(one.cpu for one in rounds)
    for clients in (1, SEVERAL):
        for ours, other, name in (
            ("node", "nginx", "over_nginx"),
            ("tls", "node", "tls_over_plain"),
        ):
            mine, others = found.get(f"{ours}_{clients}", []), found.get(f"{other}_{clients}", [])
            ratios = [one.rate / two.rate for one, two in zip(mine, others, strict=False)]
            if ratios:
                said[f"{name}_{clients}"] = median(ratios)
    return said


def main() -> None:
    if sys.argv[1:2] == ["--read"]:
        read_all(sys.argv[2], sys.argv[3], int(sys.argv[4]), Path(sys.argv[5]))
        return
    quick = options(__doc__ or "").quick
    size, rounds = (256 * MEBIBYTE, 3) if quick else (2048 * MEBIBYTE, 5)
    has_nginx = shutil.which("nginx") is not None
    if not has_nginx:
        print("nginx is not installed (Debian: nginx-light): there is nothing to compare with")
    figures = measured(size, rounds)
    report(bytes=size, rounds=rounds, nginx=has_nginx, **figures, load=os.getloadavg()[0])


if __name__ == "__main__":
    main()
