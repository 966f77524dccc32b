"""OpenModels: their labels, and what their status says of the weights on the nodes."""

from collections.abc import Iterator
from datetime import datetime

from llmaz.api.defaults import default_labels
from llmaz.api.kinds import OPEN_MODEL
from llmaz.api.meta import Condition, with_condition
from llmaz.api.node import OWN_WEIGHTS, PICKLES, ModelPhase, ModelReport
from llmaz.api.openmodel import OpenModel, OpenModelStatus
from llmaz.api.quantity import in_words
from llmaz.controller.actions import RecordEvent, SetLabels, SetStatus
from llmaz.controller.snapshot import ClusterSnapshot, Ref

_OWN = "Ollama brings its weights by itself when it starts, and no other engine needs them"


def held_revisions(snapshot: ClusterSnapshot) -> dict[str, str]:
    """Return the commit of each model that nodes hold: the one that its status names, if any."""
    return {
        name: revision
        for name, reports in _reports(snapshot).items()
        if name in snapshot.models
        and (revision := _revision(snapshot.models[name], _ready(reports)))
    }


def report_models(
    snapshot: ClusterSnapshot, now: datetime
) -> Iterator[SetLabels | SetStatus | RecordEvent]:
    """Yield the writes that bring every OpenModel's labels and status up to date."""
    reports = _reports(snapshot)
    for name, model in sorted(snapshot.models.items()):
        ref = Ref(kind=OPEN_MODEL, name=name)
        missing = missing_labels(model)
        if missing:
            yield SetLabels(ref=ref, labels=missing)
        status = _status(model, reports.get(name, []), now)
        if status != model.status:
            yield SetStatus(ref=ref, uid=model.metadata.uid, status=status)
            yield from _move(ref, model, status)


def _move(ref: Ref, model: OpenModel, status: OpenModelStatus) -> Iterator[RecordEvent]:
    """Yield an event when the source has come to mean another commit than it did."""
    before, after = _known(model).revision, status.revision
    if before and after != before:
        hub = model.spec.source.model_hub
        which = (hub.revision if hub is not None else None) or "the source"
        words = f"{which} is {after} now; it was {before} when no node held it any more"
        yield RecordEvent(
            ref=ref, uid=model.metadata.uid, type="Normal", reason="RevisionMoved", message=words
        )


def missing_labels(model: OpenModel) -> dict[str, str | None]:
    """Return the labels that upstream's webhook would have set and that are not so."""
    wanted = default_labels(model)
    return {key: value for key, value in wanted.items() if model.metadata.labels.get(key) != value}


_Report = tuple[str, ModelReport | None]  # a node that shall hold the model, and its agent's word


def _reports(snapshot: ClusterSnapshot) -> dict[str, list[_Report]]:
    """Return for each model the nodes that shall hold it: not those whose engines bring it."""
    found: dict[str, list[_Report]] = {}
    for node_name, node in sorted(snapshot.nodes.items()):
        seen = {report.name: report for report in node.status.models or ()}
        for model in node.spec.models:
            report = seen.get(model.name)
            if report is None or report.reason != OWN_WEIGHTS:
                found.setdefault(model.name, []).append((node_name, report))
    return found


def _status(model: OpenModel, reports: list[_Report], now: datetime) -> OpenModelStatus:
    ready = _ready(reports)
    known = _known(model)
    cached = f"{len(ready)}/{len(reports)}"
    moment = now.replace(microsecond=0)
    conditions = model.status.conditions
    for condition in _conditions(model, cached, reports, ready):
        conditions = with_condition(conditions, condition, moment)
    problem = "" if ready or not reports else _problem(reports)
    size = next((one.bytes_total for one in ready if one.bytes_total), known.size_bytes)
    return OpenModelStatus(
        observed_generation=model.metadata.generation,
        cached=cached,
        size_bytes=size,
        size="" if size is None else in_words(size),
        revision=_revision(model, ready) or known.revision,
        memory=next((one.memory for one in ready if one.memory), known.memory),
        message=problem,
        conditions=conditions,
    )


def _known(model: OpenModel) -> OpenModelStatus:
    """Return what was known of the weights, unless the model is another since."""
    is_same = model.status.observed_generation == model.metadata.generation
    return model.status if is_same else OpenModelStatus()


def _ready(reports: list[_Report]) -> list[ModelReport]:
    return [
        report for _, report in reports if report is not None and report.phase is ModelPhase.READY
    ]


def _revision(model: OpenModel, ready: list[ModelReport]) -> str:
    """Return the commit that stands for the model: the one it had, while any node holds that."""
    held = [one.revision for one in ready if one.revision]
    before = _known(model).revision
    return before if before in held else next(iter(held), "")


def _conditions(
    model: OpenModel, cached: str, reports: list[_Report], ready: list[ModelReport]
) -> tuple[Condition, Condition]:
    generation = model.metadata.generation
    everywhere = bool(reports) and len(ready) == len(reports)
    own = not reports and model.is_ollama
    reason, message = (OWN_WEIGHTS, _OWN) if own else _readiness(reports, ready)
    return (
        Condition(
            type="Ready",
            status="Unknown" if own else "True" if ready else "False",
            reason=reason,
            message=message,
            observed_generation=generation,
        ),
        Condition(
            type="Cached",
            status="True" if everywhere else "False",
            reason="OnAllNodes" if everywhere else ("OnSomeNodes" if ready else "OnNoNode"),
            message=f"{cached} nodes that shall hold the weights do{_besides(ready)}",
            observed_generation=generation,
        ),
    )


def _besides(ready: list[ModelReport]) -> str:
    """Say so where a branch moved between the fetches of two nodes."""
    held = sorted({one.revision for one in ready if one.revision})
    return f"; they hold {len(held)} revisions: {', '.join(held)}" if len(held) > 1 else ""


def _readiness(reports: list[_Report], ready: list[ModelReport]) -> tuple[str, str]:
    if ready:
        warned = next((one.message for one in ready if one.reason == PICKLES), "")
        return "Cached", f"can be served; {warned}" if warned else "can be served"
    if not reports:
        return "NotInUse", "no replica needs its weights on a node"
    return "FetchFailed" if _failed(reports) else "Fetching", _problem(reports)


def _failed(reports: list[_Report]) -> list[tuple[str, ModelReport]]:
    return [
        (node, report)
        for node, report in reports
        if report is not None and report.phase is ModelPhase.FAILED
    ]


def _problem(reports: list[_Report]) -> str:
    for node, report in _failed(reports):
        said = ": ".join(part for part in (report.reason, report.message) if part)
        return f"on {node}: {said}"
    return f"is being fetched to {', '.join(node for node, _ in reports)}"
