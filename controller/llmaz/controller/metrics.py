"""Numbers of the controller: gauges computed from what it last saw, and the time that it takes."""

from collections import Counter as Tally
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from llmaz.api.kinds import SERVICE
from llmaz.api.meta import find_condition
from llmaz.controller.actions import Action, Assign, Plan, RecordEvent
from llmaz.controller.conditions import AT_REST, AVAILABLE
from llmaz.controller.events import STEPS
from llmaz.controller.shortage import Lack
from llmaz.controller.snapshot import ClusterSnapshot

_ROLLOUTS = {
    "RolloutStarted": "started",
    "RolloutUndone": "undone",
    "RolloutHalted": "halted",
    "RolloutCompleted": "completed",
}


class Metrics:
    """Every metric of the controller, in its own registry."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._make_gauges()
        self._make_counters()
        self._seconds = Histogram(
            "llmaz_controller_plan_seconds",
            "Time to decide over one snapshot",
            buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3),
            registry=self.registry,
        )
        self._waiting_since: datetime | None = None
        self._rested: Mapping[str, datetime] = {}  # when Playgrounds were last seen at rest
        self._waited_before: Mapping[str, int] = {}

    def _make_gauges(self) -> None:
        self._objects = self._gauge("objects", "Objects as last seen", "kind")
        self._replicas = self._gauge("replicas", "Replicas of all Services", "state")
        self._waiting = self._gauge(
            "playgrounds", "Playgrounds by the reason of their condition Available", "reason"
        )
        self._slots = self._gauge("slots", "Pods of engines, by how far they are", "state")
        self._unplaced = self._gauge(
            "unplaced_replicas",
            "Replicas that have no place, by what most nodes are short of",
            "lack",
        )
        self._waits = self._gauge(
            "waiting_replicas", "Replicas that are not ready, by why", "reason"
        )
        longest = self._gauge(
            "longest_wait_seconds",
            "How long the Playground has waited that waits longest; 0 where none does",
        )
        longest.set_function(self._waited)

    def _make_counters(self) -> None:
        self._actions = self._counter("actions", "Actions performed", "action")
        self._failures = self._counter(
            "failed_actions", "Actions that the API server did not carry out"
        )
        self._scalings = self._counter(
            "scalings",
            "Changes of a Playground's replicas by the autoscaler",
            *("direction", "reason"),
        )
        self._refusals = self._counter("refusals", "Replicas that came to a stop, by why", "reason")
        self._rollouts = self._counter("rollouts", "Turns that updates of Services took", "turn")
        for turn in _ROLLOUTS.values():
            self._rollouts.labels(turn)  # a rate is of what was 0 before
        self._displacements = self._counter(
            "displacements", "Replicas that made way for others, by why", "reason"
        )

    def _gauge(self, name: str, words: str, *labels: str) -> Gauge:
        return Gauge(f"llmaz_controller_{name}", words, labels, registry=self.registry)

    def _counter(self, name: str, words: str, *labels: str) -> Counter:
        return Counter(f"llmaz_controller_{name}", words, labels, registry=self.registry)

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
        self._rested = _rested(self._rested, snapshot, datetime.now(UTC))
        self._waiting_since = min(_waits_since(snapshot, self._rested), default=None)
        self._waiting.clear()
        for reason, count in reasons.items():
            self._waiting.labels(reason).set(count)

        pods = [pod for of in snapshot.slots.values() for pod in of]
        states = Tally(pod.state for pod in pods)
        self._slots.clear()
        for state, count in states.items():
            self._slots.labels(state).set(count)

    def stands_by(self) -> None:
        """Forget what was seen: what is so now is told by who leads, and alerts ask for the most.

        Counters stay: they are of what this controller did.
        """
        seen = self._objects, self._replicas, self._waiting, self._slots
        for gauge in (*seen, self._unplaced, self._waits):
            gauge.clear()
        self._waiting_since, self._rested, self._waited_before = None, {}, {}

    def decided(self, seconds: float, decided: Plan) -> None:
        self._seconds.observe(seconds)
        for lack in Lack:
            self._unplaced.labels(lack).set(decided.unplaced.get(lack, 0))
        self._waits.clear()
        for reason, count in decided.waits.items():
            self._waits.labels(reason).set(count)
            more = count - self._waited_before.get(reason, 0)
            if reason not in STEPS and more > 0:
                self._refusals.labels(reason).inc(more)
        self._waited_before = decided.waits

    def performed(self, action: Action) -> None:
        self._actions.labels(type(action).__name__).inc()
        # Every Playground has a Service, of which the same is told.
        if isinstance(action, RecordEvent) and action.ref.kind == SERVICE:
            turn = _ROLLOUTS.get(action.reason)
            if turn is not None:
                self._rollouts.labels(turn).inc()
        for event in action.events if isinstance(action, Assign) else ():
            if event.type == "Warning":
                self._displacements.labels(event.reason).inc()

    def scaled(self, direction: str, reason: str) -> None:
        self._scalings.labels(direction, reason).inc()

    def failed(self) -> None:
        self._failures.inc()

    def _waited(self) -> float:
        since = self._waiting_since
        return 0.0 if since is None else max(0.0, (datetime.now(UTC) - since).total_seconds())


def _rested(
    before: Mapping[str, datetime], snapshot: ClusterSnapshot, now: datetime
) -> dict[str, datetime]:
    """Return when each Playground that there still is was last at rest."""
    last = {}
    for playground in snapshot.playgrounds.values():
        uid = playground.metadata.uid
        available = find_condition(playground.status.conditions, AVAILABLE)
        if available is not None and available.reason in AT_REST:
            last[uid] = now
        elif uid in before:
            last[uid] = before[uid]
    return last


def _waits_since(snapshot: ClusterSnapshot, rested: Mapping[str, datetime]) -> Iterator[datetime]:
    """Yield since when each Playground is not available that shall be.

    Its condition has been False since it went to rest: it waits since it was called back.
    """
    for playground in snapshot.playgrounds.values():
        available = find_condition(playground.status.conditions, AVAILABLE)
        if available is None or available.is_true or available.reason in AT_REST:
            continue
        since = available.last_transition_time
        if since is not None:
            yield max(since, rested.get(playground.metadata.uid, since))
