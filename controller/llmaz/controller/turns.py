"""Which replicas become what they shall be now, and which stay as they are until their turn comes.

Engines that serve are replaced, or moved, not more at a time than the Service's maxUnavailable lets
be missing, and none before the weights of its successor are there. An update whose first engines do
not become ready therefore goes no further. Nobody gets what another, that waits for its turn, has.
"""

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from llmaz.api.node import AssignedEngine, AssignedModel, InferenceNode, ModelPhase
from llmaz.controller.demand import Demand
from llmaz.controller.outcomes import Placed
from llmaz.controller.rollout import most_unavailable
from llmaz.controller.served import Served


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One replica: the engines that it has, those that it shall have, and whether it waits."""

    demand: Demand
    now: tuple[tuple[str, AssignedEngine], ...]  # each with its node
    after: tuple[tuple[str, AssignedEngine], ...]
    waits: bool


def turns(served: Served, nodes: Mapping[str, InferenceNode]) -> Sequence[Turn]:
    """Return every replica that is somewhere or shall be."""
    holding = _holding(served, nodes)
    found = [
        turn for demand in served.placeable() for turn in _turns(demand, served, nodes, holding)
    ]
    while True:
        held = {thing for turn in found if turn.waits for thing in _things(turn.now)}
        late = {
            at
            for at, turn in enumerate(found if held else ())
            if not turn.waits and not held.isdisjoint(_things(turn.after))
        }
        if not late:
            return found
        # What is held back keeps what it has, which others may have been about to get.
        found = [
            dataclasses.replace(turn, waits=True) if at in late else turn
            for at, turn in enumerate(found)
        ]


def _turns(
    demand: Demand, served: Served, nodes: Mapping[str, InferenceNode], holding: Collection[str]
) -> Iterator[Turn]:
    ids = [id_ for id_ in (*demand.ids, *demand.surplus_ids) if id_ in served.outcomes]
    serving = {id_: seat for id_ in ids if (seat := served.serving(id_)) is not None}
    # What fits nowhere holds up no update of the rest: it would wait for ever.
    possible = sum(isinstance(served.outcomes.get(id_), Placed) for id_ in demand.ids)
    spare = len(serving) - possible + most_unavailable(demand.service)
    for id_ in ids:
        outcome = served.outcomes[id_]
        now = tuple((seat.node, seat.engine) for seat in served.groups.get(id_, ()))
        if not isinstance(outcome, Placed):
            if outcome.displaced is not None and outcome.displaced.by in holding:
                yield Turn(demand=demand, now=now, after=(), waits=True)
            continue
        there = [nodes[one.node] for one in outcome.members]
        is_free = (id_ not in served.outdated or id_ not in serving) and id_ not in holding
        may_turn = id_ in serving and not is_free and spare > 0
        if may_turn and all(_has_weights(one, demand.models) for one in there):
            is_free = True
            spare -= 1
        after = tuple((one.node, one.engine) for one in outcome.members)
        yield Turn(demand=demand, now=now, after=after, waits=not is_free)


def _holding(served: Served, nodes: Mapping[str, InferenceNode]) -> frozenset[str]:
    """Return the replicas that others make way for, and that can't start yet.

    Until the weights are there, those that make way go on serving.
    """
    return frozenset(
        id_
        for demand in served.placeable()
        for id_ in demand.ids
        if isinstance(outcome := served.outcomes.get(id_), Placed)
        and outcome.displaced
        and not all(_has_weights(nodes[one.node], demand.models) for one in outcome.members)
    )


def _things(engines: Iterable[tuple[str, AssignedEngine]]) -> Iterator[tuple[str, str | int]]:
    """Yield what only one engine of a node can have: its accelerators and its port."""
    for node, engine in engines:
        yield from ((node, uuid) for uuid in engine.accelerators)
        if engine.port is not None:
            yield node, engine.port


def _has_weights(node: InferenceNode, models: Iterable[AssignedModel]) -> bool:
    """Tell whether a node's agent has read what it shall hold now, and holds these models."""
    if node.status.observed_generation < node.metadata.generation:
        return False
    reports = node.status.models or ()
    ready = {report.name for report in reports if report.phase is ModelPhase.READY}
    held = {model.name: model.source for model in node.spec.models if model.name in ready}
    return all(held.get(model.name) == model.source for model in models)
