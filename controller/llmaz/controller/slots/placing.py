"""Slots -> where the replicas of a Service run, and what is to be done about their pods. Pure.

The scheduler binds pods; an engine is assigned to the node that its pod is bound to. What runs
stays where it is until there is another place for it.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmaz.api.node import AssignedEngine, EnginePhase
from llmaz.api.slot import AssignedSlot
from llmaz.controller.actions import Action
from llmaz.controller.demand import Demand, Option
from llmaz.controller.groups import epoch_alone, epoch_of, is_serving, last_epoch
from llmaz.controller.outcomes import Outcome, Placed, Unplaced
from llmaz.controller.ranks import Spot
from llmaz.controller.rollout import most_surplus, most_unavailable
from llmaz.controller.seats import Seat
from llmaz.controller.slots.attempts import Attempt, attempts_of, option_on
from llmaz.controller.slots.driven import is_driven, may_be_followed, nodes_to_avoid
from llmaz.controller.slots.evictions import hold_of
from llmaz.controller.slots.look import Group, Look, Slotted, slots_of
from llmaz.controller.slots.making import Making, deleted
from llmaz.controller.slots.nodes import MEMORY
from llmaz.controller.slots.pod import SPARE, SlotPod
from llmaz.controller.slots.said import why_not_bound
from llmaz.controller.slots.unit import Unit, unit_of


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """What became of one replica."""

    outcome: Outcome
    held: frozenset[str]
    actions: tuple[Action, ...]
    look_again_in: float | None


def place_slots(demand: Demand, look: Look) -> Slotted:
    """Decide on the slots of one Service."""
    driven = frozenset(pod.uid for pod in look.pods if is_driven(pod, demand, look.views))
    fit = (dataclasses.replace(pod, key="") if pod.uid in driven else pod for pod in look.pods)
    look = dataclasses.replace(look, pods=tuple(fit), driven=driven)
    look = dataclasses.replace(look, pods=_large_enough(demand, look))
    attempts = {id_: attempts_of(demand, id_) for id_ in demand.ids}
    units = {
        id_: unit_of(str(index), look.pods, attempts[id_]) for index, id_ in enumerate(demand.ids)
    }
    followed = may_be_followed(demand, units, driven)
    free = _replaceable(demand, units, look)
    turns = {
        id_: _turn(
            demand,
            id_,
            unit,
            attempts[id_],
            look,
            is_free=id_ in free,
            is_followed=id_ in followed,
        )
        for id_, unit in units.items()
    }
    waits = [turn.look_again_in for turn in turns.values() if turn.look_again_in is not None]
    surplus = [deleted(pod) for pod in look.pods if _is_surplus(pod, demand)]
    return Slotted(
        outcomes={id_: turn.outcome for id_, turn in turns.items()},
        held=frozenset().union(*(turn.held for turn in turns.values())),
        actions=(*(action for turn in turns.values() for action in turn.actions), *surplus),
        look_again_in=min(waits, default=None),
        hold=hold_of(demand, units, followed, look),
    )


def _turn(
    demand: Demand,
    id_: str,
    unit: Unit,
    attempts: tuple[Attempt, ...],
    look: Look,
    *,
    is_free: bool,
    is_followed: bool,
) -> _Turn:
    """Decide on one replica: whether its outdated pods may go, or be followed, now."""
    group = look.groups.get(id_, ())
    outcome = _outcome(demand, id_, unit, attempts, look)
    held: frozenset[str] = frozenset()
    if isinstance(outcome, Unplaced) and group:
        if unit.outdated and is_serving(group):
            outcome = _as_it_is(demand, group)
        else:
            held = frozenset(seat.engine.id for seat in group)
    making = Making(
        demand=demand,
        unit=unit,
        attempts=attempts,
        policy=look.policy,
        now=look.now,
        avoid=nodes_to_avoid(look.views),
        has_failed=any(_has_failed(seat) for seat in group),
    )
    actions: list[Action] = []
    may_follow = is_followed or most_surplus(demand.service)
    if not unit.outdated or unit.current or may_follow:
        taken = look.spares.take(demand, unit, attempts)
        actions += [taken] if taken is not None else making.actions()
    if unit.outdated and (is_free or _has_moved(group, unit)):
        actions += map(deleted, unit.outdated)
    else:
        actions += map(deleted, _idle(id_, unit, group, look))
    return _Turn(outcome=outcome, held=held, actions=tuple(actions), look_again_in=making.due())


def _large_enough(demand: Demand, look: Look) -> tuple[SlotPod, ...]:
    """Return the pods, those without a key that are no place for the model that is wanted now.

    They were bound for another one, and their nodes' accelerators have too little memory for this.
    What serves the model already is no matter of estimates.
    """
    model = demand.service.spec.model_claims.main
    least = -(-max(option.needs.device_memory for option in demand.options) // 2**20)

    def is_small(pod: SlotPod) -> bool:
        view = look.views.get(pod.node) if pod.model != model else None
        has = view.labels.get(MEMORY, "") if view is not None else ""
        return has.isdecimal() and int(has) < least

    return tuple(dataclasses.replace(pod, key="") if is_small(pod) else pod for pod in look.pods)


def _is_surplus(pod: SlotPod, demand: Demand) -> bool:
    """Tell whether a pod is of a replica that is wanted no more. Its end drains its engine."""
    if pod.is_ending or pod.replica == SPARE:
        return False
    return not pod.replica.isdecimal() or int(pod.replica) >= demand.replicas


def _replaceable(demand: Demand, units: Mapping[str, Unit], look: Look) -> set[str]:
    """Return the replicas whose outdated pods may go now.

    Not more at a time than maxUnavailable lets be missing; one that does not serve is missing. What
    never had a place and fits nowhere holds up no update of the rest: it would wait for ever. What
    lost its place in the update does: what it became may fit nowhere at all. One that is driven
    away serves until it does so in another slot.
    """
    serving = look.serving(tuple(units))
    nowhere = {id_ for id_, unit in units.items() if unit.fits_nowhere and not look.groups.get(id_)}
    left = most_unavailable(demand.service) - len(units.keys() - serving - nowhere)
    free = set()
    for id_, unit in units.items():
        if not unit.outdated or (unit.current and id_ in serving):
            continue
        if id_ not in serving:
            free.add(id_)
        elif left > 0 and not all(pod.uid in look.driven for pod in unit.outdated):
            free.add(id_)
            left -= 1
    return free


def _idle(id_: str, unit: Unit, group: Group, look: Look) -> list[SlotPod]:
    """Return the pods that were bound to a node that slots leave, and that nothing runs in."""
    used = slots_of(group) | (slots_of((look.left[id_],)) if id_ in look.left else set())
    driven = [pod for pod in unit.outdated if pod.uid in look.driven]
    return [pod for pod in driven if pod.uid not in used]


def _has_moved(group: Group, unit: Unit) -> bool:
    """Tell whether the engines serve from the pods that are as they shall be."""
    uids = {pod.uid for pod in unit.current.values()}
    return bool(uids) and slots_of(group) == uids and is_serving(group)


def _has_failed(seat: Seat) -> bool:
    return seat.report is not None and seat.report.phase is EnginePhase.FAILED


def _outcome(
    demand: Demand, id_: str, unit: Unit, attempts: Sequence[Attempt], look: Look
) -> Outcome:
    attempt = attempts[unit.attempt % len(attempts)]
    if not unit.is_bound:
        return why_not_bound(attempt, unit)
    pods = [unit.current[rank] for rank in range(unit.size)]
    lonely = next((pod for pod in pods if pod.node not in look.views), None)
    if lonely is not None:
        words = f"pod {lonely.name} is on node {lonely.node}, which has no agent"
        return Unplaced(reasons=(f"{attempt.name}: {words}",))
    option = option_on(attempt, look.views[pods[0].node].labels)
    group = look.groups.get(id_, ())
    if unit.size == 1 and option.worker is None:
        engine = demand.engine(id_, option, (), epoch=epoch_alone(group))
        return _placed(engine, pods[0], option)
    return _placed_group(demand, id_, option, pods, group)


def _placed(engine: AssignedEngine, pod: SlotPod, option: Option) -> Placed:
    slot = AssignedSlot(name=pod.name, uid=pod.uid, memory=pod.sees_memory)
    return Placed(node=pod.node, option=option, engine=dataclasses.replace(engine, slot=slot))


def _placed_group(
    demand: Demand, id_: str, option: Option, pods: Sequence[SlotPod], group: Group
) -> Placed:
    """Place a group in its pods: anew where any of them is another than before."""
    spots = tuple(Spot(node=pod.node, address=pod.ip, accelerators=()) for pod in pods)
    former = [seat.engine.slot.uid if seat.engine.slot is not None else "" for seat in group]
    stays = former == [pod.uid for pod in pods]
    epoch = epoch_of(group) if stays else last_epoch(group) + 1
    engines = demand.group(id_, option, spots, epoch)
    leader, *workers = (
        _placed(engine, pod, option) for engine, pod in zip(engines, pods, strict=True)
    )
    return dataclasses.replace(leader, workers=tuple(workers))


def _as_it_is(demand: Demand, group: Group) -> Placed:
    """Return the outcome of a replica that serves from pods that are still to be replaced."""
    asked = group[0].engine.resources
    option = next((one for one in demand.options if one.resources == asked), demand.options[0])
    leader, *workers = (Placed(node=seat.node, option=option, engine=seat.engine) for seat in group)
    return dataclasses.replace(leader, workers=tuple(workers))
