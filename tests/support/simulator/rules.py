"""What must hold in every history, and what excuses that an engine which served was disturbed."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from llmaz.api import names
from llmaz.api.kinds import BACKEND_RUNTIME, INFERENCE_NODE, OPEN_MODEL, PLAYGROUND, SERVICE
from llmaz.api.meta import find_condition
from llmaz.api.node import AssignedEngine, InferenceNode
from llmaz.api.playground import Playground
from llmaz.api.service import Service
from llmaz.controller.groups import groups_of, is_serving
from llmaz.controller.ranks import leader_id
from llmaz.controller.rollout import most_surplus, most_unavailable
from llmaz.controller.seats import Seat, seats_of
from llmaz.controller.served import replica_of, service_of
from llmaz.controller.snapshot import Ref
from support.simulator.agents import address_of
from support.simulator.server import Server


class Rules:
    """The rules, and what has happened since the cluster was last calm."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._nodes: set[str] = set()
        self._services: set[str] = set()
        self._rough: set[str] = set()
        self._groups: set[str] = set()
        self.has_rival = False
        server.assigned = self._assigned

    def excuse_node(self, name: str) -> None:
        """What runs on this node may be stopped, and so may the rest of the groups there."""
        self._nodes.add(name)
        ref = Ref(kind=INFERENCE_NODE, name=name)
        if ref in self._server.objects:
            self._excuse_groups(self._server.read(ref, InferenceNode))

    def excuse_group(self, member: AssignedEngine) -> None:
        """All members of the group may be started anew, if this engine is one of a group."""
        if member.epoch:
            self._groups.add(leader_id(member.id))

    def excuse_playground(self, name: str) -> None:
        """The replicas of this Playground may be stopped, as far as an update may go."""
        self._services.add(name)

    def roughen(self, name: str) -> None:
        """Replicas of this Service ended by themselves, or others are asked for."""
        self._rough.add(name)

    def forget(self, *, still: Iterable[str]) -> None:
        """The cluster is calm: from now on nothing is excused but what still is not well.

        An update that came to a halt may go on as soon as something else changes.
        """
        troubled = set(still)
        self._nodes &= troubled
        if not troubled:  # else an update may wait for one of them
            self._services &= set(self._updating())
            self._rough.clear()
            self._groups.clear()
        self.has_rival = False

    def _updating(self) -> Iterator[str]:
        for one in self._server.all(SERVICE, Service):
            if one.status.updated_replicas < one.status.replicas:
                yield one.metadata.name

    def check(self) -> None:
        """No accelerator belongs to two engines, none to a node that does not have it.

        No two members of a group are on one node.
        """
        for node in self._server.all(INFERENCE_NODE, InferenceNode):
            uuids = [uuid for engine in node.spec.engines for uuid in engine.accelerators]
            assert len(uuids) == len(set(uuids)), f"{node.metadata.name}: {Counter(uuids)}"
            name = node.metadata.name
            assert all(uuid.startswith(f"{name}-") for uuid in uuids), f"{name}: {uuids}"
            replicas = Counter(leader_id(engine.id) for engine in node.spec.engines)
            assert all(count == 1 for count in replicas.values()), f"{name}: {replicas}"

    def check_settled(self) -> None:
        """Each replica is ready once, or its Playground says why not; nothing else runs."""
        seats = list(self._seats())
        groups = groups_of({seat.engine.id: seat for seat in seats})
        services = {one.metadata.name: one for one in self._server.all(SERVICE, Service)}
        orphans = set(self._orphans())
        # What never becomes ready where it moves to, and can't be mended, serves where it was.
        ids = [seat.engine.id for seat in seats if service_of(seat.engine.id)[1] not in orphans]
        assert len(ids) == len(set(ids)), f"runs twice: {sorted(ids)}"
        for leader, group in groups.items():
            if service_of(leader)[1] not in orphans:
                _check_whole(leader, group)
        running = Counter(service_of(leader)[1] for leader in groups)
        for name, count in running.items():
            assert name in services, f"{name} is gone, {count} of its replicas run"
            most = services[name].spec.replicas + most_surplus(services[name])
            assert count <= most, f"{name}: {count} replicas run"
        for playground in self._server.all(PLAYGROUND, Playground):
            name, wanted = playground.metadata.name, playground.spec.replicas
            available = find_condition(playground.status.conditions, "Available")
            assert available is not None, f"{name}: nothing is said of it"
            is_whole = name in services and running[name] == wanted > 0
            assert available.is_true == is_whole or name in orphans, (
                f"{name}: {running[name]} of {wanted} run, {available.reason}: {available.message}"
            )

    def _orphans(self) -> Iterator[str]:
        """Yield the Playgrounds that can't go on for want of a model, or of a runtime that fits."""
        kinds = Counter(ref.kind for ref in self._server.objects)
        for playground in self._server.all(PLAYGROUND, Playground):
            model = Ref(kind=OPEN_MODEL, name=playground.spec.claims.main)
            available = find_condition(playground.status.conditions, "Available")
            is_unfit = available is not None and available.reason == "InvalidTemplate"
            if model not in self._server.objects or not kinds[BACKEND_RUNTIME] or is_unfit:
                yield playground.metadata.name

    def _assigned(self, before: InferenceNode, after: InferenceNode) -> None:
        """Judge the write of an assignment by the engines which served until then."""
        staying = {engine.id: engine for engine in after.spec.engines}
        name = after.metadata.name
        for engine in after.spec.engines:
            self._bounded(engine.id)
        if name in self._nodes:
            self._excuse_groups(before)
            return
        for seat in seats_of(before):
            if seat.is_ready and staying.get(seat.engine.id) != seat.engine:
                self._disturbed(seat)

    def _excuse_groups(self, node: InferenceNode) -> None:
        for engine in node.spec.engines:
            self.excuse_group(engine)

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
        leader, key = leader_id(id_), service_of(id_)
        if leader in self._groups or not self._served(seat):
            return
        members = (one for one in self._seats() if leader_id(one.engine.id) == leader)
        if any(one.node in self._nodes for one in members):
            return  # what drives one of a group away drives all of it
        assert key[1] in self._services, f"{id_} served on {seat.node}, and nobody asked to stop it"
        if seat.engine.epoch:
            self._groups.add(leader)  # the rest of it follows, and counts once
        ref = Ref(kind=SERVICE, namespace=key[0], name=key[1])
        if (
            ref not in self._server.objects
            or self._nodes
            or self.has_rival
            or key[1] in self._rough
        ):
            return
        wanted = self._server.read(ref, Service)
        mine = {id_: group for id_, group in self._replicas().items() if service_of(id_) == key}
        ready = sum(is_serving(group) for id_, group in mine.items() if id_ != leader)
        # What fits nowhere is not there to be counted.
        least = min(wanted.spec.replicas, len({*mine, leader})) - most_unavailable(wanted)
        assert ready >= least, f"{id_}: stopped with {ready} left of at least {least}"

    def _served(self, seat: Seat) -> bool:
        """Tell whether the other members of its group are ready: one alone serves nobody."""
        leader = leader_id(seat.engine.id)
        others = (one for one in self._seats() if one.node != seat.node)
        return all(one.is_ready for one in others if leader_id(one.engine.id) == leader)

    def _replicas(self) -> dict[str, tuple[Seat, ...]]:
        return groups_of({seat.engine.id: seat for seat in self._seats()})

    def _seats(self) -> Iterator[Seat]:
        for node in self._server.all(INFERENCE_NODE, InferenceNode):
            yield from seats_of(node)


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
