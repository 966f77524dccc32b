"""Why an engine that is assigned to a node is not ready, by what the agent there reports. Pure."""

from collections.abc import Iterable
from datetime import datetime

from llmaz.api.node import (
    AssignedEngine,
    AssignedModel,
    EnginePhase,
    EngineReport,
    InferenceNode,
    ModelPhase,
    ModelReport,
)
from llmaz.controller.actions import Refusal
from llmaz.controller.seats import Seat
from llmaz.controller.served import service_of
from llmaz.controller.slots.said import why_not_running
from llmaz.controller.snapshot import ClusterSnapshot

_UNDER_WAY = (ModelPhase.FETCHING, ModelPhase.FAILED)


def why_not_ready(seat: Seat, snapshot: ClusterSnapshot, now: datetime) -> Refusal | None:
    """Return what an assigned engine waits for, or None when it is ready."""
    if not snapshot.is_fresh(seat.node, now):
        return Refusal(reason="NodeLost", message=f"the agent of {seat.node} has not been heard of")
    if seat.is_ready:
        return None
    pods = snapshot.slots.get(service_of(seat.engine.id), ())
    if (why := why_not_running(seat, pods)) is not None:
        return why
    if seat.report is None or seat.report.phase is EnginePhase.WAITING:
        return _why_waiting(seat, snapshot.nodes[seat.node])
    return _why_unready(seat, seat.report)


def _why_unready(seat: Seat, report: EngineReport) -> Refusal:
    said = ": ".join(part for part in (report.reason, report.message) if part)
    match report.phase:
        case EnginePhase.FAILED | EnginePhase.BACKOFF:
            return Refusal(reason="EngineFailed", message=f"on {seat.node}: {said or 'it ended'}")
        case EnginePhase.UNREADY:
            words = said or "it does not answer as it should"
            return Refusal(reason="EngineNotReady", message=f"on {seat.node}: {words}")
        case EnginePhase.STOPPING:
            reason = "EngineFailed" if report.reason else "StoppingEngine"
            words = said or "the engine is being stopped"
            return Refusal(reason=reason, message=f"on {seat.node}: {words}")
        case _:
            words = said or "the engine is starting"
            return Refusal(reason="StartingEngine", message=f"on {seat.node}: {words}")


def _why_waiting(seat: Seat, node: InferenceNode) -> Refusal:
    """Say which weights an engine waits for, else what its agent says.

    Until the agent has looked for all of them it is Pending: it may have to fetch some, so to say
    that the engine starts would be taken back.
    """
    reports = {model.name: model for model in node.status.models or ()}
    models = [reports.get(name) for name in _model_names(seat.engine)]
    for model in models:
        if model is not None and model.phase is not ModelPhase.READY:
            return _why_without(seat.node, model)
    reason = "Pending" if seat.report is None or None in models else "StartingEngine"
    words = (seat.report.message if seat.report else "") or "waits for the agent"
    return Refusal(reason=reason, message=f"on {seat.node}: {words}")


def why_without(node: InferenceNode, models: Iterable[AssignedModel]) -> Refusal | None:
    """Say how far weights are that a node shall hold, once its agent has read which; None: there.

    What the agent only looks for, and may find at once, is not told.
    """
    if node.status.observed_generation < node.metadata.generation:
        return None
    reports = {report.name: report for report in node.status.models or ()}
    for model in models:
        report = reports.get(model.name)
        is_told = report is not None and any(model.source == one.source for one in node.spec.models)
        if report is not None and is_told and report.phase in _UNDER_WAY:
            return _why_without(node.metadata.name, report)
    return None


def _why_without(node: str, model: ModelReport) -> Refusal:
    """Say how far weights are that are not on the node, or not yet known to be."""
    if model.phase is ModelPhase.FAILED:
        said = ": ".join(part for part in (model.reason, model.message) if part)
        return Refusal(reason="FetchFailed", message=f"OpenModel {model.name} on {node}: {said}")
    if model.phase is ModelPhase.PENDING:
        words = f"on {node}: looks for OpenModel {model.name}, or waits for its turn to fetch it"
        return Refusal(reason="Pending", message=words)
    if model.bytes_done is None or not model.bytes_total:
        words = f"OpenModel {model.name} is being fetched to {node}"
        return Refusal(reason="FetchingModel", message=words)
    percent = 100 * model.bytes_done // model.bytes_total
    total = model.bytes_total
    size = f"{total / 2**30:.1f} GiB" if total >= 2**30 else f"{total / 2**20:.1f} MiB"
    return Refusal(
        reason="FetchingModel",
        message=f"OpenModel {model.name}: {percent} % of {size} fetched to {node}",
    )


def _model_names(engine: AssignedEngine) -> tuple[str, ...]:
    return (engine.main_model, *((engine.draft_model,) if engine.draft_model else ()))
