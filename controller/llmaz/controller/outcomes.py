"""What becomes of a replica: a place, or the reasons why there is none."""

from dataclasses import dataclass
from typing import TypeAlias

from llmaz.api.node import AssignedEngine
from llmaz.controller.demand import Option


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Where one replica runs."""

    node: str
    option: Option
    engine: AssignedEngine  # as it shall be there
    workers: tuple["Placed", ...] = ()  # of a group that the engine leads

    @property
    def members(self) -> tuple["Placed", ...]:
        """All engines of the replica, the one that answers first."""
        return self, *self.workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplaced:
    """Why one replica runs nowhere: a sentence per flavor."""

    reasons: tuple[str, ...]


Outcome: TypeAlias = Placed | Unplaced
