"""An agent of the simulation: it follows its assignment step by step."""

import dataclasses
from collections import Counter
from collections.abc import Mapping
from random import Random
from typing import Any, cast

from llmaz.api.fingerprint import as_started, fingerprint
from llmaz.api.kinds import INFERENCE_NODE, POD
from llmaz.api.manifest import encode
from llmaz.api.node import (
    AssignedEngine,
    EnginePhase,
    EngineReport,
    InferenceNode,
    ModelPhase,
    ModelReport,
    NodeSpec,
    NodeStatus,
)
from llmaz.controller.snapshot import Ref
from support.simulator.server import Server, lease_ref

LEASE_SECONDS = 40
NEVER_READY = "--never-ready"  # an argument with which an engine starts for ever
_NEXT_OF_WEIGHTS = {
    ModelPhase.PENDING: ModelPhase.FETCHING,
    ModelPhase.FETCHING: ModelPhase.READY,
    ModelPhase.READY: ModelPhase.READY,
    ModelPhase.FAILED: ModelPhase.FETCHING,
}
_NEXT = {
    EnginePhase.WAITING: EnginePhase.STARTING,
    EnginePhase.STARTING: EnginePhase.READY,
    EnginePhase.READY: EnginePhase.READY,
    EnginePhase.UNREADY: EnginePhase.READY,
    EnginePhase.ASLEEP: EnginePhase.READY,
    EnginePhase.BACKOFF: EnginePhase.STARTING,
    EnginePhase.FAILED: EnginePhase.FAILED,
}


class Agent:
    """What runs on one node, whatever anybody else believes of it."""

    def __init__(self, server: Server, name: str, status: NodeStatus) -> None:
        self._server = server
        self.name = name
        self.ref = Ref(kind=INFERENCE_NODE, name=name)
        self.status = status
        self.running: dict[str, tuple[AssignedEngine, EngineReport]] = {}
        self.is_silent = False
        self.beaten_at = server.now
        self.devices = status.accelerators or ()
        self.knows_devices = True

    def beat(self) -> None:
        """Renew the node's Lease."""
        self.beaten_at = self._server.now
        spec = {
            "holderIdentity": self.name,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": self._server.now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        self._server.put(lease_ref(self.name), {"spec": spec})

    def step(self, random: Random | None = None) -> bool:
        """Bring what is assigned one step on and report; tell whether anything changed."""
        if self.ref not in self._server.objects or self.is_silent:
            return False
        node = self._server.read(self.ref, InferenceNode)
        if node.spec != NodeSpec() or node.metadata.generation > 1:
            self._follow(node.spec, random)
        status = dataclasses.replace(
            self.status,
            observed_generation=node.metadata.generation,
            accelerators=self.devices if self.knows_devices else None,
            models=self._weights(node, random),
            engines=tuple(report for _, report in self.running.values()),
        )
        if status == node.status:
            return False
        self.status = status
        self._server.put(self.ref, {"status": encode(status)})
        return True

    def hurry(self) -> bool:
        """Do all that is to be done; tell whether anything changed."""
        moved = False
        while self.step():
            moved = True
        return moved

    def crash(self, random: Random) -> AssignedEngine | None:
        """Let one engine end by itself; return which."""
        if not self.running:
            return None
        id_ = random.choice(sorted(self.running))
        engine, report = self.running[id_]
        self.running[id_] = engine, dataclasses.replace(report, phase=EnginePhase.BACKOFF)
        return engine

    def _follow(self, spec: NodeSpec, random: Random | None) -> None:
        wanted = {engine.id: engine for engine in spec.engines if self._has_slot(engine)}
        self._leave_slots()
        for id_, (engine, report) in list(self.running.items()):
            there = wanted.get(id_)
            is_other = not _is_same(there, engine) and not _is_of_the_past(there, engine)
            if is_other or report.phase is EnginePhase.STOPPING:
                self._stop(id_, report)
        owners = Counter(uuid for engine in spec.engines for uuid in engine.accelerators)
        taken = {
            uuid
            for id_, (engine, _) in self.running.items()
            for uuid in engine.accelerators
            if owners[uuid] < 2 or not _is_same(wanted.get(id_), engine)
        }
        ready = {one.name for one in self.status.models or () if one.phase is ModelPhase.READY}
        for id_, engine in wanted.items():
            if id_ not in self.running and taken.isdisjoint(engine.accelerators):
                phase = EnginePhase.WAITING
            elif self._runs(engine) and not _lingers(random):
                phase = _next(engine, self.running[id_][1].phase)
            else:
                continue
            if phase is EnginePhase.STARTING and engine.main_model not in ready:
                phase = EnginePhase.WAITING
            self.running[id_] = engine, self._reported(engine, phase)

    def _has_slot(self, engine: AssignedEngine) -> bool:
        """Tell whether the pod that an engine shall run in is there, if it is one of a slot."""
        if engine.slot is None:
            return True
        namespace = engine.id.partition("/")[0]
        ref = Ref(kind=POD, namespace=namespace, name=engine.slot.name)
        pod = cast("Any", self._server.objects.get(ref))
        if pod is None or pod["metadata"]["uid"] != engine.slot.uid:
            return False
        is_here = pod["spec"].get("nodeName") == self.name
        return bool(is_here and pod.get("status", {}).get("phase") == "Running")

    def _leave_slots(self) -> None:
        """Forget the engines whose pods are over: nothing of them runs any more."""
        for id_, (engine, _) in list(self.running.items()):
            if not self._has_slot(engine):
                del self.running[id_]

    def _runs(self, engine: AssignedEngine) -> bool:
        there, report = self.running.get(engine.id, (None, None))
        is_stopping = report is not None and report.phase is EnginePhase.STOPPING
        return _is_same(there, engine) and not is_stopping

    def _reported(self, engine: AssignedEngine, phase: EnginePhase) -> EngineReport:
        there = self.running.get(engine.id)
        if there is None or not _is_same(there[0], engine):
            return _report(engine, phase)
        # A fingerprint takes longer than all the rest.
        since = None
        if phase is EnginePhase.READY:
            since = there[1].ready_at or self._server.now
        return dataclasses.replace(there[1], phase=phase, ready_at=since)

    def _stop(self, id_: str, report: EngineReport) -> None:
        """Stopping takes a step, through which the engine keeps what it owns."""
        if report.phase is EnginePhase.STOPPING:
            del self.running[id_]
            return
        engine = self.running[id_][0]
        stopping = dataclasses.replace(report, phase=EnginePhase.STOPPING)
        self.running[id_] = engine, stopping

    def _weights(self, node: InferenceNode, random: Random | None) -> tuple[ModelReport, ...]:
        before: Mapping[str, ModelReport] = {one.name: one for one in self.status.models or ()}
        sources = {model.name: str(encode(cast("Any", model.source))) for model in node.spec.models}
        reports = []
        for name, source in sources.items():
            old = before.get(name)
            phase = ModelPhase.PENDING
            if old is not None and old.path == source:  # else it is another model now
                phase = old.phase if _lingers(random) else _NEXT_OF_WEIGHTS[old.phase]
            reports.append(ModelReport(name=name, phase=phase, path=source))
        return tuple(reports)


def _is_same(wanted: AssignedEngine | None, running: AssignedEngine) -> bool:
    """Tell whether the process that runs is the one that is wanted, asleep or not."""
    if wanted is running:
        return True
    return wanted is not None and as_started(wanted) == as_started(running)


def _next(engine: AssignedEngine, phase: EnginePhase) -> EnginePhase:
    if engine.asleep and phase in (EnginePhase.READY, EnginePhase.UNREADY, EnginePhase.ASLEEP):
        return EnginePhase.ASLEEP
    if phase is EnginePhase.STARTING and NEVER_READY in engine.args:
        return phase
    if phase is EnginePhase.BACKOFF and engine.epoch:  # alone a member of a group is of no use
        return phase
    return _NEXT[phase]


def _is_of_the_past(wanted: AssignedEngine | None, running: AssignedEngine) -> bool:
    """Tell whether a lower epoch is assigned than runs: a shim refuses it."""
    return wanted is not None and wanted.epoch < running.epoch


def address_of(node: str) -> str:
    """Return the IP of a node: of n3, 10.0.0.3."""
    return f"10.0.0.{node.removeprefix('n')}"


def _lingers(random: Random | None) -> bool:
    return random is not None and random.random() < 0.3


def _report(engine: AssignedEngine, phase: EnginePhase) -> EngineReport:
    return EngineReport(
        id=engine.id,
        phase=phase,
        fingerprint=fingerprint(engine),
        epoch=engine.epoch,
        address="10.0.0.1",
        port=40000,
    )
