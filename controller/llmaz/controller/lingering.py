"""Replicas that serve where no flavor allows them any more: an edit or a label has taken it away.

They go elsewhere as replicas do that move. One that has nowhere to go stays as it is until there is
room: an edit ends nothing that nothing takes the place of. It counts as placed, so that who is more
important may take its place.
"""

import dataclasses

from llmaz.api.node import AssignedEngine
from llmaz.controller.board import Board, Standing
from llmaz.controller.demand import Demand, Needs, Option
from llmaz.controller.flavors import ANY
from llmaz.controller.groups import is_serving
from llmaz.controller.nodes import needs_of
from llmaz.controller.outcomes import Placed, Unplaced
from llmaz.controller.preempt import Displacing
from llmaz.controller.refusals import is_runnable, unplaced
from llmaz.controller.staying import Group, is_driven
from llmaz.controller.taking import place_one

_BEHIND = "others of its tenant wait as well"  # where nobody looked further


def stand_as_it_is(demand: Demand, group: Group, board: Board) -> bool:
    """Let a replica stand where it serves if its node and its accelerators let it.

    One of a Service that asks for none sleeps or stops: it need not go on for want of another.
    """
    may_linger = not demand.resting and is_serving(group)
    may_linger = may_linger and all(
        board.is_well(seat) and not is_driven(seat, board.fleet, demand) for seat in group
    )
    return may_linger and board.stand(demand, _as_it_is(group))


def linger(demand: Demand, group: Group, board: Board, why: Unplaced) -> bool:
    """Leave a replica where it serves, though its node drives it away, since it has nowhere to go.

    On a node that is lost nobody knows whether it serves.
    """
    if demand.resting or not is_serving(group) or not all(map(board.is_well, group)):
        return False
    if any(board.fleet.ledgers[seat.node].view.is_lost for seat in group):
        return False
    here = dataclasses.replace(_as_it_is(group), lingers=why.reasons)
    return board.stand(demand, here)


def relocate(
    demand: Demand, id_: str, group: Group, board: Board, displacing: Displacing | None
) -> bool:
    """Place a replica that lingers elsewhere if there is room, else leave it where it is.

    Return whether it is one: also when another has taken its place by now.
    """
    here = board.outcomes.get(id_)
    if not isinstance(here, Placed):
        return here is not None
    board.lift(Standing(demand, here))
    options = demand.options_of(id_)
    runnable = [option for option in options if is_runnable(option)]
    if any(place_one(board, demand, option, id_, group) is not None for option in runnable):
        return True
    if displacing is None or displacing.place(demand, id_, group) is None:
        board.stand(demand, here)
        why = unplaced(demand, options, board)
        board.outcomes[id_] = dataclasses.replace(here, lingers=why.reasons)
    return True


def _as_it_is(group: Group) -> Placed:
    """Return the place of a replica that stays though no flavor allows it there."""
    leader, *workers = (
        Placed(node=seat.node, option=_option_as_it_is(group), engine=seat.engine) for seat in group
    )
    return dataclasses.replace(leader, workers=tuple(workers), lingers=(_BEHIND,))


def _option_as_it_is(group: Group) -> Option:
    leader, *workers = (
        Option(
            flavor=ANY,
            resources=seat.engine.resources,
            env=seat.engine.env,
            needs=_needs_as_it_is(seat.engine),
            hosts=len(group),
        )
        for seat in group
    )
    return dataclasses.replace(leader, worker=workers[0] if workers else None)


def _needs_as_it_is(engine: AssignedEngine) -> Needs:
    asked = {**engine.resources.limits, **engine.resources.requests}
    devices = {name: int(count) for name, count in sorted(asked.items()) if "/" in name}
    return dataclasses.replace(needs_of(engine), devices=devices)
