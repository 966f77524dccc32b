"""How far a Playground is on its way to serving: read from the objects, shown as it moves."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from llmaz.api.kinds import INFERENCE_NODE, PLAYGROUND
from llmaz.api.manifest import Manifest, decode
from llmaz.api.meta import find_condition
from llmaz.api.node import EnginePhase, EngineReport, InferenceNode, ModelPhase, ModelReport
from llmaz.api.playground import Playground
from llmaz.kube import Informer, Kube, Unavailable

# Reasons of Available=False that no waiting ends, unless somebody changes an object or a node.
_HOPELESS = frozenset(
    {"ModelNotFound", "RuntimeNotFound", "ConfigNotFound", "InvalidTemplate", "FlavorNotFound"}
    | {"Unplaceable", "Unsupported", "EngineFailed", "FetchFailed"}
)
_ASK_EVERY_SECONDS = 5.0  # whether the server is there, while it has no news
_LAST_HOPE_SECONDS = 10.0  # a node may just be registering itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One moment of a Playground."""

    placed_on: str | None = None  # the node of its first replica
    weights: ModelReport | None = None
    engine: EngineReport | None = None
    available: bool = False
    sentence: str = "accepted"  # where it is, or why it waits
    hopeless: bool = False

    @property
    def has_weights(self) -> bool:
        return self.weights is not None and self.weights.phase is ModelPhase.READY


def progress(playground: Playground | None, nodes: Iterable[InferenceNode]) -> Progress:
    """Put together what the Playground and the nodes say about its first replica."""
    if playground is None:
        return Progress(sentence="gone", hopeless=True)
    meta = playground.metadata
    engine_id = f"{meta.namespace}/{meta.name}-0"
    available = find_condition(playground.status.conditions, "Available")
    is_current = available is not None and available.observed_generation == meta.generation
    found = Progress(
        available=available is not None and available.is_true and is_current,
        sentence=available.message if available is not None and is_current else "accepted",
        hopeless=available is not None and is_current and available.reason in _HOPELESS,
    )
    for node in nodes:
        if any(engine.id == engine_id for engine in node.spec.engines):
            return _on_node(found, node, engine_id, playground.spec.claims.main)
    return found


def _on_node(found: Progress, node: InferenceNode, engine_id: str, model: str) -> Progress:
    weights = next((one for one in node.status.models or () if one.name == model), None)
    engine = next((one for one in node.status.engines or () if one.id == engine_id), None)
    failed = [
        report.message or report.reason
        for report in (weights, engine)
        if report is not None
        and report.phase in (ModelPhase.FAILED, EnginePhase.FAILED, EnginePhase.BACKOFF)
    ]
    return Progress(
        placed_on=node.metadata.name,
        weights=weights,
        engine=engine,
        available=found.available,
        sentence=failed[0] if failed else found.sentence,
        hopeless=found.hopeless or bool(failed),
    )


async def follow(
    kube: Kube,
    namespace: str,
    name: str,
    see: Callable[[Progress], None],
    *,
    away_seconds: float = 15.0,
) -> Progress:
    """Show each moment to `see` until the Playground is available, or is hopeless and stays so.

    Raises Unavailable when the API server is away for `away_seconds`. One that is being started
    anew is waited for.
    """
    changed = asyncio.Event()
    playgrounds = Informer(
        kube,
        PLAYGROUND,
        changed=changed,
        namespace=namespace,
        field_selector=f"metadata.name={name}",
    )
    nodes = Informer(kube, INFERENCE_NODE, changed=changed)

    async def show() -> Progress:
        now = Progress()
        while await _changes(changed, within=_LAST_HOPE_SECONDS if now.hopeless else None):
            changed.clear()
            if playgrounds.synced and nodes.synced:
                now = progress(
                    _playground(playgrounds.objects, namespace, name),
                    [decode(InferenceNode, manifest) for manifest in nodes.objects.values()],
                )
                see(now)
            if now.available:
                break
        return now

    showing = asyncio.create_task(show())
    away = asyncio.create_task(_until_away(kube, away_seconds))
    informers = [asyncio.create_task(informer.run()) for informer in (playgrounds, nodes)]
    try:
        await asyncio.wait((showing, away), return_when=asyncio.FIRST_COMPLETED)
        return showing.result() if showing.done() else away.result()
    finally:
        for task in (showing, away, *informers):
            task.cancel()
        await asyncio.gather(showing, away, *informers, return_exceptions=True)


async def _changes(changed: asyncio.Event, *, within: float | None) -> bool:
    try:
        async with asyncio.timeout(within):
            await changed.wait()
    except TimeoutError:
        return False
    return True


async def _until_away(kube: Kube, seconds: float) -> NoReturn:
    """Raise Unavailable once the server was away for so long: a watch alone waits in silence."""
    reached_at = time.monotonic()
    while True:
        await asyncio.sleep(min(_ASK_EVERY_SECONDS, seconds))
        try:
            await kube.list(INFERENCE_NODE)
            reached_at = time.monotonic()
        except Unavailable:
            if time.monotonic() - reached_at >= seconds:
                raise


def _playground(
    objects: Mapping[tuple[str, str], Manifest], namespace: str, name: str
) -> Playground | None:
    manifest = objects.get((namespace, name))
    return None if manifest is None else decode(Playground, manifest)
