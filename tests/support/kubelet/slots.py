"""A slot's container without a pod: its shim brought and run, as a kubelet would have it."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from llmaz.api.slot import shim_command
from llmaz.shim import bring
from llmaz.shim.container import ADDRESS, DIRECTORY, GRACE
from support.shims import wait_until


class SlotContainer:
    """A shim that was brought to where nothing of this machine's Python is named."""

    def __init__(
        self,
        slot: Path,
        programs: Path,
        *,
        address: str = "127.0.0.1",
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.slot = slot
        self.programs = programs
        bring.main([str(programs), str(slot)])
        self.env = {
            "PATH": "/usr/bin:/bin",
            DIRECTORY: str(slot),
            ADDRESS: address,
            GRACE: "20",
            **(env or {}),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def command(self, *arguments: str) -> list[str]:
        return shim_command(str(self.programs), *arguments)

    def run(self) -> "subprocess.Popen[bytes]":
        """Start the container and wait until its shim answers."""
        process = self.begin()
        wait_until(lambda: self.ask("probe", "live") == 0, "the shim answers")
        return process

    def begin(self) -> "subprocess.Popen[bytes]":
        """Start the container."""
        self.process = subprocess.Popen(
            self.command("run"), env=self.env, stdout=subprocess.PIPE, cwd="/"
        )
        return self.process

    def ask(self, *arguments: str) -> int:
        done = subprocess.run(
            self.command(*arguments), env=self.env, check=False, capture_output=True
        )
        return done.returncode

    def kill(self) -> None:
        """End it as a runtime does whose patience is over: nothing in it lives on."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None
