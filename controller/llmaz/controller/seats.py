"""Seats: the engines that a node is told to run, each with what the node's agent says of it."""

from dataclasses import dataclass

from llmaz.api.fingerprint import fingerprint
from llmaz.api.node import AssignedEngine, EnginePhase, EngineReport, InferenceNode


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """An engine where it is assigned now, and what its agent says of it."""

    node: str
    engine: AssignedEngine
    report: EngineReport | None
    is_ready: bool  # as it is assigned: what ran before an edit does not count


def seats_of(node: InferenceNode) -> tuple[Seat, ...]:
    """Return the seats of one node."""
    reports = {report.id: report for report in node.status.engines or ()}
    engines = ((engine, reports.get(engine.id)) for engine in node.spec.engines)
    return tuple(
        Seat(
            node=node.metadata.name,
            engine=engine,
            report=report,
            is_ready=_is_ready(engine, report),
        )
        for engine, report in engines
    )


def _is_ready(engine: AssignedEngine, report: EngineReport | None) -> bool:
    if report is None or report.phase is not EnginePhase.READY:
        return False
    return report.fingerprint == fingerprint(engine)
