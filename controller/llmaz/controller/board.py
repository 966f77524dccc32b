"""The state of placing: what is left of every node, what tenants use, and who stands where."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from llmaz.api.node import AssignedEngine
from llmaz.controller.demand import Demand, Needs, Option
from llmaz.controller.fleet import Fleet
from llmaz.controller.groups import is_leaderless
from llmaz.controller.ledger import Ledger
from llmaz.controller.memo import Memo
from llmaz.controller.nodes import NodeView, needs_of
from llmaz.controller.outcomes import Outcome, Placed
from llmaz.controller.seats import Seat
from llmaz.controller.tenants import Devices, Path, Tree, Usage

Claim: TypeAlias = tuple[Path, Devices]  # what a tenant uses


@dataclass(frozen=True, slots=True)
class Standing:
    """One replica that has a place."""

    demand: Demand
    placed: Placed

    @property
    def id(self) -> str:
        return self.placed.engine.id

    @property
    def rank(self) -> tuple[int, bool, int, str]:
        """What orders those that may have to make way: the least important first.

        Of equals replicas in excess go first, then those with the highest numbers.
        """
        prefix = self.demand.prefix
        index = int(self.id.removeprefix(prefix))
        return self.demand.priority.value, index < self.demand.replicas, -index, prefix


class Board:
    """It is mutable, and never leaves the placing that it serves."""

    def __init__(self, views: Mapping[str, NodeView], tenants: Tree, memo: Memo) -> None:
        self.fleet = Fleet(views)
        self.usage = Usage(tenants, capacity_of(self.fleet))
        self.memo = memo
        self.outcomes: dict[str, Outcome] = {}
        self.spreads: dict[tuple[str, str, str | None], Iterator[Ledger]] = {}
        self._reserved: set[tuple[str, str]] = set()  # nodes and engines
        self._held: dict[str, Claim] = {}  # what tenants use, by replica
        self._broken: dict[str, int] = {}  # priorities of those of them that have lost their leader
        self._had: Mapping[str, Sequence[Seat]] = {}  # where replicas are, by their ids
        self._counted: dict[str, Devices] = {}  # what their tenants use by those that stand
        self._demands: dict[str, Demand] = {}  # of those that stand, by id
        self._important: Counter[int] = Counter()  # priorities of those that stand

    def path(self, demand: Demand) -> Path:
        return self.usage.tree.path(demand.service.metadata.namespace or "")

    def reserve(self, seat: Seat) -> None:
        """Keep what an engine has where it runs, until it runs where it shall, or for good."""
        ledger, engine, needs = self.fleet.ledgers[seat.node], seat.engine, needs_of(seat.engine)
        if ledger.has_room_again(needs, engine.accelerators):
            self.fleet.take(seat.node, needs, engine.accelerators)
            self._reserved.add((seat.node, engine.id))

    def release(self, seat: Seat) -> bool:
        """Give up what was kept for an engine; tell whether anything was."""
        if (seat.node, seat.engine.id) not in self._reserved:
            return False
        self.fleet.give_back(seat.node, needs_of(seat.engine), seat.engine.accelerators)
        self._reserved.remove((seat.node, seat.engine.id))
        return True

    def remember(self, had: Mapping[str, Sequence[Seat]]) -> None:
        """Note where replicas are: each may have to wait until its turn comes to be another.

        Until then its tenant uses the more of what it has and of what it shall have. Else another
        would get what it is about to give up, and the tenant would pass its limit for so long.
        """
        self._had = had

    def has_been(self, id_: str) -> bool:
        """Tell whether a replica is somewhere, of those that were noted."""
        return id_ in self._had

    def is_leaderless(self, id_: str) -> bool:
        """Tell whether a replica is a group of which only workers are left."""
        return is_leaderless(self._had.get(id_, ()))

    def hold(self, demand: Demand, groups: Mapping[str, Sequence[Seat]]) -> None:
        """Count what replicas have that shall be elsewhere, until it is their turn.

        Where there is no room for them they stay, and what they have is not another's to use. A
        group may have lost its leader, so that none of its engines has the replica's own id.
        """
        for id_, group in groups.items() if self.usage.is_shared else ():
            held = self._held[id_] = self.path(demand), devices_asked(one.engine for one in group)
            self.usage.add(*held)
            if is_leaderless(group):
                self._broken[id_] = demand.priority.value

    def let_go(self, ids: Iterable[str]) -> Mapping[str, Claim]:
        """Count no more what these replicas have: it is their turn. Return what they had."""
        gone = {id_: self._held.pop(id_) for id_ in ids if id_ in self._held}
        for path, devices in gone.values():
            self.usage.add(path, devices, -1)
        return gone

    def hold_again(self, claims: Mapping[str, Claim]) -> None:
        """Count what these replicas have as before."""
        for path, devices in claims.values():
            self.usage.add(path, devices)
        self._held |= claims

    def remains_below(self, demand: Demand) -> tuple[str, ...]:
        """Return the groups without a leader of its tenant that count and are less important."""
        path, least = self.path(demand), demand.priority.value
        return tuple(
            id_
            for id_, value in sorted(self._broken.items())
            if value < least and id_ in self._held and self._held[id_][0] == path
        )

    def settle(self, demand: Demand, placed: Placed) -> None:
        """Note who has a place; the nodes know of it already."""
        self._counted[placed.engine.id] = self._used_by(placed)
        self.usage.add(self.path(demand), self._counted[placed.engine.id])
        self.outcomes[placed.engine.id] = placed
        self._demands[placed.engine.id] = demand
        self._important[demand.priority.value] += 1

    def lift(self, standing: Standing) -> None:
        """Take a replica off its place, as if it had none."""
        for node, needs, uuids in parts_of(standing.placed):
            self.fleet.give_back(node, needs, uuids)
        self._forget(standing)

    def put_back(self, standing: Standing) -> bool:
        """Give a replica its place again if nobody took it, or took what its tenant may use."""
        if self.usage.above_limit(self.path(standing.demand), devices_of(standing.placed.option)):
            return False
        return self.restore(standing)

    def restore(self, standing: Standing) -> bool:
        """Give a replica its place again if nobody took it; a limit may be lower than what runs."""
        return self.stand(standing.demand, standing.placed)

    def stand(self, demand: Demand, placed: Placed) -> bool:
        """Let a replica have this very place if nobody else has it."""
        parts = list(parts_of(placed))
        ledgers = self.fleet.ledgers
        if not all(ledgers[node].has_room_again(needs, uuids) for node, needs, uuids in parts):
            return False
        for node, needs, uuids in parts:
            self.fleet.take(node, needs, uuids)
        self.settle(demand, placed)
        return True

    def is_well(self, seat: Seat) -> bool:
        """Tell whether all accelerators of an engine are there and well, as far as is known."""
        ledger = self.fleet.ledgers[seat.node]
        return ledger.view.accelerators is None or ledger.has_well(seat.engine.accelerators)

    def standing(self) -> list[Standing]:
        """Return all that have a place and are known, the least important first."""
        found = (
            Standing(demand, placed)
            for id_, demand in self._demands.items()
            if isinstance(placed := self.outcomes[id_], Placed)
        )
        return sorted(found, key=lambda one: one.rank)

    def outranked(self, demand: Demand) -> int:
        """Count the replicas that have a place and a higher priority."""
        least = demand.priority.value
        return sum(count for value, count in self._important.items() if value > least)

    def own_nodes(self, demand: Demand) -> Counter[str]:
        """Count the replicas of a Service by their nodes."""
        ids = (*demand.ids, *demand.surplus_ids)
        found = (self.outcomes.get(id_) for id_ in ids)
        return Counter(one.node for one in found if isinstance(one, Placed))

    @property
    def least(self) -> int:
        """The lowest priority of those that have a place; that of nobody is beyond all."""
        return min((value for value, count in self._important.items() if count), default=2**31)

    def mark(self, placed: Placed, displaced: tuple[str, ...]) -> Placed:
        """Note who makes way for a replica that has just got its place."""
        marked = dataclasses.replace(placed, displaced=displaced)
        self.outcomes[placed.engine.id] = marked
        return marked

    def _used_by(self, placed: Placed) -> Devices:
        """Return what a replica may have until it is what it shall be."""
        shall, had = devices_of(placed.option), self._had.get(placed.engine.id, ())
        if not self.usage.is_shared or all(seat.engine is placed.engine for seat in had):
            return shall
        has = devices_asked(seat.engine for seat in had)
        return {
            resource: max(shall.get(resource, 0), has.get(resource, 0))
            for resource in sorted({*shall, *has})
        }

    def _forget(self, standing: Standing) -> None:
        self.usage.add(self.path(standing.demand), self._counted.pop(standing.id), -1)
        self._important[standing.demand.priority.value] -= 1
        del self.outcomes[standing.id], self._demands[standing.id]


def parts_of(placed: Placed) -> Iterator[tuple[str, Needs, tuple[str, ...]]]:
    """Yield what a replica takes of each of its nodes."""
    option = placed.option
    yield placed.node, option.needs, placed.engine.accelerators
    for member in placed.workers:
        needs = option.worker.needs if option.worker is not None else option.needs
        yield member.node, needs, member.engine.accelerators


def devices_of(option: Option) -> Devices:
    """Return the accelerators that a replica takes in all."""
    if option.hosts == 1:
        return option.needs.devices
    return {resource: count * option.hosts for resource, count in option.needs.devices.items()}


def devices_asked(engines: Iterable[AssignedEngine]) -> Devices:
    """Return the accelerators that engines ask for as they are assigned."""
    total: Counter[str] = Counter()
    for engine in engines:
        asked = {**engine.resources.limits, **engine.resources.requests}
        total.update({name: int(count) for name, count in asked.items() if "/" in name})
    return total


def capacity_of(fleet: Fleet) -> Mapping[str, int]:
    """Return the accelerators of all nodes that are well, each as often as it is shared."""
    total: Counter[str] = Counter()
    for ledger in fleet.ledgers.values():
        for device in ledger.view.accelerators or ():
            replicas = ledger.view.sharing.devices.get(device.uuid, 1)
            total[device.resource] += replicas if device.healthy else 0
    return total


def in_order(
    waiting: Sequence[tuple[Demand, list[str]]], board: Board
) -> Iterator[tuple[Demand, list[str]]]:
    """Yield who gets a place next: by priority, then by name; each with all its replicas.

    Of equals groups that are on their way come first: what they have given up already, before they
    are elsewhere, is not for others.

    Where tenants share, it is one replica of the tenant whose share would be the smallest. A
    replica that found no place takes the others of its Service out of the queue with it, but for
    those that are somewhere: where there is no room for them they may stay.
    """
    queue = sorted(waiting, key=lambda one: _place_in_queue(one[0], one[1], board))
    if not board.usage.is_shared:
        yield from queue
        return
    queues: dict[Path, list[tuple[Demand, list[str]]]] = {}
    for demand, ids in reversed(queue):
        if ids:
            queues.setdefault(board.path(demand), []).append((demand, list(reversed(ids))))
    while queues:
        path = min(queues, key=lambda path: (_turn(path, queues[path][-1][0], board), path))
        demand, ids = queues[path][-1]
        id_ = ids.pop()
        yield demand, [id_]
        if not isinstance(board.outcomes.get(id_), Placed):
            why = board.outcomes[id_]
            fresh = [one for one in ids if not board.has_been(one)]
            board.outcomes |= {one: why for one in fresh if one not in board.outcomes}
            ids[:] = [one for one in ids if board.has_been(one)]
        if not ids:
            queues[path].pop()
            if not queues[path]:
                del queues[path]


def _place_in_queue(demand: Demand, ids: list[str], board: Board) -> tuple[int, bool, str]:
    is_on_its_way = any(map(board.is_leaderless, ids))
    return -demand.priority.value, not is_on_its_way, demand.prefix


def _turn(path: Path, demand: Demand, board: Board) -> tuple[float, ...]:
    return board.usage.turn(path, devices_of(demand.options[0]))
