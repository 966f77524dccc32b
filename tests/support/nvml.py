"""Builds the stand-in for NVIDIA's library, and writes the inventory that it answers from."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from llmaz.agent.accelerators.probe import PROGRAM, ChildProbe

SOURCE = Path(__file__).with_name("nvml.c")


@dataclass(frozen=True, slots=True)
class StandIn:
    """A built library, and the file that says which devices it shows."""

    directory: Path

    @property
    def inventory(self) -> Path:
        return self.directory / "inventory"

    @property
    def environ(self) -> dict[str, str]:
        """Variables for a process that shall find this library, and its children."""
        return {"LD_LIBRARY_PATH": str(self.directory), "NVML_INVENTORY": str(self.inventory)}

    def show(self, *lines: str) -> None:
        """Have the library answer from these lines (nvml.c explains them) from now on."""
        beside = self.inventory.with_suffix(".new")
        beside.write_text("".join(f"{line}\n" for line in lines))
        beside.replace(self.inventory)


def build(directory: Path, *options: str) -> StandIn:
    """Compile the library into `directory`. Without an inventory no driver is loaded."""
    subprocess.run(
        [
            *("gcc", "-Wall", "-Werror", "-O1", "-shared", "-fPIC", *options),
            "-Wl,-soname,libnvidia-ml.so.1",
            *("-o", str(directory / "libnvidia-ml.so.1"), str(SOURCE)),
        ],
        check=True,
        timeout=120,
    )
    return StandIn(directory)


def probe_of(environ: Mapping[str, str], *, deadline_seconds: float = 120.0) -> ChildProbe:
    """Return a probe whose child process sees these variables beside its own."""
    assignments = (f"{name}={value}" for name, value in environ.items())
    return ChildProbe(("env", *assignments, *PROGRAM), deadline_seconds=deadline_seconds)
