"""Which Playgrounds the autoscaler looks after, and where their engines tell their load. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from llmaz.api.node import EnginePhase
from llmaz.api.playground import Playground
from llmaz.controller.ladder import may_sleep
from llmaz.controller.scaling.decide import Policy
from llmaz.controller.scaling.hpa import hpa_rules
from llmaz.controller.seats import Seat
from llmaz.controller.snapshot import ClusterSnapshot, Key

_SERVING = (EnginePhase.READY, EnginePhase.UNREADY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One elastic Playground.

    `engines` has those that may have requests, each with the URL of its node's agent.
    """

    playground: Playground
    policy: Policy
    engines: Mapping[str, str]

    @property
    def key(self) -> Key:
        meta = self.playground.metadata
        return meta.namespace or "", meta.name


def targets(snapshot: ClusterSnapshot) -> dict[Key, Target]:
    """Return the Playgrounds that somebody has to scale, in order of their names."""
    elastic = {
        key: one
        for key, one in sorted(snapshot.playgrounds.items())
        if one.spec.elastic_config is not None and one.metadata.deletion_timestamp is None
    }
    if not elastic:
        return {}
    engines: dict[Key, dict[str, str]] = {}
    for key, seat in _serving_seats(snapshot):
        url = snapshot.nodes[seat.node].status.agent_url
        engines.setdefault(key, {})[seat.engine.id] = url
    return {
        key: Target(playground=one, policy=policy, engines=engines.get(key, {}))
        for key, one in elastic.items()
        if (policy := _policy(one, snapshot)) is not None
    }


def _policy(playground: Playground, snapshot: ClusterSnapshot) -> Policy | None:
    elastic = playground.spec.elastic_config
    if elastic is None:
        return None
    has_hpa = hpa_rules(playground, snapshot) is not None
    if has_hpa and elastic.min_replicas > 0:
        return None
    runtime = snapshot.runtimes.get(playground.spec.backend_runtime_config.backend_name)
    sleeps = may_sleep(playground, runtime.spec if runtime else None)
    return Policy.of(elastic, only_to_zero=has_hpa, sleeps=sleeps)


def _serving_seats(snapshot: ClusterSnapshot) -> Iterator[tuple[Key, Seat]]:
    """Yield the engines that may have requests: also unready ones, and those of before an edit."""
    for seats in snapshot.seats.values():
        for seat in seats:
            serves = seat.report is not None and seat.report.phase in _SERVING
            if serves and seat.engine.playground is not None:
                yield (seat.engine.id.partition("/")[0], seat.engine.playground), seat
