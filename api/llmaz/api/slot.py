"""Slots: pods that own accelerators in the scheduler's ledger, and in which engines run."""

from dataclasses import dataclass
from typing import Literal

# How an engine is started: by the agent on the node itself, or in a pod of its own.
PROCESS: Literal["process"] = "process"
SLOT: Literal["slot"] = "slot"

Launcher = Literal["process", "slot"]

# What a slot's pod and the agent of its node agree on.
DIRECTORY = "/run/llmaz/slot"  # in the pod: the shim's directory
PROGRAMS = "/run/llmaz/shim"  # in the pod: the shim and the interpreter that came with it


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignedSlot:
    """The pod in which an engine runs, and which holds its accelerators.

    name: the pod, in the engine's namespace
    uid: what tells it from other pods of its name; its shim is found by it on the node
    """

    name: str
    uid: str
