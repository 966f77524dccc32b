"""A control plane for tests: the embedded API server in a process of its own, or a real one.

With KUBEBUILDER_ASSETS (a directory with `etcd` and `kube-apiserver`, envtest's convention, and
perhaps `kube-controller-manager`) the tests run on a real kube-apiserver, with
LLMAZ_TEST_KUBECONFIG on a cluster that is there already. Tests of the embedded server alone ask for
`embedded_server`, those that need a garbage collector for `collecting_plane`.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.freeport import free_port
from support.plane import ControlPlane, plane_of
from support.realplane import real_control_plane

READY_SECONDS = 120.0


@dataclass
class EmbeddedServer:
    """The embedded server as a process that a test may kill and start again on the same data."""

    directory: Path
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    def start(self) -> ControlPlane:
        """Start the server and wait until it says that it is ready; it keeps its port."""
        self.directory.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "llmaz.local.apiserver", "--lifeline"]
        command += ["--data-dir", str(self.directory), "--listen", f"127.0.0.1:{self.port}"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=log)
        self._wait_until_ready()
        return plane_of(self.directory / "kubeconfig", self.directory)

    @property
    def log(self) -> Path:
        return self.directory / "server.log"

    def kill(self) -> None:
        """SIGKILL the server, as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask the server to end, and wait for it."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(number)
        self.process.wait(READY_SECONDS)
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process = None

    def _wait_until_ready(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + READY_SECONDS
        while b" ready: " not in self.log.read_bytes():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"no API server: {self.log.read_text()}")
            time.sleep(0.02)


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """An API server that tests share: each works in names of its own."""
    with running_control_plane(tmp_path_factory.mktemp("control-plane")) as plane:
        yield plane


@pytest.fixture
def collecting_plane(control_plane: ControlPlane) -> ControlPlane:
    """The API server that tests share, with somebody who deletes what no owner holds any more."""
    if not control_plane.collects:
        pytest.skip("KUBEBUILDER_ASSETS has no kube-controller-manager, which collects garbage")
    return control_plane


@contextmanager
def running_control_plane(directory: Path) -> Iterator[ControlPlane]:
    """Run an API server of the kind that was asked for."""
    if "LLMAZ_TEST_KUBECONFIG" in os.environ:
        yield plane_of(Path(os.environ["LLMAZ_TEST_KUBECONFIG"]), directory, real=True)
    elif "KUBEBUILDER_ASSETS" in os.environ:
        with real_control_plane(Path(os.environ["KUBEBUILDER_ASSETS"]), directory) as plane:
            yield plane
    else:
        server = EmbeddedServer(directory)
        try:
            yield server.start()
        finally:
            server.stop()


@pytest.fixture
def embedded_server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A fresh embedded server, not yet started, for a test that starts and kills it."""
    server = EmbeddedServer(tmp_path / "server")
    yield server
    server.kill()
