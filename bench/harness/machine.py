"""One machine's llmaz under measurement: `llmaz up` on a home and ports of its own."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """A running `llmaz up`."""

    home: Path
    gateway_url: str  # of the OpenAI endpoint, with /v1
    pid: int

    @property
    def kubeconfig(self) -> Path:
        return self.home / "kubeconfig"


@contextlib.contextmanager
def machine() -> Iterator[Machine]:
    """Run `llmaz up -d` on free ports until the end of the block, then `llmaz down`."""
    with tempfile.TemporaryDirectory(prefix="llmaz-bench-") as folder:
        home = Path(folder)
        ports = [f"--{name}-port=0" for name in ("gateway", "api", "agent", "controller")]
        _llmaz(home, "up", "-d", *ports)
        try:
            running = json.loads((home / "up.json").read_text())
            yield Machine(home, running["gateway_url"], running["pid"])
        finally:
            _llmaz(home, "down")


def _llmaz(home: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "llmaz.cli", *arguments]
    environ = os.environ | {"LLMAZ_HOME": str(home)}
    done = subprocess.run(command, env=environ, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"llmaz {arguments[0]}: {done.stderr.strip() or done.stdout.strip()}")
