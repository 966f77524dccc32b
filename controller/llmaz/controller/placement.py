"""Replicas x nodes -> where each replica runs, or why it can't.

All replicas and all nodes are seen at once. What is placed and still legal stays, unless its node
or accelerator drives it away and there is room elsewhere, or a more important replica needs its
place. The rest goes, the most important first, and of equals groups that are on their way before
others, flavor by flavor in order of preference, to a node that has the weights, then to the fullest
one, then to the first by name. The same snapshot always gives the same answer.
"""

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from llmaz.api.fingerprint import but_for_epoch
from llmaz.api.node import AssignedEngine
from llmaz.controller.board import Board, devices_asked, in_order
from llmaz.controller.demand import Demand, Option
from llmaz.controller.groups import groups_of, is_leaderless, is_serving
from llmaz.controller.lingering import linger, relocate, stand_as_it_is
from llmaz.controller.moves import Moves
from llmaz.controller.nodes import needs_of
from llmaz.controller.outcomes import Outcome, Placed, Unplaced
from llmaz.controller.preempt import Displacing
from llmaz.controller.refusals import is_runnable, unplaced
from llmaz.controller.seats import Seat
from llmaz.controller.staying import Group, is_driven, stay, stays, why_driven
from llmaz.controller.taking import place_many, place_one


def place(
    demands: Sequence[Demand],
    board: Board,
    seated: Mapping[str, Seat],
    kept: Collection[str],
    moves: Moves,
) -> dict[str, Outcome]:
    """Return an outcome for the engine id of every replica; nobody stands on the board yet.

    `seated` are the engines as assigned now. Those in `kept` stay as they are whatever happens:
    nothing is known of what they shall be.
    """
    for id_ in sorted(kept):
        _keep(seated[id_], board)
    for _, seat in sorted(moves.left.items()):
        board.reserve(seat)
    groups = groups_of(seated)
    board.remember({**groups, **{id_: (seat,) for id_, seat in moves.left.items()}})
    waiting: list[tuple[Demand, list[str]]] = []
    surpluses: list[tuple[Demand, list[str]]] = []
    for demand in sorted(demands, key=lambda demand: demand.prefix):
        stays(demand, demand.ids, groups, board)
        surplus = demand.surplus_ids if _is_updating(demand, seated, board.outcomes) else ()
        stays(demand, surplus, groups, board)
        homeless = [id_ for id_ in demand.ids if id_ not in board.outcomes]
        broken = [id_ for id_ in homeless if is_leaderless(groups.get(id_, ()))]
        waiting.append((demand, broken))
        waiting.append((demand, [id_ for id_ in homeless if id_ not in broken]))
        surpluses.append((demand, [id_ for id_ in surplus if id_ not in board.outcomes]))
    driven = _keep_rooms(waiting, surpluses, groups, board)
    _count_ending(demands, groups, kept, board)
    displacing = Displacing(board)
    for demand, ids in in_order(waiting, board):
        _place_new(demand, ids, groups, board, displacing)
    if any(isinstance(board.outcomes.get(id_), Placed) for id_ in driven):
        _displace_driven(waiting, groups, board)
    for demand, ids in in_order(surpluses, board):
        _place_new(demand, ids, groups, board, None)
    for demand in demands:
        for id_ in demand.ids if moves.back else ():
            _go_back(id_, demand, moves.back.get(id_, ()), groups, board)
    return board.outcomes


def _keep_rooms(
    waiting: Sequence[tuple[Demand, list[str]]],
    surpluses: Sequence[tuple[Demand, list[str]]],
    groups: Mapping[str, Group],
    board: Board,
) -> set[str]:
    """Keep what those have that look for another place; return the groups that are driven away."""
    driven = set[str]()
    for demand, ids in waiting:
        driven.update(_reserve_driven(demand, ids, groups, board))
        for id_ in ids:
            stand_as_it_is(demand, groups.get(id_, ()), board)
    for demand, ids in (*waiting, *surpluses):
        fresh = [id_ for id_ in ids if id_ not in board.outcomes]  # what stands is counted
        board.hold(demand, {id_: groups[id_] for id_ in fresh if id_ in groups})
    return driven


def _count_ending(
    demands: Iterable[Demand],
    groups: Mapping[str, Group],
    kept: Collection[str],
    board: Board,
) -> None:
    """Let tenants use what groups have that are wanted no more: their workers end after the leader.

    So their accelerators are not another's of the same tenant until then.
    """
    if not board.usage.is_shared:
        return
    wanted = {id_ for demand in demands for id_ in (*demand.ids, *demand.surplus_ids)}
    for id_, group in groups.items():
        is_kept = any(seat.engine.id in kept for seat in group)
        if id_ not in wanted and not is_kept and group[-1].engine.rank:
            path = board.usage.tree.path(group[0].engine.namespace)
            board.usage.add(path, devices_asked(seat.engine for seat in group))


def _reserve_driven(
    demand: Demand, ids: Sequence[str], groups: Mapping[str, Group], board: Board
) -> Iterator[str]:
    """Keep the room of replicas that are driven away: they serve until they have moved.

    Nodes drive away, and accelerators that are not well what is alone. A group with a member on a
    lost node serves nobody, and has nothing to keep. Yields who may make way for others.
    """
    for id_, group in ((id_, groups[id_]) for id_ in ids if id_ in groups):
        is_lost = any(board.fleet.ledgers[seat.node].view.is_lost for seat in group)
        if len(group) > 1 and is_lost:
            continue
        driven = any(is_driven(seat, board.fleet, demand) for seat in group)
        is_sick = len(group) == 1 and group[0].is_ready and not board.is_well(group[0])
        if driven or is_sick:
            for seat in group:
                board.reserve(seat)
            if is_sick or len(group) > 1:
                yield id_


def _displace_driven(
    waiting: Sequence[tuple[Demand, list[str]]], groups: Mapping[str, Group], board: Board
) -> None:
    """Let those make way, as others do, that are driven away and have nowhere to go.

    Their room was kept until they had looked for another. What groups have on nodes that drive
    nothing away, and others beside a sick accelerator, is of use to who is more important, and
    found no place before.
    """
    homeless = [
        (demand, [id_ for id_ in ids if isinstance(board.outcomes.get(id_), Unplaced)])
        for demand, ids in waiting
    ]
    displacing = Displacing(board)
    for demand, ids in in_order([one for one in homeless if one[1]], board):
        for id_ in ids:
            displacing.place(demand, id_, groups.get(id_, ()))


def _go_back(
    id_: str,
    demand: Demand,
    options: Sequence[Option],
    groups: Mapping[str, Group],
    board: Board,
) -> None:
    """Let a replica go to an option that it prefers, where there is room by now.

    The room where it is stays its own: it serves there until it is ready elsewhere.
    """
    here = board.outcomes.get(id_)
    for option in options:
        if option.worker is None and isinstance(here, Placed) and is_runnable(option):
            there = place_one(board, demand, option, id_, groups.get(id_, ()))
            if there is not None and there.node != here.node:
                return
            board.outcomes[id_] = here


def _keep(seat: Seat, board: Board) -> None:
    engine = seat.engine
    board.fleet.take(seat.node, needs_of(engine), engine.accelerators)
    board.usage.add(board.usage.tree.path(engine.namespace), devices_asked([engine]))


def _is_updating(
    demand: Demand, seated: Mapping[str, Seat], outcomes: Mapping[str, Outcome]
) -> bool:
    """Tell whether replicas in excess are of use: until the last one of the others is replaced."""
    there = [seated[id_] for id_ in demand.ids if id_ in seated]
    after = (outcomes.get(seat.engine.id) for seat in there)
    if any(
        isinstance(outcome, Placed) and _is_changed(outcome.engine, seat.engine)
        for seat, outcome in zip(there, after, strict=True)
    ):
        return True
    has_begun = any(id_ in seated for id_ in demand.surplus_ids)
    return has_begun and not all(seat.is_ready for seat in there)


def _is_changed(engine: AssignedEngine, now: AssignedEngine) -> bool:
    """Tell whether an engine shall be another; a group that starts anew is the same."""
    if engine is now or engine == now:
        return False
    return but_for_epoch(engine) != but_for_epoch(now)


def _place_new(
    demand: Demand,
    ids: Sequence[str],
    groups: Mapping[str, Group],
    board: Board,
    displacing: Displacing | None,
) -> None:
    """Place what is nowhere yet, flavor by flavor.

    What finds no room stays where it was, if it may, before it displaces anybody.
    """
    for alike in _alike(demand, ids, groups):
        board.let_go(alike)
        options = demand.options_of(alike[0])
        fresh = [
            id_
            for id_ in alike
            if not relocate(demand, id_, groups.get(id_, ()), board, displacing)
        ]
        left = [id_ for id_ in reversed(fresh) if not _regroup(id_, demand, groups, board)]
        for option in options:
            if is_runnable(option):
                place_many(board, demand, option, left, groups)
        why: Unplaced | None = None
        for id_ in reversed(left):
            group = groups.get(id_, ())
            if _has_place(id_, demand, group, board):
                driven = why_driven(group, board.fleet, demand)
                if driven and _is_where_it_was(id_, group, board):
                    why = why or unplaced(demand, options, board)
                    _strand(id_, (driven, *why.reasons), board)
                continue
            if displacing is None or displacing.place(demand, id_, group) is None:
                why = why or unplaced(demand, options, board)
                if not linger(demand, group, board, why):
                    board.outcomes[id_] = why


def _has_place(id_: str, demand: Demand, group: Group, board: Board) -> bool:
    """Place a replica that found none beside what it has: partly there, else where it is."""
    kept = [seat for seat in group if board.release(seat)]
    for option in demand.options_of(id_) if kept else ():
        if is_runnable(option) and place_one(board, demand, option, id_, group):
            return True
    return stay(demand, group, board) is not None


def _is_where_it_was(id_: str, group: Group, board: Board) -> bool:
    outcome = board.outcomes[id_]
    assert isinstance(outcome, Placed)
    return [one.node for one in outcome.members] == [seat.node for seat in group]


def _strand(id_: str, reasons: tuple[str, ...], board: Board) -> None:
    """Say of a replica that is driven away why it stays."""
    here = board.outcomes[id_]
    assert isinstance(here, Placed)
    board.outcomes[id_] = dataclasses.replace(here, stranded=reasons)


def _regroup(id_: str, demand: Demand, groups: Mapping[str, Group], board: Board) -> bool:
    """Place a group that is driven away, if it has room beside or on what was kept for it.

    It can't serve on both sides meanwhile as an engine that is alone does: it goes as one.
    """
    group = groups.get(id_, ())
    kept = [seat for seat in group if board.release(seat)] if len(group) > 1 else []
    for option in demand.options_of(id_) if kept else ():
        if is_runnable(option) and place_one(board, demand, option, id_, group):
            return True
    for seat in kept:
        board.reserve(seat)
    return False


def _alike(
    demand: Demand, ids: Sequence[str], groups: Mapping[str, Group]
) -> Iterator[Sequence[str]]:
    """Yield the replicas that may run on the same machines; groups that serve come last.

    They end before they start elsewhere. What they give up is nobody's until then, and would keep
    a sibling waiting for whose readiness they may wait themselves.
    """
    capacity = demand.service.spec.placement.capacity
    base = capacity.base if capacity is not None else 0
    parts: dict[tuple[bool, bool], list[str]] = {}
    for id_ in ids:
        group = groups.get(id_, ())
        is_surplus = int(id_.removeprefix(demand.prefix)) >= base
        part = is_surplus, len(group) > 1 and is_serving(group)
        parts.setdefault(part, []).append(id_)
    yield from (parts[part] for part in sorted(parts))
