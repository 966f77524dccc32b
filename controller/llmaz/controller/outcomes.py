"""What becomes of a replica: a place, or the reasons why there is none."""

from dataclasses import dataclass
from typing import TypeAlias

from llmaz.api.node import AssignedEngine
from llmaz.controller.demand import Option
from llmaz.controller.shortage import Lack
from llmaz.controller.tenants import Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Where one replica runs."""

    node: str
    option: Option
    engine: AssignedEngine  # as it shall be there
    workers: tuple["Placed", ...] = ()  # of a group that the engine leads
    displaced: tuple[str, ...] = ()  # replicas that make way for it
    lingers: tuple[str, ...] = ()  # why it is nowhere else, though no flavor allows it here
    stranded: tuple[str, ...] = ()  # why it is nowhere else, though it is driven away from here

    @property
    def members(self) -> tuple["Placed", ...]:
        """All engines of the replica, the one that answers first."""
        return self, *self.workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplaced:
    """Why one replica runs nowhere: a sentence per flavor.

    One that is `displaced` makes way for another, and runs until that can take its place.
    """

    reasons: tuple[str, ...]
    reason: str = "Unplaceable"  # Pending where that only takes time
    displaced: "Displacement | None" = None
    lack: Lack | None = None  # what most of the nodes are short of


@dataclass(frozen=True, slots=True, kw_only=True)
class Displacement:
    """For which replica another makes way, and by what right."""

    by: str
    cause: Cause


Outcome: TypeAlias = Placed | Unplaced
