"""A world in which the controller's plans come true."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

from llmaz.api import names
from llmaz.api.backendruntime import BackendRuntime, BackendRuntimeStatus
from llmaz.api.fingerprint import fingerprint
from llmaz.api.kinds import BACKEND_RUNTIME, INFERENCE_NODE, OPEN_MODEL, PLAYGROUND, SERVICE, TENANT
from llmaz.api.manifest import Manifest, decode
from llmaz.api.meta import Condition, find_condition
from llmaz.api.node import (
    EnginePhase,
    EngineReport,
    InferenceNode,
    ModelPhase,
    ModelReport,
    NodeSpec,
)
from llmaz.api.openmodel import OpenModel, OpenModelStatus
from llmaz.api.playground import Playground
from llmaz.api.service import Service
from llmaz.api.tenant import Tenant, TenantStatus
from llmaz.api.workload import WorkloadStatus
from llmaz.controller.actions import (
    Action,
    ApplyOwned,
    Assign,
    DeleteOwned,
    RecordEvent,
    SetLabels,
    SetStatus,
)
from llmaz.controller.owned import labels_of
from llmaz.controller.plan import plan
from llmaz.controller.seats import seats_of
from llmaz.controller.snapshot import ClusterSnapshot, KubeNode, PriorityClass, Ref
from support.builders import NOW, flavor, model, node, playground, runtime


@dataclass
class World:
    """A cluster in memory. In `settle`, plans and agents take turns until nothing is left to do."""

    models: dict[str, OpenModel] = field(default_factory=dict)
    runtimes: dict[str, BackendRuntime] = field(default_factory=dict)
    playgrounds: dict[tuple[str, str], Playground] = field(default_factory=dict)
    services: dict[tuple[str, str], Service] = field(default_factory=dict)
    nodes: dict[str, InferenceNode] = field(default_factory=dict)
    kube_nodes: dict[str, KubeNode] = field(default_factory=dict)
    manifests: dict[Ref, Manifest] = field(default_factory=dict)
    priorities: dict[str, PriorityClass] = field(default_factory=dict)
    tenants: dict[str, Tenant] = field(default_factory=dict)
    events: list[RecordEvent] = field(default_factory=list)
    lost: dict[str, datetime] = field(default_factory=dict)  # node -> when its Lease ran out
    now: datetime = NOW
    uids: int = 0

    def add(self, *objects: OpenModel | BackendRuntime | Playground | InferenceNode) -> "World":
        for value in objects:
            meta = value.metadata
            match value:
                case OpenModel():
                    self.models[meta.name] = value
                case BackendRuntime():
                    self.runtimes[meta.name] = value
                case Playground():
                    self.playgrounds[(meta.namespace or "", meta.name)] = value
                case InferenceNode():
                    self.nodes[meta.name] = value
                    self.kube_nodes.setdefault(meta.name, KubeNode(name=meta.name))
        return self

    def snapshot(self) -> ClusterSnapshot:
        return ClusterSnapshot(
            models=dict(self.models),
            runtimes=dict(self.runtimes),
            playgrounds=dict(self.playgrounds),
            services=dict(self.services),
            nodes=dict(self.nodes),
            seats={name: seats_of(one) for name, one in self.nodes.items()},
            kube_nodes=dict(self.kube_nodes),
            priorities=dict(self.priorities),
            tenants=dict(self.tenants),
            leases={
                name: self.lost.get(name, self.now + timedelta(seconds=40)) for name in self.nodes
            },
            leases_heard_since=NOW - timedelta(days=1),
            manifests=dict(self.manifests),
        )

    def plan(self) -> tuple[Action, ...]:
        return plan(self.snapshot(), self.now).actions

    def decide(self) -> tuple[Action, ...]:
        """Plan and perform until there is nothing to do, without a word from any agent."""
        done: tuple[Action, ...] = ()
        for _ in range(20):
            actions = self.plan()
            if not actions:
                return done
            for action in actions:
                self.perform(action)
            done += actions
        raise AssertionError(f"no end of actions: {actions}")

    def settle(self, rounds: int = 30) -> None:
        """Let the controller and the agents take turns until both have nothing left to do."""
        for _ in range(rounds):
            acted = bool(self.decide())
            moved = self.tick()
            if not acted and not moved:
                return
        raise AssertionError("does not settle")

    def tick(self) -> bool:
        """Let each agent that is not lost bring what it is assigned one step on."""
        before = dict(self.nodes)
        for name, one in self.nodes.items():
            if name not in self.lost:
                self.nodes[name] = _stepped(one)
        return before != self.nodes

    def playground(self, name: str) -> Playground:
        return self.playgrounds[("default", name)]

    def available(self, name: str) -> Condition | None:
        return find_condition(self.playground(name).status.conditions, "Available")

    def progressing(self, name: str) -> Condition | None:
        return find_condition(self.playground(name).status.conditions, "Progressing")

    def engines(self) -> dict[str, tuple[str, tuple[str, ...]]]:
        """Every assigned engine: its node and its accelerators."""
        return {
            engine.id: (name, engine.accelerators)
            for name, one in sorted(self.nodes.items())
            for engine in one.spec.engines
        }

    def lose(self, *nodes: str) -> None:
        """Let the Leases of nodes run out."""
        self.lost |= dict.fromkeys(nodes, self.now)

    def delete_playground(self, name: str) -> None:
        """Delete a Playground and, as the garbage collector does, all that it owns."""
        del self.playgrounds[("default", name)]
        self.delete_service(name)

    def delete_service(self, name: str) -> None:
        """Delete a Service and, as the garbage collector does, all that it owns."""
        del self.services[("default", name)]
        for ref, manifest in list(self.manifests.items()):
            if name in (ref.name, labels_of(manifest).get(names.SERVICE_NAME)):
                del self.manifests[ref]

    def edit(self, name: str, replicas: int) -> None:
        old = self.playground(name)
        meta = dataclasses.replace(old.metadata, generation=old.metadata.generation + 1)
        spec = dataclasses.replace(old.spec, replicas=replicas)
        self.add(dataclasses.replace(old, metadata=meta, spec=spec))

    def perform(self, action: Action) -> None:
        match action:
            case ApplyOwned():
                self._apply(action)
            case DeleteOwned(ref=ref):
                del self.manifests[ref]
            case Assign(node=name, spec=spec, events=events):
                self._assign(name, spec)
                self.events += events
            case SetStatus():
                self._set_status(action)
            case SetLabels():
                self._set_labels(action)
            case RecordEvent():
                self.events.append(action)

    def _assign(self, name: str, spec: NodeSpec) -> None:
        old = self.nodes[name]
        meta = dataclasses.replace(old.metadata, generation=old.metadata.generation + 1)
        self.nodes[name] = dataclasses.replace(old, metadata=meta, spec=spec)

    def _apply(self, action: ApplyOwned) -> None:
        ref = action.ref
        seen = self.manifests.get(ref)
        if seen is None:
            self.uids += 1
        uid = cast("Manifest", seen["metadata"])["uid"] if seen else f"uid-{self.uids}"
        meta = {**cast("Manifest", action.manifest["metadata"]), "uid": uid, "generation": 1}
        manifest: Manifest = {**action.manifest, "metadata": meta}
        self.manifests[ref] = manifest
        if ref.kind == SERVICE:
            old = self.services.get(ref.key)
            service = decode(Service, manifest)
            status = old.status if old else service.status
            self.services[ref.key] = dataclasses.replace(service, status=status)

    def _set_status(self, action: SetStatus) -> None:
        ref, status = action.ref, action.status
        if ref.kind == OPEN_MODEL:
            one = self.models[ref.name]
            assert isinstance(status, OpenModelStatus)
            self.models[ref.name] = dataclasses.replace(one, status=status)
            return
        if ref.kind == BACKEND_RUNTIME:
            assert isinstance(status, BackendRuntimeStatus)
            old_runtime = self.runtimes[ref.name]
            self.runtimes[ref.name] = dataclasses.replace(old_runtime, status=status)
            return
        if ref.kind == TENANT:
            assert isinstance(status, TenantStatus)
            old_tenant = self.tenants[ref.name]
            self.tenants[ref.name] = dataclasses.replace(old_tenant, status=status)
            return
        assert isinstance(status, WorkloadStatus)
        if ref.kind == PLAYGROUND:
            old = self.playgrounds[ref.key]
            self.playgrounds[ref.key] = dataclasses.replace(old, status=status)
        else:
            service = self.services[ref.key]
            self.services[ref.key] = dataclasses.replace(service, status=status)

    def _set_labels(self, action: SetLabels) -> None:
        added = {key: value for key, value in action.labels.items() if value is not None}
        ref = action.ref
        if ref.kind == OPEN_MODEL:
            one = self.models[ref.name]
            meta = dataclasses.replace(one.metadata, labels={**one.metadata.labels, **added})
            self.models[ref.name] = dataclasses.replace(one, metadata=meta)
        elif ref.kind == PLAYGROUND:
            old = self.playgrounds[ref.key]
            meta = dataclasses.replace(old.metadata, labels={**old.metadata.labels, **added})
            self.playgrounds[ref.key] = dataclasses.replace(old, metadata=meta)
        elif ref.kind == INFERENCE_NODE:
            node_ = self.nodes[ref.name]
            meta = dataclasses.replace(
                node_.metadata, annotations=_noted(node_.metadata.annotations, action)
            )
            self.nodes[ref.name] = dataclasses.replace(node_, metadata=meta)
        else:
            core = self.kube_nodes[ref.name]
            kept = {key: v for key, v in core.labels.items() if key not in action.labels}
            self.kube_nodes[ref.name] = dataclasses.replace(
                core,
                labels={**kept, **added},
                annotations=_noted(core.annotations, action),
            )


def _noted(annotations: Mapping[str, str], action: SetLabels) -> dict[str, str]:
    """The annotations of an object after the action, as a merge patch leaves them."""
    merged = {**annotations, **action.annotations}
    return {key: value for key, value in merged.items() if value is not None}


def told(condition: Condition | None) -> tuple[str, str]:
    """A condition's status and reason."""
    assert condition is not None
    return condition.status, condition.reason


def world_of(replicas: int = 1, gpus: int = 4) -> World:
    """One Playground of one model, and one node."""
    return World().add(
        model("qwen", flavor("a10")),
        runtime(),
        playground("chat", "qwen", replicas),
        node("n1", gpus),
    )


def _stepped(one: InferenceNode) -> InferenceNode:
    """One step of an agent: weights first, then a start, then ready; what changed starts anew."""
    seen = {report.id: report for report in one.status.engines or ()}
    engines = []
    for engine in one.spec.engines:
        mark = fingerprint(engine)
        old = seen.get(engine.id)
        begun = old is not None and old.fingerprint == mark
        awake = EnginePhase.ASLEEP if engine.asleep else EnginePhase.READY
        phase = awake if begun else EnginePhase.STARTING
        report = EngineReport(
            id=engine.id, phase=phase, fingerprint=mark, address="10.0.0.1", port=40000
        )
        engines.append(report)
    models = tuple(ModelReport(name=m.name, phase=ModelPhase.READY) for m in one.spec.models)
    status = dataclasses.replace(
        one.status,
        observed_generation=one.metadata.generation,
        engines=tuple(engines),
        models=models,
    )
    return dataclasses.replace(one, status=status)
