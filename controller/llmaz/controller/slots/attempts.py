"""The flavors of a replica in the order in which pods are made for them.

Flavors that ask for the same of a node, and only prefer others of them, are one attempt: the
scheduler chooses by weighted preferences. Flavors that ask for something else need another pod, so
that they are tried one after another. What was tried in vain is tried again, each time for longer.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmaz.api.manifest import digest, encode
from llmaz.controller.demand import Demand, Option
from llmaz.controller.leaving import capacity_type

_LONGEST_SECONDS = 600.0  # an autoscaler takes minutes to bring a node


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Flavors that one pod may stand for, in order of preference."""

    options: tuple[Option, ...]
    key: str

    @property
    def first(self) -> Option:
        return self.options[0]

    @property
    def size(self) -> int:
        """How many pods a replica is."""
        return self.first.hosts if self.first.worker is not None else 1

    @property
    def name(self) -> str:
        return ", ".join(option.flavor.name for option in self.options)


def attempts_of(demand: Demand, id_: str = "") -> tuple[Attempt, ...]:
    """Return the attempts of one replica; without an id, of what is any replica's."""
    wanted = demand.options_of(id_) if id_ else demand.options
    grouped = itertools.groupby(wanted, key=lambda option: _shape(option, demand))
    found = ((shape, tuple(options)) for shape, options in grouped)
    return tuple(Attempt(options=options, key=_key(shape, options)) for shape, options in found)


def patience(attempt: int, count: int, seconds: float) -> float:
    """Return how long a pod may be unschedulable until the next attempt: twice as long each round.

    `attempt` counts on over all rounds of `count` attempts.
    """
    return float(min(seconds * 2 ** min(attempt // max(count, 1), 16), _LONGEST_SECONDS))


def option_on(attempt: Attempt, labels: Mapping[str, str]) -> Option:
    """Return which of its flavors a pod stands for on a node: the first that the labels allow."""
    fitting = (
        option
        for option in attempt.options
        if all(labels.get(key) == value for key, value in option.selector)
        and option.capacity in (None, capacity_type(labels))
    )
    return next(fitting, attempt.first)


def _shape(option: Option, demand: Demand) -> str:
    """Return what makes pods different, but for the nodes that they may go to."""
    pattern = demand.pattern
    memory = pattern.shared_memory_size
    parts = [
        pattern.image,
        encode(option.resources),
        encode(option.worker.resources) if option.worker is not None else None,
        str(memory) if memory is not None else None,
        option.hosts,
    ]
    return digest(parts)


def _key(shape: str, options: Sequence[Option]) -> str:
    return digest([shape, [[dict(option.selector), option.capacity] for option in options]])
