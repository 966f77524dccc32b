"""Numbers of the controller: gauges computed from what it last saw, and the time that it takes."""

from collections import Counter as Tally
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from llmaz.controller.actions import Action, Assign
from llmaz.controller.shortage import Lack
from llmaz.controller.snapshot import ClusterSnapshot

_NONE: Mapping[str, int] = {}


class Metrics:
    """Every metric of the controller, in its own registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._objects = Gauge(
            "llmaz_controller_objects", "Objects as last seen", ["kind"], registry=self.registry
        )
        self._replicas = Gauge(
            "llmaz_controller_replicas",
            "Replicas of all Services",
            ["state"],
            registry=self.registry,
        )
        self._waiting = Gauge(
            "llmaz_controller_playgrounds",
            "Playgrounds by the reason of their condition Available",
            ["reason"],
            registry=self.registry,
        )
        self._slots = Gauge(
            "llmaz_controller_slots",
            "Pods of engines, by how far they are",
            ["state"],
            registry=self.registry,
        )
        self._actions = Counter(
            "llmaz_controller_actions", "Actions performed", ["action"], registry=self.registry
        )
        self._failures = Counter(
            "llmaz_controller_failed_actions",
            "Actions that the API server did not carry out",
            registry=self.registry,
        )
        self._scalings = Counter(
            "llmaz_controller_scalings",
            "Changes of a Playground's replicas by the autoscaler",
            ["direction", "reason"],
            registry=self.registry,
        )
        self._unplaced = Gauge(
            "llmaz_controller_unplaced_replicas",
            "Replicas that have no place, by what most nodes are short of",
            ["lack"],
            registry=self.registry,
        )
        self._displacements = Counter(
            "llmaz_controller_displacements",
            "Replicas that made way for others, by why",
            ["reason"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "llmaz_controller_plan_seconds",
            "Time to decide over one snapshot",
            buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3),
            registry=self.registry,
        )

    def saw(self, snapshot: ClusterSnapshot) -> None:
        kinds: Mapping[str, int] = {
            "OpenModel": len(snapshot.models),
            "BackendRuntime": len(snapshot.runtimes),
            "Playground": len(snapshot.playgrounds),
            "Service": len(snapshot.services),
            "InferenceNode": len(snapshot.nodes),
        }
        for kind, count in kinds.items():
            self._objects.labels(kind).set(count)
        services = snapshot.services.values()
        self._replicas.labels("wanted").set(sum(one.spec.replicas for one in services))
        self._replicas.labels("ready").set(sum(one.status.ready_replicas for one in services))
        reasons = Tally(
            condition.reason
            for playground in snapshot.playgrounds.values()
            for condition in playground.status.conditions
            if condition.type == "Available"
        )
        self._waiting.clear()
        for reason, count in reasons.items():
            self._waiting.labels(reason).set(count)

        pods = [pod for of in snapshot.slots.values() for pod in of]
        states = Tally(pod.state for pod in pods)
        self._slots.clear()
        for state, count in states.items():
            self._slots.labels(state).set(count)

    def decided(self, seconds: float, unplaced: Mapping[str, int] = _NONE) -> None:
        self._seconds.observe(seconds)
        for lack in Lack:
            self._unplaced.labels(lack).set(unplaced.get(lack, 0))

    def performed(self, action: Action) -> None:
        self._actions.labels(type(action).__name__).inc()
        for event in action.events if isinstance(action, Assign) else ():
            if event.type == "Warning":
                self._displacements.labels(event.reason).inc()

    def scaled(self, direction: str, reason: str) -> None:
        self._scalings.labels(direction, reason).inc()

    def failed(self) -> None:
        self._failures.inc()
