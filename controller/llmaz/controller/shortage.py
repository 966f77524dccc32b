"""What a node is short of for one more engine: in words for people, and in one for programs."""

from enum import StrEnum
from typing import Self


class Lack(StrEnum):
    """What kept a replica from a place; the label of a metric."""

    LABELS = "Labels"  # no node has the flavor, or the capacity type
    CLOSED = "Closed"  # cordoned, drained, silent or on its way out
    TAINT = "Taint"
    ACCELERATORS = "Accelerators"
    ACCELERATOR_MEMORY = "AcceleratorMemory"
    CPU = "Cpu"
    MEMORY = "Memory"
    PORT = "Port"
    UNREPORTED = "Unreported"
    TENANT_LIMIT = "TenantLimit"
    COMMANDS = "Commands"  # of groups


class Shortage(str):
    """Words that say what a node is short of."""

    __slots__ = ("lack",)
    lack: Lack

    @classmethod
    def of(cls, lack: Lack, words: str) -> Self:
        found = cls(words)
        found.lack = lack
        return found
