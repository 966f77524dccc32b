"""What a cluster has to be that was left in peace: what its objects say, where there is room."""

from collections import Counter
from collections.abc import Iterator, Sequence

from llmaz.api import names
from llmaz.api.kinds import (
    BACKEND_RUNTIME,
    INFERENCE_NODE,
    NODE,
    OPEN_MODEL,
    PLAYGROUND,
    SERVICE,
    TENANT,
)
from llmaz.api.meta import find_condition
from llmaz.api.node import AssignedEngine, EnginePhase, InferenceNode
from llmaz.api.openmodel import Flavor, OpenModel
from llmaz.api.playground import Playground
from llmaz.api.service import Service
from llmaz.controller.groups import groups_of, is_serving
from llmaz.controller.readings import kube_node
from llmaz.controller.rollout import most_surplus
from llmaz.controller.seats import Seat, seats_of
from llmaz.controller.served import service_of
from llmaz.controller.snapshot import KubeNode, Ref
from support.simulator.agents import address_of
from support.simulator.claims import class_of
from support.simulator.rules import replicas_of
from support.simulator.server import Server


class Settled:
    """A cluster in which nothing goes on any more."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._nodes = {one.metadata.name: one for one in server.all(INFERENCE_NODE, InferenceNode)}
        self._kube_nodes = {
            ref.name: kube_node(manifest)
            for ref, manifest in server.objects.items()
            if ref.kind == NODE
        }
        seats = [seat for node in self._nodes.values() for seat in seats_of(node)]
        self._services = {one.metadata.name: one for one in server.all(SERVICE, Service)}
        self._playgrounds = {one.metadata.name: one for one in server.all(PLAYGROUND, Playground)}
        self._orphans = frozenset(self._without_means())
        self._seats = [one for one in seats if service_of(one.engine.id)[1] not in self._orphans]
        self._groups = groups_of({seat.engine.id: seat for seat in seats})

    def check(self) -> None:
        """Each replica is ready once, or its Playground says why not; nothing else runs."""
        # What never becomes ready where it moves to, and can't be mended, serves where it was.
        ids = [seat.engine.id for seat in self._seats]
        assert len(ids) == len(set(ids)), f"runs twice: {sorted(ids)}"
        for leader, group in self._groups.items():
            if service_of(leader)[1] not in self._orphans and not self._rests(group):
                _check_whole(leader, group)
        running = Counter(service_of(leader)[1] for leader in self._groups)
        for name, count in running.items():
            assert name in self._services, f"{name} is gone, {count} of its replicas run"
            service = self._services[name]
            most = service.spec.replicas + most_surplus(service)
            rests = any(map(self._rests, self._groups.values()))
            assert count <= max(most, rests), f"{name}: {count} replicas run"
        for name, playground in self._playgrounds.items():
            self._check_told(name, playground, running[name])
        self._check_places()

    def _check_told(self, name: str, playground: Playground, running: int) -> None:
        wanted = playground.spec.replicas
        available = find_condition(playground.status.conditions, "Available")
        assert available is not None, f"{name}: nothing is said of it"
        is_whole = name in self._services and running == wanted > 0
        assert available.is_true == is_whole or name in self._orphans, (
            f"{name}: {running} of {wanted} run, {available.reason}: {available.message}"
        )
        if running < wanted and name not in self._orphans:
            room = self._room(playground)
            assert room is None, f"{name}: {running} of {wanted} run, though {room} has room"
            value, displaces = class_of(playground.spec.placement)
            room = self._room(playground, above=value) if displaces else None
            assert room is None, f"{name}: {running} of {wanted} run, none make way on {room}"

    def _check_places(self) -> None:
        """Nothing stays where it is driven away while there is room elsewhere."""
        for seat in self._seats:
            playground = self._playgrounds.get(service_of(seat.engine.id)[1])
            if playground is not None and self._is_driven(seat):
                room = self._room(playground)
                assert room is None, f"{seat.engine.id} stays on {seat.node}, {room} has room"

    def _rests(self, group: Sequence[Seat]) -> bool:
        """Tell whether a replica sleeps, as a Playground at zero lets one."""
        playground = self._playgrounds.get(service_of(group[0].engine.id)[1])
        if playground is None or playground.spec.replicas or not group[0].engine.asleep:
            return False
        report = group[0].report
        return report is not None and report.phase is EnginePhase.ASLEEP

    def _is_driven(self, seat: Seat) -> bool:
        node = self._kube_nodes.get(seat.node)
        sick = {
            one.uuid for one in self._nodes[seat.node].status.accelerators or () if not one.healthy
        }
        return not sick.isdisjoint(seat.engine.accelerators) or _drives(node)

    def _room(self, playground: Playground, above: int | None = None) -> str | None:
        """Return a node with room for one more replica on a single node, if nothing is against it.

        Whose number is bounded by more than accelerators is not judged.
        """
        is_bounded = any(ref.kind == TENANT for ref in self._server.objects)
        model = Ref(kind=OPEN_MODEL, name=playground.spec.claims.main)
        if is_bounded or playground.spec.placement.capacity is not None:
            return None
        flavors = self._server.read(model, OpenModel).spec.inference_config.flavors
        return next(
            (
                name
                for name in self._nodes
                for flavor in flavors
                if self._has_room(name, flavor, above)
            ),
            None,
        )

    def _has_room(self, name: str, flavor: Flavor, above: int | None = None) -> bool:
        """Tell whether a node has room, where all that are of a class below `above` make way."""
        node, kube = self._nodes[name], self._kube_nodes.get(name)
        if kube is None or kube.unschedulable or kube.taints or _drives(kube):
            return False
        if "PP" in flavor.params or any(
            kube.labels.get(key) != value for key, value in flavor.node_selector.items()
        ):
            return False
        taken = Counter(
            uuid
            for engine in node.spec.engines
            if above is None or not self._is_below(engine, above)
            for uuid in engine.accelerators
        )
        devices, replicas = node.status.accelerators or (), replicas_of(node)
        free = sum(one.healthy and taken[one.uuid] < replicas for one in devices)
        wanted = sum(int(count) for count in flavor.limits.values())
        return free >= wanted and (replicas == 1 or wanted == 1)

    def _is_below(self, engine: AssignedEngine, value: int) -> bool:
        """Tell whether an engine makes way for this class. One without its model stays as it is."""
        playground = self._playgrounds.get(engine.playground or "")
        if playground is None or engine.playground in self._orphans:
            return False
        return class_of(playground.spec.placement)[0] < value

    def _without_means(self) -> Iterator[str]:
        """Yield the Playgrounds that can't go on for want of a model, or of a runtime that fits."""
        kinds = Counter(ref.kind for ref in self._server.objects)
        for name, playground in self._playgrounds.items():
            model = Ref(kind=OPEN_MODEL, name=playground.spec.claims.main)
            available = find_condition(playground.status.conditions, "Available")
            # What is ready all the same says in its message what can't be filled in.
            is_unfit = "{{" in playground.status.message or (
                available is not None and "InvalidTemplate" in available.reason + available.message
            )
            if model not in self._server.objects or not kinds[BACKEND_RUNTIME] or is_unfit:
                yield name


def _drives(node: KubeNode | None) -> bool:
    """Tell whether a node lets nothing stay that can be elsewhere."""
    if node is None:
        return False
    notices = any("/" in taint.key or taint.effect == "NoExecute" for taint in node.taints)
    return notices or node.annotations.get(names.DRAIN) == "true"


def _check_whole(leader: str, group: Sequence[Seat]) -> None:
    """A replica is one ready engine, or a group whose members are ready and find one another."""
    assert is_serving(group), f"not ready: {group}"
    told = {env.name: env.value for env in group[0].engine.env}
    size = int(told.get(names.LWS_GROUP_SIZE, "1"))
    ranks = [seat.engine.rank for seat in group]
    assert ranks == list(range(size)), f"{leader}: members {ranks} of {size}"
    assert len({seat.node for seat in group}) == size, f"{leader}: two members on one node"
    assert len({seat.engine.epoch for seat in group}) == 1, f"{leader}: several epochs"
    for seat in group if size > 1 else ():
        env = {env.name: env.value for env in seat.engine.env}
        met = env[names.LWS_LEADER_ADDRESS], env[names.LWS_GROUP_SIZE]
        assert met == (address_of(group[0].node), str(size)), f"{seat.engine.id}: goes to {met}"
