"""Replicas on their way from one node to another: the old one serves until the new one is ready.

An engine has the same id on both nodes meanwhile. Where it is to be is its home; the other is left
as soon as the home is ready. Which is which follows from what is seen: nothing is remembered.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from llmaz.controller.demand import Demand, Option, tolerations_of
from llmaz.controller.nodes import NodeView
from llmaz.controller.seats import Seat


@dataclass(frozen=True, slots=True, kw_only=True)
class Homes:
    """Where each engine is to be, and where those run that are not ready there yet."""

    seated: Mapping[str, Seat]
    left: Mapping[str, Seat]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """What placement has to know of replicas on their way.

    left: where those run that are not ready yet where they are seated
    back: the options that a replica may go back to, since it prefers them
    """

    left: Mapping[str, Seat] = field(default_factory=dict)
    back: Mapping[str, Sequence[Option]] = field(default_factory=dict)


def homes(
    seats: Mapping[str, Sequence[Seat]],
    demands: Mapping[str, Demand],
    views: Mapping[str, NodeView],
    slots: Collection[str] = (),
) -> Homes:
    """Tell the two places of an engine apart; `demands` are by the engines' ids.

    Home is where nothing drives it away; of two such places the one on the better flavor, if it may
    go back to that, else the one where it is ready, else the first by name. `slots` are the uids of
    the pods that live: an engine in any other is driven away, since it goes with its pod.
    """
    found: dict[str, list[Seat]] = {}
    for name in sorted(seats):
        for seat in seats[name]:
            found.setdefault(seat.engine.id, []).append(seat)
    seated, left = {}, {}
    for id_, places in found.items():
        demand = demands.get(id_)
        first, *others = (
            sorted(places, key=lambda seat: _preference(seat, demand, views, slots))  # at once
            if len(places) > 1
            else places
        )
        seated[id_] = first
        serving = [seat for seat in others if seat.is_ready and not views[seat.node].is_lost]
        if serving and not first.is_ready and first.engine.rank == 0:
            left[id_] = serving[0]
    return Homes(seated=seated, left=left)


def may_go_back(
    demand: Demand, seated: Mapping[str, Seat], views: Mapping[str, NodeView], now: datetime
) -> str | None:
    """Return the replica of a Service that may go to a flavor that is preferred, one at a time.

    Only while all of them are ready, so that no second one goes before the first has arrived.
    """
    rule = demand.service.spec.placement.move_back
    there = [seated.get(id_) for id_ in demand.ids]
    if rule is None or not all(seat is not None and seat.is_ready for seat in there):
        return None
    wait = timedelta(seconds=rule.after_seconds)
    for seat in there:
        since = seat.report.ready_at if seat is not None and seat.report is not None else None
        if seat is None or since is None or now - since < wait:
            continue
        if _order(seat, demand, views[seat.node]) > 0:
            return seat.engine.id
    return None


def better_options(demand: Demand, seat: Seat, view: NodeView) -> Sequence[Option]:
    """Return the options that are preferred to the one that an engine runs on."""
    return demand.options_of(seat.engine.id)[: _order(seat, demand, view)]


def _preference(
    seat: Seat, demand: Demand | None, views: Mapping[str, NodeView], slots: Collection[str]
) -> tuple[bool, int, bool, str]:
    view, order, may_stay = views[seat.node], 0, True
    if demand is not None and seat.engine.rank == 0:
        may_stay = _may_stay(seat, demand, view, slots)
        if demand.service.spec.placement.move_back is not None:
            order = _order(seat, demand, view)
    return not may_stay, order, not seat.is_ready, seat.node


def _may_stay(seat: Seat, demand: Demand, view: NodeView, slots: Collection[str]) -> bool:
    """Tell whether neither node, accelerators, flavor nor its pod drive an engine away."""
    engine = seat.engine
    asked = {*engine.resources.limits, *engine.resources.requests}
    if view.drives_away(asked, tolerations_of(demand.service)):
        return False
    if engine.slot is not None:  # the scheduler judges the rest
        return engine.slot.uid in slots and not view.is_cordoned
    if view.accelerators is not None:
        well = {device.uuid for device in view.accelerators if device.healthy}
        if not well.issuperset(engine.accelerators):
            return False
    return any(_suits(option, seat, view) for option in demand.options)


def _order(seat: Seat, demand: Demand, view: NodeView) -> int:
    """Return which of its options an engine runs on: the first that has its node and its count."""
    options = demand.options_of(seat.engine.id)
    for index, option in enumerate(options):
        is_priced = option.capacity in (None, view.capacity_type) or not view.is_labelled
        if is_priced and _suits(option, seat, view):
            return index
    return len(options)


def _suits(option: Option, seat: Seat, view: NodeView) -> bool:
    count = sum(option.needs.devices.values())
    return count == len(seat.engine.accelerators) and view.may_have(option.selector)
