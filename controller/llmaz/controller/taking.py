"""Takes room for replicas: for one, or for as many as a flavor's nodes have room for."""

from collections.abc import Iterator, Mapping

from llmaz.controller.board import Board, devices_of
from llmaz.controller.demand import Demand, Option
from llmaz.controller.devices import pick
from llmaz.controller.groups import has_begun, last_epoch, new_places
from llmaz.controller.ledger import Ledger
from llmaz.controller.outcomes import Placed
from llmaz.controller.ranks import Spot
from llmaz.controller.spread import spread
from llmaz.controller.staying import Group, placed_group


def place_one(
    board: Board, demand: Demand, option: Option, id_: str, group: Group
) -> Placed | None:
    """Place one replica on a flavor; `group` are the engines of it that are assigned now."""
    if board.usage.above_limit(board.path(demand), devices_of(option)) is not None:
        return None
    placed = None
    if option.worker is not None:
        spots = new_places(demand, option, board.fleet)
        if spots is not None:
            placed = _grouped(demand, id_, option, spots, group)
    else:
        fitting = (one for one in _tried(board, demand, option) if not one.shortage(option.needs))
        ledger = next(fitting, None)
        if ledger is not None:
            placed = _on(ledger, board, demand, option, id_, last_epoch(group))
    if placed is not None:
        board.settle(demand, placed)
    return placed


def place_many(
    board: Board, demand: Demand, option: Option, left: list[str], groups: Mapping[str, Group]
) -> None:
    """Place what is left, the last first, as long as there is room: node after node.

    Each node is the fullest until it has no more room, so that none is asked twice. Of replicas
    that are spread each node in turn gets one.
    """
    is_spread = demand.service.spec.placement.strategy == "spread"
    if option.worker is not None:
        while left and place_one(board, demand, option, left[-1], groups.get(left[-1], ())):
            left.pop()
        return
    path, devices = board.path(demand), devices_of(option)
    for ledger in _tried_on(board, demand, option) if left else ():
        while left and ledger.shortage(option.needs) is None:
            if board.usage.above_limit(path, devices) is not None:
                return
            id_ = left.pop()
            epoch = last_epoch(groups.get(id_, ()))
            board.settle(demand, _on(ledger, board, demand, option, id_, epoch))
            if is_spread:
                break
        if not left:
            return


def _grouped(
    demand: Demand, id_: str, option: Option, spots: tuple[Spot, ...], group: Group
) -> Placed:
    """Return a group in these places: at its next epoch, or at its own if that was half-assigned.

    Of the writes of its nodes one may have failed. Who has the others by then, and would keep them
    as they are, shall not begin twice.
    """
    last = last_epoch(group)
    same = placed_group(demand, id_, option, spots, last)
    members = {(one.node, one.engine.id): one.engine for one in same.members}
    is_kept = all(members.get((seat.node, seat.engine.id)) == seat.engine for seat in group)
    if group and is_kept and not has_begun(group):
        return same
    return placed_group(demand, id_, option, spots, last + 1)


def _tried(board: Board, demand: Demand, option: Option) -> Iterator[Ledger]:
    """Yield the nodes that may have room, the best first; for spread replicas again and again."""
    fitting = board.fleet.candidates(demand, option)
    if demand.service.spec.placement.strategy == "spread":
        return spread(fitting, board.own_nodes(demand))
    return fitting


def _tried_on(board: Board, demand: Demand, option: Option) -> Iterator[Ledger]:
    """Go on with a Service's nodes where the last of its replicas left off, if they are spread."""
    if demand.service.spec.placement.strategy != "spread":
        return _tried(board, demand, option)
    key = demand.prefix, option.flavor.name, option.capacity
    if key not in board.spreads:
        board.spreads[key] = _tried(board, demand, option)
    return board.spreads[key]


def _on(
    ledger: Ledger, board: Board, demand: Demand, option: Option, id_: str, epoch: int
) -> Placed:
    name, uuids = ledger.view.name, pick(option, ledger)
    board.fleet.take(name, option.needs, uuids)
    engine = demand.engine(id_, option, uuids, epoch=epoch)
    return Placed(node=name, option=option, engine=engine)
