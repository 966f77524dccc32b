"""What must hold in every history, and what excuses that an engine which served was disturbed."""

from collections import Counter
from collections.abc import Iterable, Iterator

from llmaz.api.kinds import INFERENCE_NODE, PLAYGROUND, SERVICE
from llmaz.api.meta import Condition, find_condition
from llmaz.api.node import InferenceNode
from llmaz.api.playground import Playground
from llmaz.api.service import Service
from llmaz.controller.rollout import most_surplus, most_unavailable
from llmaz.controller.seats import Seat, seats_of
from llmaz.controller.served import replica_of, service_of
from llmaz.controller.snapshot import Ref
from support.simulator.server import Server


class Rules:
    """The rules, and what has happened since the cluster was last calm."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._nodes: set[str] = set()
        self._services: set[str] = set()
        self._rough: set[str] = set()
        self.has_rival = False
        server.assigned = self._assigned

    def excuse_node(self, name: str) -> None:
        """What runs on this node may be stopped."""
        self._nodes.add(name)

    def excuse_playground(self, name: str) -> None:
        """The replicas of this Playground may be stopped, as far as an update may go."""
        self._services.add(name)

    def roughen(self, name: str) -> None:
        """Replicas of this Service ended by themselves, or others are asked for."""
        self._rough.add(name)

    def forget(self, *, still: Iterable[str]) -> None:
        """The cluster is calm: from now on nothing is excused but what still is not well."""
        troubled = set(still)
        self._nodes &= troubled
        if not troubled:  # else an update may wait for one of them
            self._services.clear()
            self._rough.clear()
        self.has_rival = False

    def check(self) -> None:
        """No accelerator belongs to two engines, and none to a node that does not have it."""
        for node in self._server.all(INFERENCE_NODE, InferenceNode):
            uuids = [uuid for engine in node.spec.engines for uuid in engine.accelerators]
            assert len(uuids) == len(set(uuids)), f"{node.metadata.name}: {Counter(uuids)}"
            name = node.metadata.name
            assert all(uuid.startswith(f"{name}-") for uuid in uuids), f"{name}: {uuids}"

    def check_settled(self) -> None:
        """Each replica is ready once, or its Playground says why not; nothing else runs."""
        nodes = list(self._server.all(INFERENCE_NODE, InferenceNode))
        seats = [seat for node in nodes for seat in seats_of(node)]
        ids = [seat.engine.id for seat in seats]
        assert len(ids) == len(set(ids)), f"runs twice: {sorted(ids)}"
        assert all(seat.is_ready for seat in seats), f"not ready: {seats}"
        services = {one.metadata.name: one for one in self._server.all(SERVICE, Service)}
        running = Counter(service_of(id_)[1] for id_ in ids)
        for name, count in running.items():
            assert name in services, f"{name} is gone, {count} of its replicas run"
            most = services[name].spec.replicas + most_surplus(services[name])
            assert count <= most, f"{name}: {count} replicas run"
        for playground in self._server.all(PLAYGROUND, Playground):
            name, wanted = playground.metadata.name, playground.spec.replicas
            available = find_condition(playground.status.conditions, "Available")
            assert available is not None, f"{name}: nothing is said of it"
            is_whole = name in services and running[name] == wanted > 0
            assert available.is_true == is_whole or _is_orphan(available), (
                f"{name}: {running[name]} of {wanted} run, {available.reason}: {available.message}"
            )

    def _assigned(self, before: InferenceNode, after: InferenceNode) -> None:
        """Judge the write of an assignment by the engines which served until then."""
        staying = {engine.id: engine for engine in after.spec.engines}
        name = after.metadata.name
        for engine in after.spec.engines:
            self._bounded(engine.id)
        if name in self._nodes:
            return
        for seat in seats_of(before):
            if seat.is_ready and staying.get(seat.engine.id) != seat.engine:
                self._disturbed(seat)

    def _bounded(self, id_: str) -> None:
        """No more replicas are assigned than there may be, as long as nobody changed how many."""
        key = service_of(id_)
        ref = Ref(kind=SERVICE, namespace=key[0], name=key[1])
        if ref not in self._server.objects or key[1] in self._services:
            return
        wanted = self._server.read(ref, Service)
        most = wanted.spec.replicas + most_surplus(wanted)
        assert replica_of(id_) < most, f"{id_}: one more than {most}"

    def _disturbed(self, seat: Seat) -> None:
        id_ = seat.engine.id
        key = service_of(id_)
        assert key[1] in self._services, f"{id_} served on {seat.node}, and nobody asked to stop it"
        ref = Ref(kind=SERVICE, namespace=key[0], name=key[1])
        if (
            ref not in self._server.objects
            or self._nodes
            or self.has_rival
            or key[1] in self._rough
        ):
            return
        wanted = self._server.read(ref, Service)
        mine = [seat for seat in self._seats() if service_of(seat.engine.id) == key]
        ready = sum(seat.is_ready for seat in mine)
        # What fits nowhere is not there to be counted.
        least = min(wanted.spec.replicas, len(mine)) - most_unavailable(wanted)
        assert ready >= least, f"{id_}: stopped with {ready} left of at least {least}"

    def _seats(self) -> Iterator[Seat]:
        for node in self._server.all(INFERENCE_NODE, InferenceNode):
            yield from seats_of(node)


def _is_orphan(available: Condition) -> bool:
    """Tell whether a Playground can't go on for want of a model or runtime."""
    wants = any(f"{what}NotFound" in str(available) for what in ("Model", "Runtime"))
    return wants or available.reason == "PlaygroundReady"
