"""Slots: pods that own accelerators in the scheduler's ledger, and in which engines run."""

from dataclasses import dataclass
from typing import Literal

# How an engine is started: by the agent on the node itself, or in a pod of its own.
PROCESS: Literal["process"] = "process"
SLOT: Literal["slot"] = "slot"

Launcher = Literal["process", "slot"]

# What the pod of a slot and the agent of its node agree on.
DIRECTORY = "/run/llmaz/slot"  # in the pod: where its shim's files are
PROGRAMS = "/run/llmaz/shim"  # in the pod: the shim, and the interpreter that came with it
SLOTS = "slots"  # on the node, below the directory of llmaz: that of each pod, named by its uid
MEMORY = "memory"  # in the pod, below the same: the node's copies of weights in memory


def shim_command(directory: str, *arguments: str) -> list[str]:
    """Return the command line of a shim that was brought into a directory.

    Its own loader starts it, so that it needs nothing of the image that it runs in.
    """
    loader = (f"{directory}/ld.so", "--library-path", f"{directory}/lib")
    return [*loader, f"{directory}/bin/python3", "-I", "-S", f"{directory}/shim.py", *arguments]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignedSlot:
    """The pod in which an engine runs, and which holds its accelerators.

    name: the pod, in the engine's namespace
    uid: what tells it from other pods of its name; its shim is found by it on the node
    memory: whether it sees the node's copies of weights in memory
    """

    name: str
    uid: str
    memory: bool = False
