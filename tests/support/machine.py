"""One machine's llmaz as a user has it: the `llmaz` command, a stock kubectl, real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from support.smollm2 import SMOLLM2

WITHIN_SECONDS = 150.0
_BIN = Path(sys.executable).parent
_FREE_PORTS = ("--api-port=0", "--gateway-port=0", "--agent-port=0", "--controller-port=0")

SERVE_SMOLLM2 = f"""\
apiVersion: llmaz.io/v1alpha1
kind: OpenModel
metadata:
  name: smollm2
spec:
  familyName: smollm2
  source:
    uri: host://{SMOLLM2}
---
apiVersion: inference.llmaz.io/v1alpha1
kind: Playground
metadata:
  name: smollm2
spec:
  replicas: 1
  modelClaim:
    modelName: smollm2
  backendRuntimeConfig:
    backendName: llamacpp-cpu
"""


@dataclass(frozen=True)
class Machine:
    """A home, and the commands that work on it."""

    home: Path
    environ: Mapping[str, str] = field(default_factory=dict)  # beside its own

    def llmaz(self, *argv: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        return self._run("llmaz", *argv, stdin=stdin)

    def kubectl(self, *argv: str, stdin: str = "") -> str:
        """Run kubectl and return what it prints; a failure of it fails the test."""
        done = self._run(
            "kubectl", "--kubeconfig", str(self.home / "kubeconfig"), *argv, stdin=stdin
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def up(self) -> None:
        started = self.llmaz("up", "-d", *_FREE_PORTS)
        assert started.returncode == 0, started.stderr + self.log("up")

    def up_in_the_foreground(
        self, stdout: "IO[str] | int" = subprocess.PIPE
    ) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [_BIN / "llmaz", "up", *_FREE_PORTS],
            env=self._environment(),
            stdout=stdout,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def kill_up(self) -> None:
        """SIGKILL `llmaz up`, and wait until the programs have followed it."""
        followers = self.processes()
        os.kill(self.running()["pid"], signal.SIGKILL)
        until(lambda: not self.processes(), f"the programs did not end: {followers}")

    def running(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.home / "up.json").read_text())
        return found

    def object(self, kind: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", kind, name, "-o", "json"))
        return found

    def condition(self, playground: str) -> dict[str, Any]:
        """Return a Playground's condition Available; empty where it has none yet."""
        status = self.object("playground", playground).get("status", {})
        conditions: list[dict[str, Any]] = status.get("conditions", [])
        return next((one for one in conditions if one["type"] == "Available"), {})

    def wait_for(self, playground: str, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until a Playground's condition Available is as it should be."""
        seen: dict[str, Any] = {}

        def look() -> bool:
            seen.update(self.condition(playground))
            return bool(seen) and is_so(seen)

        until(look, lambda: f"{playground} stays {seen}; {self.log('up')}")
        return seen

    def engines(self) -> list[dict[str, Any]]:
        """Return what the agent reports of its engines."""
        listing = json.loads(self.kubectl("get", "inferencenodes", "-o", "json"))
        statuses = [node.get("status", {}) for node in listing["items"]]
        return [one for status in statuses for one in status.get("engines", [])]

    def processes(self) -> dict[int, str]:
        """Return the programs of this home that live, but shims and engines, which outlive them."""
        found = processes(str(self.home))
        return {pid: line for pid, line in found.items() if "llmaz.shim" not in line}

    def log(self, program: str) -> str:
        path = self.home / "logs" / f"{program}.log"
        return path.read_text() if path.exists() else ""

    def _run(self, program: str, *argv: str, stdin: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [_BIN / program, *argv],
            env=self._environment(),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=WITHIN_SECONDS,
        )

    def _environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
        return kept | dict(self.environ) | {"LLMAZ_HOME": str(self.home)}


def until(is_so: Callable[[], bool], otherwise: str | Callable[[], str]) -> None:
    """Wait for a condition; fail the test when it does not come, with what is so by then."""
    deadline = time.monotonic() + WITHIN_SECONDS
    while not is_so():
        late = time.monotonic() > deadline
        assert not late, otherwise() if callable(otherwise) else otherwise
        time.sleep(0.05)


def processes(words: str) -> dict[int, str]:
    """Return the command lines that have these words in them, by pid."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if words in line:
            found[int(path.parent.name)] = line
    return found


def is_alive(pid: int) -> bool:
    """Tell whether a process lives; one that only waits to be reaped does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
