"""Programs under measurement, each in a process of its own that ends with the block."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.ports import free_port as free_port  # noqa: PLC0414  # of this module's users too
from llmaz.api.kinds import NAMESPACE
from llmaz.kube import Kube, KubeError


@dataclass(frozen=True)
class ApiServer:
    """An API server to measure: how to reach it, and its main process."""

    name: str
    kubeconfig: Path
    pid: int


@contextlib.contextmanager
def program(
    argv: list[str], log: Path, environ: Mapping[str, str] = {}
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program with its output in a file; end it, and what it started, with the block."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, **environ},
        )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextlib.asynccontextmanager
async def embedded_api_server(data: Path | None = None) -> AsyncIterator[ApiServer]:
    """Start the embedded API server on a free port and wait until it answers."""
    with tempfile.TemporaryDirectory(prefix="llmaz-bench-") as scratch:
        folder = data or Path(scratch)
        argv = [sys.executable, "-m", "llmaz.local.apiserver", "--data-dir", str(folder)]
        argv += ["--listen", f"127.0.0.1:{free_port()}"]
        with program(argv, Path(scratch) / "api-server.log") as process:
            kubeconfig = folder / "kubeconfig"
            await until_answering(kubeconfig, seconds=30)
            yield ApiServer("embedded", kubeconfig, process.pid)


async def until_answering(kubeconfig: Path, *, seconds: float) -> None:
    """Wait until the API server of a kubeconfig lists namespaces."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            async with await Kube.connect(kubeconfig) as kube:
                await kube.list(NAMESPACE)
                return
        except (KubeError, OSError):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.02)
