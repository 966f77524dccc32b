"""Real shims for tests: launched as the agent launches them, and never left behind."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

from llmaz.agent.engines.launch import COMMAND, shim_lives
from llmaz.shim import proc, protocol

FAKE_ENGINE = str(Path(__file__).with_name("engine.py"))
PATIENCE_SECONDS = 120.0  # of a test that waits for a condition, on a machine under load
# A mount namespace of its own, without the cgroups' file system. Who is not root makes none anyway.
HIDING = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /sys/fs/cgroup; exec "$@"', "sh")
T = TypeVar("T")
SLEEPER = (sys.executable, "-I", "-S", "-c", "import time; time.sleep(100000)")


def wait_until(condition: Callable[[], T | None], what: str) -> T:
    """Return the condition's value once it is true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.005)
    raise AssertionError(f"it never came true that {what}")


def launch(directory: Path, *, hide_cgroups: bool = False) -> int:
    """Start the shim of a directory and return its starter's exit code.

    With `hide_cgroups` it finds none to make its own in, as where the user may not make any.
    """
    argv = (*(HIDING if hide_cgroups and os.geteuid() == 0 else ()), *COMMAND)
    env = {"PATH": os.environ["PATH"]}
    return subprocess.run(argv, env=env, input=os.fsencode(directory), check=False).returncode


class Connection:
    """A client that waits for each answer."""

    def __init__(self, directory: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        handle = os.open(directory, os.O_PATH)
        self._socket.settimeout(PATIENCE_SECONDS)
        try:
            self._socket.connect(f"/proc/self/fd/{handle}/{protocol.SOCKET}")
        except OSError:
            self._socket.close()
            raise
        finally:
            os.close(handle)
        self._lines = self._socket.makefile("rb")
        self.events: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def send(self, text: bytes) -> None:
        self._socket.sendall(text)

    def read(self) -> dict[str, Any]:
        """Return the next message; an event is noted and passed over."""
        while line := self._lines.readline():
            message: dict[str, Any] = json.loads(line)
            if "event" not in message:
                return message
            self.events.append(message["event"])
        raise ConnectionError("the shim closed the connection")

    def ask(self, op: str, **fields: object) -> dict[str, Any]:
        self.send(json.dumps({"v": protocol.VERSION, "id": 1, "op": op, **fields}).encode() + b"\n")
        return self.read()

    def status(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.ask("status", tail=True)["status"]
        return answer

    def start(self, *argv: str, **fields: object) -> dict[str, Any]:
        given = {"epoch": 1, "fingerprint": "f", "env": {"PATH": os.environ["PATH"]}, "cwd": "/"}
        return self.ask("start", argv=list(argv), **{**given, **fields})

    def wait_clear(self) -> dict[str, Any]:
        """Return the status once nothing of the engine is left."""

        def gone() -> dict[str, Any] | None:
            status = self.status()
            return status if status["clear"] and status["state"] == "exited" else None

        found = wait_until(gone, "the engine is gone")
        assert found is not None
        return found


def kill_shim(directory: Path) -> None:
    """Kill a directory's shim, as a crash or a memory shortage would, and wait until it is dead."""
    record = json.loads((directory / protocol.JOURNAL).read_text())
    proc.send((record["shim"][0], record["shim"][1]), signal.SIGKILL)
    wait_until(lambda: not shim_lives(directory), "the shim is dead")


def end(directory: Path) -> None:
    """Leave nothing of a directory's engine and shim, whatever state they are in."""
    if not (directory / protocol.LOCK).exists():
        return
    if not shim_lives(directory):
        launch(directory)
    with contextlib.suppress(OSError), Connection(directory) as shim:  # it may be ending already
        shim.ask("stop", grace=0)
        wait_until(lambda: shim.status()["clear"], "the engine is gone")
        shim.ask("shutdown")
    wait_until(lambda: not shim_lives(directory), "the shim is gone")


def is_running(pid: int) -> bool:
    return proc.start_time(pid) is not None
