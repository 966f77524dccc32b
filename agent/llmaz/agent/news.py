"""What of a status is news to somebody who reads the log. Pure."""

from collections.abc import Iterator

from llmaz.api.node import EnginePhase, EngineReport, NodeStatus

_DOING = (EnginePhase.STARTING, EnginePhase.STOPPING)  # logged with their reason when they begin


def news(before: NodeStatus | None, after: NodeStatus) -> Iterator[str]:
    """Yield a line for each engine whose phase changed and each accelerator whose health did."""
    engines = {engine.id: engine for engine in (before.engines or () if before else ())}
    for engine in after.engines or ():
        known = engines.pop(engine.id, None)
        changed = known is None or (known.phase, known.reason) != (engine.phase, engine.reason)
        if changed and engine.phase not in _DOING:
            yield _of_engine(engine)
    yield from (f"engine {id_} is gone" for id_ in sorted(engines))
    healthy = {a.uuid: a.healthy for a in (before.accelerators or () if before else ())}
    for accelerator in after.accelerators or ():
        if healthy.get(accelerator.uuid, True) != accelerator.healthy:
            state = "is healthy again" if accelerator.healthy else "can't be used"
            said = f": {accelerator.message}" if accelerator.message else ""
            yield f"accelerator {accelerator.uuid} {state}{said}"


def _of_engine(engine: EngineReport) -> str:
    details = [text for text in (engine.reason, engine.message) if text]
    if engine.port is not None:
        details.append(f"port {engine.port}")
    if engine.pid is not None:
        details.append(f"pid {engine.pid}")
    said = f": {', '.join(details)}" if details else ""
    return f"engine {engine.id} is {engine.phase.value}{said}"
