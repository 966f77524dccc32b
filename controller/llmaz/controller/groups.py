"""Where the members of a group run: all of them or none, each on a node of its own.

A group that is placed and legal stays. When one of its members has ended, all of them start anew
where they are, as the group's next epoch: what is left of a broken group can't serve, and often
hangs.
"""

from collections.abc import Iterator, Mapping, Sequence

from llmaz.api import names
from llmaz.api.fingerprint import fingerprint
from llmaz.api.node import EnginePhase
from llmaz.controller.demand import Demand, Option
from llmaz.controller.devices import pick
from llmaz.controller.fleet import Fleet
from llmaz.controller.ledger import Ledger
from llmaz.controller.peers import RACKS, ZONE
from llmaz.controller.ranks import Spot, leader_id
from llmaz.controller.seats import Seat
from llmaz.controller.shortage import Lack, Shortage

# Members talk all the time: those of one NVLink domain are nearer than those of one rack.
_NEAREST_FIRST = ("nvidia.com/gpu.clique", *RACKS, ZONE)


def groups_of(seated: Mapping[str, Seat]) -> dict[str, tuple[Seat, ...]]:
    """Return the seats of every replica by the id of its leader, in order of their ranks."""
    found: dict[str, list[Seat]] = {}
    for id_ in sorted(seated):
        found.setdefault(leader_id(id_), []).append(seated[id_])
    return {
        leader: tuple(sorted(seats, key=lambda seat: seat.engine.rank))
        for leader, seats in found.items()
    }


def is_leaderless(group: Sequence[Seat]) -> bool:
    """Tell whether only workers are left: they end after their leader, wherever the group goes."""
    return bool(group) and group[0].engine.rank > 0


def last_epoch(group: Sequence[Seat]) -> int:
    """Return the highest epoch that any of these engines was assigned or still runs; 0 for none."""
    return max((max(seat.engine.epoch, _running_epoch(seat)) for seat in group), default=0)


def epoch_of(group: Sequence[Seat]) -> int:
    """Return the epoch that a group shall run at where it is: the next, when a member has ended.

    The end of one that is still to be told of the last epoch has brought that epoch about. A member
    whose node still runs a later one would never start: who ended a group and asks for it again, in
    between of which its agent saw nothing, has counted anew.
    """
    last = last_epoch(group)
    has_ended = any(_has_ended(seat) for seat in group if seat.engine.epoch == last)
    is_behind = any(seat.engine.epoch < _running_epoch(seat) for seat in group)
    return last + (has_ended or is_behind)


def epoch_alone(group: Sequence[Seat]) -> int:
    """Return the epoch of an engine that is alone: none, unless it was one of a group before.

    Then its agent waits for the next one when it ends, as it does with a member of a group.
    """
    return epoch_of(group) if last_epoch(group) else 0


def has_begun(group: Sequence[Seat]) -> bool:
    """Tell whether any agent says of a member that it knows of the last epoch."""
    last = last_epoch(group)
    told = ((seat.engine, seat.report) for seat in group if seat.report is not None)
    return any(
        report.epoch >= last or report.fingerprint == fingerprint(engine) for engine, report in told
    )


def is_serving(group: Sequence[Seat]) -> bool:
    """Tell whether every member is there and ready: what is left of a group can't answer."""
    if not group or not all(seat.is_ready for seat in group):
        return False
    told = (env.value for env in group[0].engine.env if env.name == names.LWS_GROUP_SIZE)
    return [seat.engine.rank for seat in group] == list(range(int(next(told, "1"))))


def staying(option: Option, group: Sequence[Seat], fleet: Fleet) -> tuple[Spot, ...] | None:
    """Return the places of a group that is whole, as they are."""
    nodes = {seat.node for seat in group}
    ranks = [seat.engine.rank for seat in group]
    if ranks != list(range(option.hosts)) or len(nodes) != option.hosts:
        return None
    return tuple(
        Spot(
            node=seat.node,
            address=fleet.ledgers[seat.node].view.address or _was(seat),
            accelerators=seat.engine.accelerators,
        )
        for seat in group
    )


def new_places(demand: Demand, option: Option, fleet: Fleet) -> tuple[Spot, ...] | None:
    """Return places for all members, the leader's first, and take them; None without enough.

    The nearest nodes that fit are taken together, though others might be fuller.
    """
    assert option.worker is not None
    fitting = list(_fitting(demand, option.worker, fleet))
    for near in _neighbourhoods(fitting):
        if len(near) < option.hosts:
            continue
        leader = next((one for one in near if one.shortage(option.needs) is None), None)
        if leader is not None:
            workers = [one for one in near if one is not leader][: option.hosts - 1]
            return (
                _taken(option, leader, fleet),
                *(_taken(option.worker, ledger, fleet) for ledger in workers),
            )
    return None


def refusal(option: Option, fleet: Fleet) -> str:
    """Say how many nodes fit of how many a group needs, before what the others are short of."""
    assert option.worker is not None
    fits = sum(
        ledger.view.closed is None and _shortage(option.worker, ledger) is None
        for ledger in fleet.selected(option).values()
    )
    apart = ", but not in one zone" if fits >= option.hosts else ""
    return f"a group takes {option.hosts} nodes, and {fits} of {len(fleet.ledgers)} fit{apart}"


def short_of(option: Option, ledger: Ledger) -> Shortage | None:
    """Say why no member of a group goes to a node; None where one does."""
    assert option.worker is not None
    closed = ledger.view.closed
    return Shortage.of(Lack.CLOSED, closed) if closed else _shortage(option.worker, ledger)


def _has_ended(seat: Seat) -> bool:
    """Tell whether a member waits for its group's next epoch.

    One that failed for good ends no group again and again: its assignment has to change.
    """
    report = seat.report
    if report is None or report.phase is not EnginePhase.BACKOFF:
        return False
    return report.fingerprint == fingerprint(seat.engine)


def _running_epoch(seat: Seat) -> int:
    return seat.report.epoch if seat.report is not None else 0


def _fitting(demand: Demand, option: Option, fleet: Fleet) -> Iterator[Ledger]:
    for ledger in fleet.candidates(demand, option):
        if _shortage(option, ledger) is None:
            yield ledger


def _shortage(option: Option, ledger: Ledger) -> Shortage | None:
    if not ledger.view.address:
        return Shortage.of(Lack.UNREPORTED, "has not reported its address")
    return ledger.shortage(option.needs)


def _neighbourhoods(fitting: Sequence[Ledger]) -> Iterator[list[Ledger]]:
    """Yield the nodes of each NVLink domain, of each rack, of each zone, then those of no zone.

    No group spans zones: what members say to each other all the time would be slow, and cost. Racks
    often have the same names in every zone.
    """
    for label in _NEAREST_FIRST:
        found: dict[tuple[str, str], list[Ledger]] = {}
        for ledger in fitting:
            labels = ledger.view.labels
            if value := labels.get(label):
                found.setdefault((labels.get(ZONE, ""), value), []).append(ledger)
        yield from found.values()
    yield [ledger for ledger in fitting if not ledger.view.labels.get(ZONE)]


def _taken(option: Option, ledger: Ledger, fleet: Fleet) -> Spot:
    """Take the part of a node that a member needs."""
    uuids = pick(option, ledger)
    spot = Spot(node=ledger.view.name, address=ledger.view.address, accelerators=uuids)
    fleet.take(ledger.view.name, option.needs, uuids)
    return spot


def _was(seat: Seat) -> str:
    """Return the address that a member was told of its node, which may not report it just now."""
    told = (env.value for env in seat.engine.env if env.name == names.NODE_ADDRESS)
    return next(told, "")
