"""Which replicas become what they shall be now, and which stay as they are until their turn comes.

Engines that serve are replaced, or moved, not more at a time than the Service's maxUnavailable lets
be missing, and none before the weights of its successor are there. An update whose first engines do
not become ready therefore goes no further. Nobody gets what another, that waits for its turn, has.

One that goes to another node serves until it is ready there. From a node that is about to be taken
away all go at once.
"""

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from llmaz.api.node import AssignedEngine, AssignedModel, InferenceNode, ModelPhase
from llmaz.controller.demand import Demand, tolerations_of
from llmaz.controller.groups import is_leaderless
from llmaz.controller.outcomes import Placed
from llmaz.controller.parting import parted
from llmaz.controller.rollout import most_unavailable
from llmaz.controller.seats import Seat
from llmaz.controller.served import Served
from llmaz.controller.turn import Turn

_Thing: TypeAlias = tuple[str, str | int]  # a node, and an accelerator or a port of it


def turns(served: Served, nodes: Mapping[str, InferenceNode]) -> Sequence[Turn]:
    """Return every replica that is somewhere or shall be."""
    holding = _holding(served, nodes)
    due = [turn for demand in served.placeable() for turn in _turns(demand, served, nodes, holding)]
    found = parted(due, served, nodes)
    while True:
        late = _late(found, served)
        if not late:
            return found
        # What is held back keeps what it has, which others may have been about to get.
        found = [_put_off(turn, served) if at in late else turn for at, turn in enumerate(found)]


def _put_off(turn: Turn, served: Served) -> Turn:
    """Return a turn that has to wait. Workers without a leader serve nobody, and keep nothing.

    Who waits for what they have may be the one that they wait for.
    """
    group = served.groups.get(turn.replica, ())
    now = () if is_leaderless(group) else turn.now
    return dataclasses.replace(turn, now=now, waits=True, moves=False)


def _late(found: Sequence[Turn], served: Served) -> set[int]:
    """Return which turns would take what another still has that waits, or that moves away.

    What several may share is nobody's alone: those who have it go on, and only as many others come
    as there is room for beside all who have it still.
    """
    staying = [turn for turn in found if turn.waits or turn.moves]
    held = {thing for turn in staying for thing in _things(turn.now)}
    going = {at: turn for at, turn in enumerate(found if held else ()) if not turn.waits}
    limits = {thing: limit for thing in held if (limit := _limit(thing, served)) > 1}
    crowded = _crowded(staying, going.values(), served, limits) if limits else set()
    exclusive = held - limits.keys()
    return {at for at, turn in going.items() if _takes(turn, exclusive, crowded)}


def _crowded(
    staying: Sequence[Turn], going: Iterable[Turn], served: Served, limits: Mapping[_Thing, int]
) -> set[_Thing]:
    """Return what of the shared things more engines would have than may, if all had their turn."""
    kept = [(seat.node, seat.engine) for id_ in served.kept for seat in [served.seated[id_]]]
    there = (kept, *(turn.now for turn in staying), *(turn.after for turn in going))
    having = Counter(thing for engines in there for thing in _things(engines))
    return {thing for thing, limit in limits.items() if having[thing] > limit}


def _takes(turn: Turn, exclusive: set[_Thing], crowded: set[_Thing]) -> bool:
    after = set(_things(turn.after))
    return bool(after & exclusive or (after & crowded) - set(_things(turn.now)))


def _limit(thing: _Thing, served: Served) -> int:
    """Return how many engines may have an accelerator, or a port, at a time."""
    node, what = thing
    return served.views[node].sharing.limit(what) if isinstance(what, str) else 1


def _turns(
    demand: Demand, served: Served, nodes: Mapping[str, InferenceNode], holding: Collection[str]
) -> Iterator[Turn]:
    ids = [id_ for id_ in (*demand.ids, *demand.surplus_ids) if id_ in served.outcomes]
    serving = {id_: seat for id_ in ids if (seat := served.serving(id_)) is not None}
    spare = len(serving) - _possible(demand, serving, served) + most_unavailable(demand.service)
    moving = max(1, most_unavailable(demand.service)) - sum(id_ in served.left for id_ in ids)
    for id_ in ids:
        outcome = served.outcomes[id_]
        group = served.groups.get(id_, ())
        now = tuple((seat.node, seat.engine) for seat in group)
        if not isinstance(outcome, Placed):
            if outcome.displaced is not None and outcome.displaced.by in holding:
                yield Turn(replica=id_, models=demand.models, now=now, after=(), waits=True)
            continue
        after = _after(outcome)
        there = [nodes[one.node] for one in outcome.members]
        old = _left_by(id_, outcome, served, serving.get(id_))
        if old is not None:
            has_turn = moving > 0 and all(_has_weights(one, demand.models) for one in there)
            goes = id_ in served.left or _is_urgent(old, served) or has_turn
            moving -= goes and id_ not in served.left
            now = ((old.node, old.engine),)
            yield Turn(
                replica=id_, models=demand.models, now=now, after=after, waits=not goes, moves=goes
            )
            continue
        is_free = (id_ not in served.outdated or id_ not in serving) and id_ not in holding
        is_free = is_free and not _follows(outcome, served)
        may_turn = spare > 0 or (spare == 0 and _must_go(group, outcome, demand, served))
        may_turn = may_turn and id_ in serving and not is_free
        if may_turn and all(_has_weights(one, demand.models) for one in there):
            is_free, spare = True, spare - 1
        yield Turn(replica=id_, models=demand.models, now=now, after=after, waits=not is_free)


def _possible(demand: Demand, serving: Mapping[str, Seat], served: Served) -> int:
    """Count the replicas that can be ready before others of theirs give anything up.

    What fits nowhere holds up no update of the rest: it would wait for ever. Nor does what is
    nowhere yet and shall have what one that serves gives up: each would wait for the other.
    """
    placed = {
        id_: outcome
        for id_ in demand.ids
        if isinstance(outcome := served.outcomes.get(id_), Placed)
    }
    nowhere = placed.keys() - served.groups.keys()
    if not nowhere:
        return len(placed)
    given_up = set[_Thing]()
    for id_ in placed.keys() & serving.keys():
        if _left_by(id_, placed[id_], served, serving[id_]) is None:
            there = ((seat.node, seat.engine) for seat in served.groups.get(id_, ()))
            given_up.update(set(_things(there)).difference(_things(_after(placed[id_]))))
    return len(placed) - sum(
        not given_up.isdisjoint(_things(_after(placed[id_]))) for id_ in nowhere
    )


def _after(outcome: Placed) -> tuple[tuple[str, AssignedEngine], ...]:
    return tuple((one.node, one.engine) for one in outcome.members)


def _left_by(id_: str, outcome: Placed, served: Served, old: Seat | None) -> Seat | None:
    """Return where a replica serves that shall serve on another node; groups go as one."""
    if old is None or old.node == outcome.node:
        return None
    is_alone = not outcome.workers and len(served.groups.get(id_, ())) == 1
    return old if is_alone else None


def _must_go(group: Sequence[Seat], outcome: Placed, demand: Demand, served: Served) -> bool:
    """Tell whether a replica leaves a node, or an accelerator, that drives it away.

    One at a time moves even where none may be missing: it may end at any moment where it is.
    """
    if most_unavailable(demand.service) > 0:
        return False
    tolerations = tolerations_of(demand.service)
    there = {(one.node, one.engine.accelerators) for one in outcome.members}
    left = (seat for seat in group if (seat.node, seat.engine.accelerators) not in there)
    for seat in left:
        view, asked = served.views[seat.node], seat.engine.resources
        if view.drives_away({*asked.limits, *asked.requests}, tolerations):
            return True
        devices = view.accelerators or ()
        if any(not one.healthy and one.uuid in seat.engine.accelerators for one in devices):
            return True
    return False


def _follows(outcome: Placed, served: Served) -> bool:
    """Tell whether others make way, for its tenant's limit, on nodes of which it takes nothing.

    They end first: of the writes of two nodes one may fail, and both would have what one may have.
    So do workers that wait for the end of their leader.
    """
    there = {one.node for one in outcome.members}
    groups = [group for id_ in outcome.displaced if (group := served.groups.get(id_))]
    return any(
        is_leaderless(group) or there.isdisjoint(seat.node for seat in group) for group in groups
    )


def _is_urgent(seat: Seat, served: Served) -> bool:
    leaving = served.views[seat.node].leaving
    return leaving is not None and leaving.is_urgent


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


def _things(engines: Iterable[tuple[str, AssignedEngine]]) -> Iterator[_Thing]:
    """Yield what one engine of a node can have, or a few: its accelerators and its port."""
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
