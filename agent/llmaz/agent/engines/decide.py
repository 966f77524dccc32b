"""Which engines to start, stop and forget, and what to say of each: the rules of supervision.

Pure. An assignment that is not known (None) stops nothing; an engine whose shim does not answer is
left alone; an accelerator or a port belongs to whoever held it until its last process is proven
gone.
"""

from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from llmaz.agent.engines import backoff, telling
from llmaz.agent.engines.inputs import missing_model, programs_of
from llmaz.agent.engines.state import (
    BuildEnvironment,
    EngineAction,
    EnginePlan,
    EngineSeen,
    Environment,
    EnvironmentFailed,
    EnvironmentReady,
    Exited,
    Fault,
    ForgetEngine,
    Health,
    Running,
    SleepEngine,
    StartEngine,
    StopEngine,
    WakeEngine,
)
from llmaz.agent.slots.decide import ENDING, SlotSeen, is_ending, missing_slot, within
from llmaz.api.fingerprint import fingerprint, is_next_epoch
from llmaz.api.node import AssignedEngine, EnginePhase, EngineReport

NONE_BUSY: Mapping[str, str] = MappingProxyType({})
NONE_REFUSED: Mapping[tuple[str, str], str] = MappingProxyType({})
NO_SLOTS: Mapping[str, SlotSeen] = MappingProxyType({})
NO_ENVIRONMENTS: Mapping[tuple[str, ...], Environment] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    action: EngineAction | None = None
    report: EngineReport


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    """What a start depends on besides the engine itself."""

    ready_models: Mapping[str, str]
    refused: Mapping[tuple[str, str], str]
    environments: Mapping[tuple[str, ...], Environment]
    taken: Mapping[str, str]  # accelerator or ":port" -> words on who holds it
    slots: Mapping[str, SlotSeen]
    now: datetime


def decide_engines(
    assigned: tuple[AssignedEngine, ...] | None,
    seen: tuple[EngineSeen, ...],
    ready_models: Mapping[str, str],
    now: datetime,
    busy_accelerators: Mapping[str, str] = NONE_BUSY,
    environments: Mapping[tuple[str, ...], Environment] = NO_ENVIRONMENTS,
    refused: Mapping[tuple[str, str], str] = NONE_REFUSED,
    slots: Mapping[str, SlotSeen] = NO_SLOTS,
) -> EnginePlan:
    """Bring the engines that are seen one step towards those that are assigned.

    `ready_models` maps each model whose weights are complete to their path. `busy_accelerators`
    maps the UUIDs whose memory a process that is not ours holds to words which say so: no engine
    is started on them. `environments` are the Python environments by what is required of them.
    `refused` says why a namespace's engines may not have a model, or not yet. `slots` are those
    whose shims live, by the uids of their pods.
    """
    present = {engine.id: engine for engine in seen}
    wanted = {engine.id: engine for engine in assigned or ()}
    steps = {id_: _resting(engine) for id_, engine in present.items()}
    if assigned is not None:
        steps |= {id_: _parting(e) for id_, e in present.items() if id_ not in wanted}
    shared = _shared(present, wanted)
    taken = {**busy_accelerators, **_held(seen, shared)}
    for id_, engine in sorted(wanted.items()):
        node = _Node(
            ready_models=ready_models,
            refused=refused,
            environments=environments,
            taken=taken,
            slots=slots,
            now=now,
        )
        steps[id_] = step = _keep(engine, present.get(id_), node)
        if isinstance(step.action, StartEngine):
            own = (need for need in _needs(engine) if (id_, need) not in shared)
            taken |= dict.fromkeys(own, f"is held by engine {id_}")
    ordered = [step for _, step in sorted(steps.items())]
    places = {**wanted, **{id_: engine.assignment for id_, engine in present.items()}}
    reports = tuple(within(step.report, places.get(step.report.id), slots) for step in ordered)
    return EnginePlan(
        actions=tuple(step.action for step in ordered if step.action is not None),
        reports=reports,
        look_again_in=_next_look(reports, now),
    )


def _parting(engine: EngineSeen) -> _Step:
    """An engine that is assigned no more: stopped, then forgotten once nothing of it is left."""
    match engine.process:
        case Exited(clear=True):
            return _Step(action=ForgetEngine(id=engine.id), report=telling.stopping(engine))
        case Running() if engine.stopping_since is None:
            stop = StopEngine(id=engine.id, reason="no longer assigned to this node")
            return _Step(action=stop, report=telling.stopping(engine, stop.reason))
        case _:
            return _resting(engine)


def _keep(engine: AssignedEngine, seen: EngineSeen | None, node: _Node) -> _Step:
    """An engine that is assigned: as it is, or replaced, or started."""
    if seen is None:
        return _start(engine, None, node)
    changed = seen.fingerprint != fingerprint(engine)
    match seen.process:
        case Running() if seen.stopping_since is not None:
            return _resting(seen)
        case Running() if engine.epoch < seen.assignment.epoch:
            return _resting(seen)
        case Running() if changed:
            stop = StopEngine(id=engine.id, reason="its assignment changed")
            return _Step(action=stop, report=telling.stopping(seen, stop.reason))
        case Running() if is_ending(engine, node.slots):
            stop = StopEngine(id=engine.id, reason=ENDING)
            return _Step(action=stop, report=telling.stopping(seen, stop.reason))
        case Running() if seen.health is Health.DEAD:
            stop = StopEngine(id=engine.id, reason=seen.detail)
            return _Step(action=stop, report=telling.stopping(seen, stop.reason))
        case Running() if (turn := _turn(engine, seen)) is not None:
            return _Step(action=turn, report=telling.resting(seen))
        case Exited(clear=True, fault=fault) as exited:
            again = not changed or is_next_epoch(engine, seen.assignment)
            if fault is None or not again:
                return _start(engine, seen, node)
            if engine.epoch and not changed:  # alone it is of no use: its whole group starts anew
                return _resting(seen)
            return _retry(engine, seen, exited, fault, node)
        case _:
            return _resting(seen)


def _turn(engine: AssignedEngine, seen: EngineSeen) -> SleepEngine | WakeEngine | None:
    """Have an engine sleep that is ready and shall, and wake one that shall not sleep."""
    if not engine.asleep or engine.sleep is None:
        return WakeEngine(id=seen.id) if seen.sleeping else None
    if seen.sleeping or seen.health not in (Health.READY, Health.DROWSY):
        return None
    return SleepEngine(id=seen.id, calls=engine.sleep)


def _retry(
    engine: AssignedEngine, seen: EngineSeen, exited: Exited, fault: Fault, node: _Node
) -> _Step:
    retry_at = exited.at + timedelta(seconds=backoff.delay(seen.id, seen.failures))
    if fault.permanent or node.now < retry_at:
        return _resting(seen)
    return _start(engine, seen, node)


def _start(engine: AssignedEngine, seen: EngineSeen | None, node: _Node) -> _Step:
    """Start it, or say what it waits for: weights, programs, then its accelerators and its port."""
    environment = node.environments.get(engine.requirements)
    if isinstance(environment, EnvironmentFailed):
        return _unbuilt(engine, seen, environment, node.now)
    programs = programs_of(engine, environment)
    waits = (
        missing_slot(engine, node.slots)
        or missing_model(engine, node.ready_models, node.refused)
        or (None if isinstance(programs, EnvironmentReady) else programs)
        or next(
            (f"{_words(need)} {node.taken[need]}" for need in _needs(engine) if need in node.taken),
            None,
        )
    )
    report = EngineReport(
        id=engine.id,
        phase=EnginePhase.STARTING if waits is None else EnginePhase.WAITING,
        fingerprint=fingerprint(engine),
        epoch=engine.epoch,
        message=waits or "",
        restarts=seen.restarts if seen else 0,
        log=seen.log if seen else "",
    )
    if environment is None and engine.requirements:
        return _Step(action=BuildEnvironment(requirements=engine.requirements), report=report)
    if waits is not None or not isinstance(programs, EnvironmentReady):
        return _Step(report=report)
    paths = node.ready_models
    action = StartEngine(
        engine=engine,
        model_path=paths.get(engine.main_model, ""),
        draft_model_path=paths.get(engine.draft_model or "", ""),
        programs=programs.programs,
    )
    return _Step(action=action, report=report)


def _unbuilt(
    engine: AssignedEngine, seen: EngineSeen | None, failed: EnvironmentFailed, now: datetime
) -> _Step:
    """Say that its Python environment could not be built, and try again when it is time."""
    permanent = failed.fault.permanent
    report = EngineReport(
        id=engine.id,
        phase=EnginePhase.FAILED if permanent else EnginePhase.BACKOFF,
        fingerprint=fingerprint(engine),
        epoch=engine.epoch,
        reason=failed.fault.reason,
        message=failed.fault.message,
        restarts=seen.restarts if seen else 0,
        retry_at=None if permanent else failed.retry_at,
        log=seen.log if seen else "",
    )
    if permanent or now < failed.retry_at:
        return _Step(report=report)
    return _Step(action=BuildEnvironment(requirements=engine.requirements), report=report)


def _needs(engine: AssignedEngine) -> tuple[str, ...]:
    has_own = engine.slot is not None  # at the address of its slot no port is anybody else's
    port = () if engine.port is None or has_own else (f":{engine.port}",)
    return (*sorted(engine.accelerators), *port)


def _words(need: str) -> str:
    return f"port {need[1:]}" if need.startswith(":") else need


def _shared(
    present: Mapping[str, EngineSeen], wanted: Mapping[str, AssignedEngine]
) -> AbstractSet[tuple[str, str]]:
    """Return the engines, each with an accelerator, that share it with others as they are assigned.

    One that runs as it was assigned before has to go first, and may have taken all of it.
    """
    owners = Counter(uuid for engine in wanted.values() for uuid in engine.accelerators)
    return {
        (id_, uuid)
        for id_, engine in wanted.items()
        for uuid in engine.accelerators
        if owners[uuid] > 1 and _is_as_assigned(engine, present.get(id_))
    }


def _is_as_assigned(engine: AssignedEngine, seen: EngineSeen | None) -> bool:
    return seen is None or seen.fingerprint == fingerprint(engine)


def _held(seen: tuple[EngineSeen, ...], shared: AbstractSet[tuple[str, str]]) -> dict[str, str]:
    """Accelerators and ports of every engine of which a process may be left.

    Who shares an accelerator keeps nobody off it that shares it as well.
    """
    return {
        need: f"is held by engine {engine.id}"
        for engine in sorted(seen, key=lambda engine: engine.id)
        if not (isinstance(engine.process, Exited) and engine.process.clear)
        for need in (
            *engine.assignment.accelerators,
            *(
                (f":{engine.port}",)
                if engine.port is not None and not engine.assignment.slot
                else ()
            ),
        )
        if (engine.id, need) not in shared
    }


def _resting(engine: EngineSeen) -> _Step:
    """An engine with which nothing is to be done now."""
    return _Step(report=telling.resting(engine))


def _next_look(reports: tuple[EngineReport, ...], now: datetime) -> float | None:
    waits = [
        (report.retry_at - now).total_seconds() for report in reports if report.retry_at is not None
    ]
    return max(0.0, min(waits)) if waits else None
