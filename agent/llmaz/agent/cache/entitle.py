"""Which namespaces to ask about, and which engines may not have what is on the node. Pure.

An engine whose namespace's right is not proven is not started: not knowing is a no.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from llmaz.agent.cache.decide import retry_at
from llmaz.agent.cache.state import (
    AskRight,
    DropRight,
    Failed,
    Granted,
    Held,
    ModelAction,
    ModelSeen,
    Right,
)
from llmaz.api.node import NodeSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class RightsPlan:
    """What to find out, and why which namespace may not have which model yet."""

    actions: tuple[ModelAction, ...] = ()
    refused: Mapping[tuple[str, str], str]  # namespace and model
    look_again_in: float | None = None


def decide_rights(
    spec: NodeSpec | None, seen: Mapping[str, ModelSeen], now: datetime
) -> RightsPlan:
    """Have every namespace asked about whose engines want weights that are not for all.

    What was refused is asked for again as a failed fetch is. A namespace whose engines are gone is
    forgotten, so that it is asked about anew when it comes back.
    """
    if spec is None:
        return RightsPlan(refused={})
    wanted = _wanted(spec)
    actions: list[ModelAction] = []
    refused: dict[tuple[str, str], str] = {}
    waits: list[float] = []
    for name, entry in sorted(seen.items()):
        if entry.rights is None or not isinstance(entry.state, Held):
            continue
        spaces = wanted.get(name, frozenset())
        actions += [
            DropRight(name=name, namespace=space) for space in sorted(entry.rights.keys() - spaces)
        ]
        for space in sorted(spaces):
            right = entry.rights.get(space)
            wait = _wait(name, right, now)
            if wait is not None and wait <= 0:
                actions.append(AskRight(model=entry.model, namespace=space))
            elif wait is not None:
                waits.append(wait)
            if not isinstance(right, Granted):
                refused[space, name] = _why(name, space, right)
    return RightsPlan(
        actions=tuple(actions), refused=refused, look_again_in=min(waits, default=None)
    )


def _wanted(spec: NodeSpec) -> Mapping[str, frozenset[str]]:
    """Return the namespaces of the engines that open each model's files."""
    pairs = set(_uses(spec))
    return {
        name: frozenset(space for space, used in pairs if used == name)
        for name in {used for _, used in pairs}
    }


def _uses(spec: NodeSpec) -> Iterator[tuple[str, str]]:
    for engine in spec.engines:
        if not engine.skip_model_loader:
            for name in (engine.main_model, engine.draft_model):
                if name is not None:
                    yield engine.namespace, name


def _wait(name: str, right: Right | None, now: datetime) -> float | None:
    """Return in how many seconds to ask; None: not by itself."""
    if right is None:
        return 0.0
    if isinstance(right, Failed):
        return (retry_at(name, right, now) - now).total_seconds()
    return None


def _why(name: str, space: str, right: Right | None) -> str:
    if isinstance(right, Failed):
        return f"{right.reason}: {right.message}"
    return f"asks the source whether namespace {space} may have {name}"
