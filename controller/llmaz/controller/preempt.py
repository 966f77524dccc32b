"""Who makes way for a replica that has no place: as few as it needs, the least important first.

Within a tenant those of a lower priority do, and those of another tenant what that has borrowed
(tenants.py). Nobody makes way for its equal, groups go whole, and who has to go displaces nobody in
turn before the next decision.
"""

from collections.abc import Mapping

from llmaz.controller.board import Board, Standing, devices_of, parts_of
from llmaz.controller.demand import Demand, Option
from llmaz.controller.ledger import Ledger
from llmaz.controller.outcomes import Displacement, Placed, Unplaced
from llmaz.controller.refusals import is_runnable, why_not
from llmaz.controller.staying import Group
from llmaz.controller.taking import place_one
from llmaz.controller.tenants import Cause

_WAYS: Mapping[Cause, str] = {
    "priority": "has a higher priority",
    "quota": "is within the quota of its tenant",
    "share": "has a smaller share of what is idle",
}


class Displacing:
    """Finds places by displacing, and remembers for whom there is none in any case."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._hopeless: set[tuple[object, ...]] = set()

    def place(self, demand: Demand, id_: str, group: Group) -> Placed | None:
        """Place a replica where others make way for it, flavor by flavor; None: they may not."""
        board = self._board
        if not demand.priority.displaces or not self._may_displace_any(demand):
            return None
        for option in demand.options_of(id_):
            key = _key(demand, option, board)
            if not is_runnable(option) or key in self._hopeless:
                continue
            placed = self._after_remains(option, demand, id_, group)
            if placed is not None:
                return placed
            self._hopeless.add(key)
        return None

    def _may_displace_any(self, demand: Demand) -> bool:
        return self._board.usage.is_shared or self._board.least < demand.priority.value

    def _after_remains(
        self, option: Option, demand: Demand, id_: str, group: Group
    ) -> Placed | None:
        """Place a replica for which groups have made way already, as far as their leaders go.

        What is left of them waits for the end of the leader, and is in their tenant's account.
        """
        board = self._board
        freed = board.let_go(board.remains_below(demand))
        placed = place_one(board, demand, option, id_, group) if freed else None
        placed = placed or self._as(option, demand, id_, group)
        if placed is None:
            board.hold_again(freed)
            return None
        for one in freed:
            board.outcomes[one] = _made_way(id_, "priority")
        return board.mark(placed, tuple(sorted({*placed.displaced, *freed})))

    def _as(self, option: Option, demand: Demand, id_: str, group: Group) -> Placed | None:
        board, lifted = self._board, list[tuple[Standing, Cause]]()
        placed = None
        for one in board.standing():
            cause = self._may_displace(demand, option, one)
            if cause is None or not self._helps(option, one):
                continue
            board.lift(one)
            lifted.append((one, cause))
            if self._fits(option, demand, one):
                placed = place_one(board, demand, option, id_, group)
            if placed is not None:
                break
        else:
            for one, _ in reversed(lifted):
                board.restore(one)
            return None
        gone = [(one, cause) for one, cause in reversed(lifted) if not board.put_back(one)]
        for one, cause in gone:
            board.outcomes[one.id] = _made_way(id_, cause)
        return board.mark(placed, tuple(sorted(one.id for one, _ in gone)))

    def _may_displace(self, demand: Demand, option: Option, one: Standing) -> Cause | None:
        board = self._board
        path, other = board.path(demand), board.path(one.demand)
        if path == other:
            return "priority" if one.demand.priority.value < demand.priority.value else None
        if not board.usage.is_shared:
            return None
        return board.usage.may_claim(path, devices_of(option), other, devices_of(one.placed.option))

    def _helps(self, option: Option, one: Standing) -> bool:
        """Tell whether any node that a replica has is one that the flavor could use at all."""
        selected = self._board.fleet.selected(option)
        return any(
            node in selected and _could_hold(option, selected[node])
            for node, _, _ in parts_of(one.placed)
        )

    def _fits(self, option: Option, demand: Demand, one: Standing) -> bool:
        """Tell whether the place that was given up is worth a look for a new place."""
        fleet = self._board.fleet
        member = option.worker or option
        if self._board.usage.above_limit(self._board.path(demand), devices_of(option)):
            return False
        nodes = [node for node, _, _ in parts_of(one.placed) if node in fleet.selected(option)]
        return any(why_not(member, fleet.ledgers[node]) is None for node in nodes)


def _made_way(id_: str, cause: Cause) -> Unplaced:
    words = f"makes way for {id_}, which {_WAYS[cause]}"
    return Unplaced(reasons=(words,), displaced=Displacement(by=id_, cause=cause))


def _could_hold(option: Option, ledger: Ledger) -> bool:
    """Tell whether a node has the accelerators at all, whoever has them now."""
    if ledger.view.closed is not None:
        return False
    devices = ledger.view.accelerators or ()
    least = option.needs.device_memory
    return all(
        sum(
            device.healthy
            and device.resource == resource
            and (device.memory_bytes is None or device.memory_bytes >= least)
            for device in devices
        )
        >= count
        for resource, count in option.needs.devices.items()
    )


def _key(demand: Demand, option: Option, board: Board) -> tuple[object, ...]:
    """Return what another replica has in common with one for which there is no place either."""
    needs = option.needs
    return (
        board.path(demand),
        demand.priority.value,
        (option.selector, option.capacity),
        tuple(needs.devices.items()),
        (needs.cpu, needs.memory, needs.device_memory, needs.port, option.hosts),
        (needs.device_taken, needs.device_percent),
    )
