"""What happens, in one readable line each: the facts about all objects, of which only news is told.

Pure: two readings of the same objects give the same sentences, so that only what changed is said.
"""

from collections.abc import Iterable, Iterator, Mapping

from llmaz.api.meta import find_condition
from llmaz.api.node import EnginePhase, EngineReport, InferenceNode, ModelPhase, ModelReport
from llmaz.api.playground import Playground

Facts = Mapping[str, str]  # subject, such as "playground default/qwen": what is true of it

_STEP_PERCENT = 10  # progress is news only so often


def facts(
    playgrounds: Iterable[Playground], nodes: Iterable[InferenceNode], gateway_url: str
) -> Facts:
    """Say one sentence about each Playground, each model on a node, and each engine."""
    seen = list(nodes)
    return dict(
        [
            *(fact for node in seen for fact in _about_node(node)),
            *(_about_playground(playground, gateway_url) for playground in playgrounds),
        ]
    )


def news(before: Facts, after: Facts) -> list[str]:
    """Return the lines to say: what is new or different, and what is gone."""
    told = [f"{key}: {text}" for key, text in after.items() if before.get(key) != text]
    gone = [f"{key}: gone" for key in before if key not in after]
    return told + gone


def _about_playground(playground: Playground, gateway_url: str) -> tuple[str, str]:
    key = f"playground {playground.metadata.namespace}/{playground.metadata.name}"
    available = find_condition(playground.status.conditions, "Available")
    if available is None:
        return key, "accepted"
    if not available.is_true:
        return key, f"waits: {available.message}"
    model = playground.spec.claims.main
    ready = f"{playground.status.ready_replicas} of {playground.spec.replicas}"
    return key, f"ready at {gateway_url} as {model} ({ready} replicas)"


def _about_node(node: InferenceNode) -> Iterator[tuple[str, str]]:
    devices = node.status.accelerators
    if devices is not None:
        names = ", ".join(sorted({one.product for one in devices})) or "no accelerator: CPU only"
        yield f"node {node.metadata.name}", names
    reports = {report.id: report for report in node.status.engines or ()}
    for engine in node.spec.engines:
        on = ", ".join(engine.accelerators) or "the CPU"
        placed = f"placed on {node.metadata.name}, {on}"
        report = reports.pop(engine.id, None)
        yield f"engine {engine.id}", _about_engine(report) if report else placed
    for report in reports.values():
        yield f"engine {report.id}", _about_engine(report)
    for model in node.status.models or ():
        yield f"weights of {model.name}", _about_weights(model)


def _about_engine(report: EngineReport) -> str:
    match report.phase:
        case EnginePhase.READY:
            return f"ready at {report.address}:{report.port} (pid {report.pid})"
        case EnginePhase.STARTING:
            return f"starting (pid {report.pid})" if report.pid else "starting"
        case phase:
            return f"{phase.value.lower()}{f': {report.message}' if report.message else ''}"


def _about_weights(model: ModelReport) -> str:
    match model.phase:
        case ModelPhase.FETCHING if model.bytes_total:
            percent = 100 * (model.bytes_done or 0) // model.bytes_total
            return f"{percent - percent % _STEP_PERCENT} %"
        case ModelPhase.READY:
            return f"here, {model.path}"
        case ModelPhase.FAILED:
            return f"failed: {model.message}"
        case phase:
            return phase.value.lower()
