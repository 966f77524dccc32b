"""What becomes of one replica at once."""

from dataclasses import dataclass

from llmaz.api.node import AssignedEngine, AssignedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One replica: the engines that it has, those that it shall have, and whether it waits.

    One that `moves` has both until the second is ready.
    """

    replica: str  # the id of its engine, or of its leader
    models: tuple[AssignedModel, ...]  # that its nodes hold
    now: tuple[tuple[str, AssignedEngine], ...]  # each with its node
    after: tuple[tuple[str, AssignedEngine], ...]
    waits: bool
    moves: bool = False

    @property
    def engines(self) -> tuple[tuple[str, AssignedEngine], ...]:
        """The engines that are assigned now, each with its node."""
        if self.moves:
            return *self.now, *self.after
        return self.now if self.waits else self.after

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that hold its models: those of engines that will come as well."""
        here = (*self.now, *self.after) if self.waits or self.moves else self.after
        return tuple(node for node, _ in here)
