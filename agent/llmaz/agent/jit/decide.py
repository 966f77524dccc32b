"""What becomes of compiled programs when something happens to the engine that made them. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from llmaz.agent.cache.evict import Entry, Space, evict
from llmaz.agent.engines.state import EngineSeen, Exited, Running

POISONED_AFTER = 2  # starts in a row which failed with programs of an earlier one

_PLENTY = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The last start of an engine.

    at: when it was
    had: whether there were programs for it when it started
    kept: when it had become ready as its programs were last kept
    slot: the uid of the pod that it was started in; empty for a process of the agent's
    """

    key: str
    at: datetime
    had: bool
    kept: datetime | None = None
    slot: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Pack what an engine has compiled, for later starts and other nodes."""

    engine: str
    key: str
    ready_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Throw away programs that may be why an engine does not start."""

    engine: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """Forget an engine that is here no more. What it compiled since it was ready is packed.

    last: no other engine uses the programs now
    """

    engine: str
    key: str
    last: bool
    worked: bool


JitAction: TypeAlias = Keep | Drop | Leave


def decide(
    runs: Mapping[str, Run], seen: Collection[EngineSeen], now: datetime, *, settle: timedelta
) -> tuple[JitAction, ...]:
    """Keep what a ready engine compiled, drop what engines fail with, leave what is gone.

    An engine that is started is seen a moment later: until it has settled, it is not gone.
    """
    here = {engine.id: engine for engine in seen}
    actions: list[JitAction] = []
    for engine_id, run in sorted(runs.items()):
        engine = here.get(engine_id)
        if engine is None:
            if timedelta() <= now - run.at < settle:
                continue
            others = {(other.key, other.slot) for name, other in runs.items() if name in here}
            actions.append(
                Leave(
                    engine=engine_id,
                    key=run.key,
                    last=(run.key, run.slot) not in others,
                    worked=run.kept is not None,
                )
            )
        elif isinstance(engine.process, Running) and engine.ready_at is not None:
            if engine.ready_at != run.kept:
                actions.append(Keep(engine=engine_id, key=run.key, ready_at=engine.ready_at))
        elif isinstance(engine.process, Exited) and _poisoned(engine, run, _used(runs, seen)):
            actions.append(Drop(engine=engine_id, key=run.key))
    return tuple(actions)


def surplus(
    sizes: Mapping[str, int], last_used: Mapping[str, float], *, quota: int, keep: Collection[str]
) -> tuple[str, ...]:
    """Choose what goes so that the rest is within the quota: the least recently used first."""
    entries = [
        Entry(root=key, last_used=last_used[key], blobs={key: size}) for key, size in sizes.items()
    ]
    chosen = evict(entries, Space(free=_PLENTY, quota=quota), need=0, keep=keep)
    return tuple(entry.root for entry in chosen)


def _poisoned(engine: EngineSeen, run: Run, used: Collection[str]) -> bool:
    """Tell whether programs may be what an engine fails with: nobody else runs with them."""
    failing = run.kept is None and engine.failures >= POISONED_AFTER
    return run.had and failing and run.key not in used


def _used(runs: Mapping[str, Run], seen: Collection[EngineSeen]) -> frozenset[str]:
    running = {engine.id for engine in seen if isinstance(engine.process, Running)}
    return frozenset(run.key for name, run in runs.items() if name in running)
