"""Seats: the engines that a node is told to run, each with what the node's agent says of it."""

from collections.abc import Mapping
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


def seats_by_engine(seats: Mapping[str, tuple[Seat, ...]]) -> dict[str, Seat]:
    """Return the seats of all nodes by engine, each once: where it is ready, else on the first."""
    found: dict[str, Seat] = {}
    for name in sorted(seats):
        for seat in seats[name]:
            known = found.get(seat.engine.id)
            if known is None or (seat.is_ready and not known.is_ready):
                found[seat.engine.id] = seat
    return found


def _is_ready(engine: AssignedEngine, report: EngineReport | None) -> bool:
    if report is None or report.phase is not EnginePhase.READY:
        return False
    return report.fingerprint == fingerprint(engine)
