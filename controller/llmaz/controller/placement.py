"""Replicas x nodes -> where each replica runs, or why it can't.

All replicas and all nodes are seen at once. What is placed and still legal stays; the rest goes,
flavor by flavor in order of preference, to a node that has the weights, then to the fullest one,
then to the first by name. The same snapshot always gives the same answer.
"""

import heapq
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from llmaz.api.node import AssignedEngine, EnginePhase, InferenceNode, fingerprint
from llmaz.controller.demand import Demand, Option
from llmaz.controller.flavors import hosts_of
from llmaz.controller.nodes import Ledger, NodeView, needs_of

_NAMED = 3  # nodes that a refusal names per flavor; the rest are counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Where one replica runs."""

    node: str
    option: Option
    accelerators: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplaced:
    """Why one replica runs nowhere: a sentence per flavor."""

    reasons: tuple[str, ...]


Outcome: TypeAlias = Placed | Unplaced
_Score: TypeAlias = tuple[bool, int, str]  # the least is the best


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """An engine where it is assigned now."""

    node: str
    engine: AssignedEngine
    is_ready: bool  # as it is assigned: what ran before an edit does not count


def seats(nodes: Mapping[str, InferenceNode]) -> dict[str, Seat]:
    """Return every assigned engine by id, once: where it is ready, else on the first node."""
    found: dict[str, Seat] = {}
    for name in sorted(nodes):
        ready = {
            (report.id, report.fingerprint)
            for report in nodes[name].status.engines or ()
            if report.phase is EnginePhase.READY
        }
        for engine in nodes[name].spec.engines:
            is_ready = bool(ready) and (engine.id, fingerprint(engine)) in ready
            seat = Seat(node=name, engine=engine, is_ready=is_ready)
            if engine.id not in found or (seat.is_ready and not found[engine.id].is_ready):
                found[engine.id] = seat
    return found


def place(
    demands: Sequence[Demand],
    views: Mapping[str, NodeView],
    seated: Mapping[str, Seat],
    kept: Collection[str],
) -> dict[str, Outcome]:
    """Return an outcome for the engine id of every replica.

    `seated` are the engines as assigned now. Those in `kept` stay as they are whatever happens:
    nothing is known of what they shall be.
    """
    ledgers = {name: Ledger(view) for name, view in sorted(views.items())}
    for id_ in sorted(kept):
        seat = seated[id_]
        ledgers[seat.node].take(needs_of(seat.engine), seat.engine.accelerators)
    outcomes: dict[str, Outcome] = {}
    waiting: list[tuple[Demand, list[str]]] = []
    for demand in sorted(demands, key=lambda demand: demand.prefix):
        ids = [f"{demand.prefix}{index}" for index in range(demand.replicas)]
        staying = {id_: _stay(demand, seated.get(id_), ledgers) for id_ in ids}
        outcomes |= {id_: placed for id_, placed in staying.items() if placed is not None}
        waiting.append((demand, [id_ for id_, placed in staying.items() if placed is None]))
    for demand, ids in waiting:
        outcomes |= _place_new(demand, ids, ledgers)
    return outcomes


def _stay(demand: Demand, seat: Seat | None, ledgers: Mapping[str, Ledger]) -> Placed | None:
    """Keep an engine where it is when some flavor allows it there."""
    if seat is None or seat.node not in ledgers:
        return None
    ledger = ledgers[seat.node]
    for option in demand.options:
        if _is_legal(option, seat, ledger):
            ledger.take(option.needs, seat.engine.accelerators)
            return Placed(
                node=seat.node, option=option, accelerators=tuple(sorted(seat.engine.accelerators))
            )
    return None


def _is_legal(option: Option, seat: Seat, ledger: Ledger) -> bool:
    """Tell whether an engine may keep its accelerators for this flavor.

    Capacity is not asked again: a node that shrank or grew busy is no reason to end what serves.
    An accelerator that is reported as unhealthy is: what computes on it now can't be relied upon.
    """
    uuids = set(seat.engine.accelerators)
    taken_port = option.needs.port is not None and option.needs.port in ledger.ports
    if hosts_of(option.flavor) > 1 or uuids & ledger.uuids or taken_port:
        return False
    if len(uuids) != sum(option.needs.devices.values()):
        return False
    if not _selects(option, ledger.view):
        return False
    if ledger.view.accelerators is None:
        return True  # not known: no reason to move
    devices = {device.uuid: device for device in ledger.view.accelerators}
    counts = dict.fromkeys(option.needs.devices, 0)
    for uuid in uuids:
        device = devices.get(uuid)
        if device is None or not device.healthy:
            return False
        counts[device.resource] = counts.get(device.resource, 0) + 1
    return counts == dict(option.needs.devices)


def _place_new(
    demand: Demand, ids: Sequence[str], ledgers: Mapping[str, Ledger]
) -> dict[str, Outcome]:
    outcomes: dict[str, Outcome] = {}
    left = list(ids)
    for option in demand.options:
        queue = _queue(demand, option, ledgers) if left else []
        while left and queue:
            _, _, name = queue[0]
            ledger = ledgers[name]
            uuids = _pick(option, ledger)
            ledger.take(option.needs, uuids)
            outcomes[left.pop(0)] = Placed(node=name, option=option, accelerators=uuids)
            if ledger.shortage(option.needs) is None:
                heapq.heapreplace(queue, _score(demand, option, ledger))
            else:
                heapq.heappop(queue)
    if left:
        refusal = Unplaced(
            reasons=tuple(_reason(option, ledgers.values()) for option in demand.options)
        )
        outcomes |= dict.fromkeys(left, refusal)
    return outcomes


def _queue(demand: Demand, option: Option, ledgers: Mapping[str, Ledger]) -> list[_Score]:
    """Return the nodes that fit, the best first."""
    if hosts_of(option.flavor) > 1:
        return []
    queue = [
        _score(demand, option, ledger)
        for ledger in ledgers.values()
        if ledger.view.closed is None
        and _selects(option, ledger.view)
        and ledger.shortage(option.needs) is None
    ]
    heapq.heapify(queue)
    return queue


def _score(demand: Demand, option: Option, ledger: Ledger) -> _Score:
    lacks_weights = any(model.name not in ledger.view.models for model in demand.models)
    free = sum(len(ledger.free(resource)) for resource in option.needs.devices)
    return lacks_weights, free, ledger.view.name


def _pick(option: Option, ledger: Ledger) -> tuple[str, ...]:
    """Return the accelerators that one replica gets: those with the lowest indexes."""
    chosen = (
        uuid
        for resource, count in option.needs.devices.items()
        for uuid in ledger.free(resource)[:count]
    )
    return tuple(sorted(chosen))


def _selects(option: Option, view: NodeView) -> bool:
    return all(view.labels.get(key) == value for key, value in option.flavor.node_selector.items())


def _reason(option: Option, ledgers: Collection[Ledger]) -> str:
    """Say for one flavor how many nodes fit, and what the others are short of."""
    name = option.flavor.name
    hosts = hosts_of(option.flavor)
    if hosts > 1:
        return f"{name}: PP {hosts} takes a group of {hosts} nodes, and a replica runs on one"
    if not ledgers:
        return f"{name}: there are no nodes"
    chosen = [ledger for ledger in ledgers if _selects(option, ledger.view)]
    if not chosen:
        wanted = ",".join(f"{k}={v}" for k, v in sorted(option.flavor.node_selector.items()))
        return f"{name}: 0 of {len(ledgers)} nodes fit: none is labelled {wanted}"
    short = [
        f"{ledger.view.name} {ledger.view.closed or ledger.shortage(option.needs)}"
        for ledger in chosen
    ]
    more = f", and {len(short) - _NAMED} more" if len(short) > _NAMED else ""
    return f"{name}: 0 of {len(ledgers)} nodes fit: {', '.join(short[:_NAMED])}{more}"
