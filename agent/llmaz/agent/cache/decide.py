"""Which models to fetch and which to drop, and what to say of each. Pure."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from llmaz.agent.cache.origin import OllamaModel, origin_of
from llmaz.agent.cache.state import (
    DropModel,
    Failed,
    Fetching,
    FetchModel,
    Held,
    ListPeers,
    ModelAction,
    ModelSeen,
)
from llmaz.api.names import DRAFT_MODEL_PATH, MODEL_PATH
from llmaz.api.node import (
    OWN_WEIGHTS,
    PICKLES,
    AssignedEngine,
    AssignedModel,
    ModelPhase,
    ModelReport,
    NodeSpec,
)

FIRST_WAIT_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 300.0
LASTING_WAIT_SECONDS = 60.0  # a missing path or a refused token may be mended by somebody
JITTER = 0.2  # nodes that were cut off together shall not come back together


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPlan:
    """What to do about the models now, what to report, and which are ready for engines."""

    actions: tuple[ModelAction, ...]
    reports: tuple[ModelReport, ...]
    ready: Mapping[str, str]  # name -> path
    look_again_in: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    report: ModelReport
    action: ModelAction | None = None
    retry_at: datetime | None = None


def decide_models(spec: NodeSpec | None, seen: Mapping[str, ModelSeen], now: datetime) -> ModelPlan:
    """Bring the models that are seen one step towards those that are assigned.

    Without a known assignment nothing is fetched and nothing is dropped. What is on demand is
    fetched, also where engines bring their own weights now: another that does not is to come, and
    they serve until its weights are here. Of what is prefetched, a model of which every engine
    brings its own is not fetched; one that no engine uses is wanted for later, and is. An Ollama
    model is fetched for engines that open a file, such as llama.cpp.
    """
    if spec is None:
        steps = [_rest(entry, now) for _, entry in sorted(seen.items())]
        drops = []
    else:
        wanted = sorted(spec.models, key=lambda model: model.name)
        steps = [_keep(model, seen.get(model.name), spec, now) for model in wanted]
        needed = {model.name for model in wanted if _is_needed(model, spec)}
        drops = [DropModel(name=name) for name in sorted(seen.keys() - needed)]
    return ModelPlan(
        actions=(*drops, *(step.action for step in steps if step.action is not None)),
        reports=tuple(step.report for step in steps),
        ready={
            step.report.name: step.report.path
            for step in steps
            if step.report.phase is ModelPhase.READY
        },
        look_again_in=_next_look(steps, now),
    )


def _keep(model: AssignedModel, seen: ModelSeen | None, spec: NodeSpec, now: datetime) -> _Step:
    if not _is_needed(model, spec):
        own = ModelReport(
            name=model.name,
            phase=ModelPhase.READY,
            reason=OWN_WEIGHTS,
            message="its engines bring their own weights",
        )
        return _Step(report=own)
    if seen is None or seen.model.source != model.source:
        pending = ModelReport(name=model.name, phase=ModelPhase.PENDING)
        return _Step(report=pending, action=FetchModel(model=model))
    resting = _rest(seen, now)
    if isinstance(seen.state, Fetching) and seen.model.peers != model.peers:
        return _Step(report=resting.report, action=ListPeers(model=model))
    if not isinstance(seen.state, Failed):
        changed_pin = isinstance(seen.state, Held) and seen.model.pin != model.pin
        return (
            _Step(report=resting.report, action=FetchModel(model=model)) if changed_pin else resting
        )
    if seen.model != model or (resting.retry_at is not None and resting.retry_at <= now):
        return _Step(report=resting.report, action=FetchModel(model=model))
    return resting


def _is_needed(model: AssignedModel, spec: NodeSpec) -> bool:
    if model.priority == "demand":
        return True
    users = [
        engine for engine in spec.engines if model.name in (engine.main_model, engine.draft_model)
    ]
    if isinstance(origin_of(model.source), OllamaModel):
        return any(_opens_a_file(engine) for engine in users)
    return not users or not all(engine.skip_model_loader for engine in users)


def _opens_a_file(engine: AssignedEngine) -> bool:
    """Tell whether an engine is given a path; one that is not, as Ollama, pulls by the name."""
    values = (variable.value or "" for variable in engine.env)
    texts = (*engine.command, *engine.args, *values)
    paths = (f"$({MODEL_PATH})", f"$({DRAFT_MODEL_PATH})")
    return not engine.skip_model_loader and any(path in text for path in paths for text in texts)


def _rest(seen: ModelSeen, now: datetime) -> _Step:
    """Report a model with which nothing is to be done now."""
    name = seen.model.name
    match seen.state:
        case Fetching(bytes_total=None, after=None):  # it may be here already
            return _Step(report=ModelReport(name=name, phase=ModelPhase.PENDING))
        case Fetching(bytes_done=done, bytes_total=total, after=after) as state:
            fetching = ModelReport(
                name=name,
                phase=ModelPhase.FETCHING,
                bytes_done=done,
                bytes_total=total,
                bytes_per_second=state.bytes_per_second,
                seconds_left=state.seconds_left,
                fetched_from=state.fetched_from,
                reason=after.reason if after else "",
                message=f"tried again after: {after.message}" if after else "",
            )
            return _Step(report=fetching)
        case Held(path=path, revision=revision, size_bytes=size, pickles=pickles):
            held = ModelReport(
                name=name,
                phase=ModelPhase.READY,
                revision=revision,
                bytes_done=size,
                bytes_total=size,
                fetched_from=seen.state.fetched_from,
                path=path,
                reason=PICKLES if pickles else "",
                message=_of_pickles(pickles) if pickles else "",
                memory=seen.state.memory,
            )
            return _Step(report=held)
        case Failed() as failed:
            report = ModelReport(
                name=name, phase=ModelPhase.FAILED, reason=failed.reason, message=failed.message
            )
            return _Step(report=report, retry_at=retry_at(name, failed, now))
        case _:
            assert_never(seen.state)


def _of_pickles(pickles: tuple[str, ...]) -> str:
    more = f" and {len(pickles) - 1} more" if len(pickles) > 1 else ""
    return f"{pickles[0]}{more} can run code when it is opened; --refuse-pickle refuses such"


def retry_at(name: str, failed: Failed, now: datetime) -> datetime:
    """When to try again after a failure: at once where the clock has been put back since."""
    return now if failed.at > now else failed.at + wait_after(name, failed)


def wait_after(name: str, failed: Failed) -> timedelta:
    """How long after a failure to try again; it depends on the count and the name alone."""
    if failed.passing:
        seconds = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** (failed.failures - 1))
    else:
        seconds = LASTING_WAIT_SECONDS
    spread = zlib.crc32(f"{name} {failed.failures}".encode()) / 0xFFFFFFFF
    return timedelta(seconds=seconds * (1 - JITTER + 2 * JITTER * spread))


def _next_look(steps: list[_Step], now: datetime) -> float | None:
    waits = [
        (step.retry_at - now).total_seconds()
        for step in steps
        if step.retry_at is not None and step.action is None
    ]
    return max(0.0, min(waits)) if waits else None
