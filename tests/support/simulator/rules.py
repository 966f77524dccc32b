"""What must hold in every history, and what excuses that an engine which served was disturbed."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from llmaz.api.fingerprint import as_started
from llmaz.api.kinds import INFERENCE_NODE, NODE, OPEN_MODEL, SERVICE
from llmaz.api.names import ACCELERATOR_REPLICAS, LWS_GROUP_SIZE
from llmaz.api.node import AssignedEngine, InferenceNode
from llmaz.api.openmodel import OpenModel
from llmaz.api.service import Service
from llmaz.controller.groups import groups_of, is_serving
from llmaz.controller.ranks import leader_id
from llmaz.controller.readings import kube_node
from llmaz.controller.rollout import most_surplus, most_unavailable
from llmaz.controller.seats import Seat, seats_of
from llmaz.controller.served import replica_of, service_of
from llmaz.controller.snapshot import Key, Ref
from support.simulator.claims import Claims
from support.simulator.server import Server


class Rules:
    """The rules, and what has happened since the cluster was last calm."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._nodes: set[str] = set()
        self._services: set[str] = set()
        self._gone: set[str] = set()
        self._rough: set[str] = set()
        self._groups: set[str] = set()
        self._driving: set[str] = set()
        self._pushed: set[str] = set()
        self._regrouped: set[str] = set()
        self._whole: set[str] = set()
        self.claims = Claims(server)
        self.has_rival = False
        server.assigned = self._assigned

    def excuse_node(self, name: str) -> None:
        """What runs on this node may be stopped, and so may the rest of the groups there."""
        self._nodes.add(name)
        ref = Ref(kind=INFERENCE_NODE, name=name)
        if ref in self._server.objects:
            self._excuse_groups(self._server.read(ref, InferenceNode))

    def drive(self, name: str) -> None:
        """A node drives away what runs there: what is alone serves until it is ready elsewhere."""
        self._driving.add(name)

    def excuse_group(self, member: AssignedEngine) -> None:
        """All members of the group may be started anew, if this engine is one of a group."""
        if member.epoch:
            self._groups.add(leader_id(member.id))

    def excuse_playground(self, name: str) -> None:
        """The replicas of this Playground may be stopped, as far as an update may go."""
        self._services.add(name)

    def excuse_gone(self, name: str) -> None:
        """This Playground, or its Service, is there no more, which others may hear later."""
        self.excuse_playground(name)
        self._gone.add(name)

    def roughen(self, name: str) -> None:
        """Replicas of this Service ended by themselves, or others are asked for."""
        self._rough.add(name)

    def check_regrouped(self) -> None:
        """What ended because it was driven away is somewhere else, now that the cluster is calm.

        Unless somebody asked for less, or somebody more important may have its place.
        """
        there = self._replicas()
        for leader in sorted(self._regrouped - there.keys()):
            key = service_of(leader)
            ref = Ref(kind=SERVICE, namespace=key[0], name=key[1])
            is_excused = ref not in self._server.objects or key[1] in self._services or self._nodes
            assert is_excused or self._has_betters(key), f"{leader} was driven away to nowhere"
        self._regrouped.clear()

    def forget(self, *, still: Iterable[str]) -> None:
        """The cluster is calm: from now on nothing is excused but what still is not well.

        An update that came to a halt may go on as soon as something else changes.
        """
        troubled = set(still)
        self._nodes &= troubled
        self._driving &= troubled
        if not troubled:  # else an update may wait for one of them
            self._services &= set(self._updating())
            self._rough.clear()
            self._groups.clear()
            self._pushed.clear()
        self.claims.forget()
        self._gone.clear()
        self.has_rival = False

    def _updating(self) -> Iterator[str]:
        for one in self._server.all(SERVICE, Service):
            if one.status.updated_replicas < one.status.replicas:
                yield one.metadata.name

    def check(self) -> None:
        """No accelerator has more engines than may share it, and none is of another node.

        No two members of a group are on one node.
        """
        for node in self._server.all(INFERENCE_NODE, InferenceNode):
            uuids = [uuid for engine in node.spec.engines for uuid in engine.accelerators]
            most = max(Counter(uuids).values(), default=0)
            assert most <= replicas_of(node), f"{node.metadata.name}: {Counter(uuids)}"
            name = node.metadata.name
            assert all(uuid.startswith(f"{name}-") for uuid in uuids), f"{name}: {uuids}"
            replicas = Counter(leader_id(engine.id) for engine in node.spec.engines)
            assert all(count == 1 for count in replicas.values()), f"{name}: {replicas}"

    def _assigned(self, before: InferenceNode, after: InferenceNode) -> None:
        """Judge the write of an assignment, and see which replicas have all their members now."""
        self._judge(before, after)
        there = self._replicas()
        self._whole &= there.keys()
        self._whole.update(id_ for id_, group in there.items() if _is_whole(group))

    def _judge(self, before: InferenceNode, after: InferenceNode) -> None:
        """Judge a write by the engines which served until then."""
        staying = {engine.id: engine for engine in after.spec.engines}
        name = after.metadata.name
        there = {engine.id for engine in before.spec.engines}
        for engine in after.spec.engines:
            if not engine.rank or engine.id not in there:  # workers end after their leader
                self._bounded(engine.id, may_sleep=engine.sleep is not None)
        if name in self._nodes:
            self._excuse_groups(before)
            return
        for seat in seats_of(before):
            if seat.is_ready and not goes_on(seat.engine, staying.get(seat.engine.id)):
                self._disturbed(seat)

    def _excuse_groups(self, node: InferenceNode) -> None:
        for engine in node.spec.engines:
            self.excuse_group(engine)

    def _bounded(self, id_: str, *, may_sleep: bool) -> None:
        """No more replicas are assigned than there may be, as long as nobody changed how many."""
        key = service_of(id_)
        ref = Ref(kind=SERVICE, namespace=key[0], name=key[1])
        if ref not in self._server.objects or key[1] in self._services:
            return
        wanted = self._server.read(ref, Service)
        most = wanted.spec.replicas + most_surplus(wanted)
        assert replica_of(id_) < max(most, may_sleep), f"{id_}: one more than {most}"

    def _disturbed(self, seat: Seat) -> None:
        id_ = seat.engine.id
        leader, key = leader_id(id_), service_of(id_)
        if leader in self._groups or not self._served(seat):
            return
        members = [one for one in self._seats() if leader_id(one.engine.id) == leader]
        if any(one.node in self._nodes for one in members):
            return  # what drives one of a group away drives all of it
        if any(one.is_ready for one in members if one.engine.id == id_):
            return  # it serves elsewhere by now
        if seat.engine.epoch and self._driving.intersection(one.node for one in (seat, *members)):
            self._groups.add(leader)  # a group goes as one, and ends where it was first
            self._regrouped.add(leader)
            return
        if self._may_make_way(key):
            self._pushed.add(key[1])
            self._rough.add(key[1])
            return
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
        # What fits nowhere is not there to be counted, nor what was never more than a part of it.
        there = {one for one in mine.keys() & self._whole if self._is_allowed(mine[one], wanted)}
        if self.claims.is_above_limit(key[0]):  # what ended has no room until others give some up
            there = {one for one in there if is_serving(mine[one])}
        least = min(wanted.spec.replicas, len(there | {leader})) - most_unavailable(wanted)
        assert ready >= least, f"{id_}: stopped with {ready} left of at least {least}"

    def _is_allowed(self, group: Sequence[Seat], wanted: Service) -> bool:
        """Tell whether a replica serves, or some flavor of its model still allows it its node."""
        model = self._server.objects.get(Ref(kind=OPEN_MODEL, name=wanted.spec.model_claims.main))
        node = self._server.objects.get(Ref(kind=NODE, name=group[0].node))
        if is_serving(group) or model is None or node is None:
            return True
        labels = kube_node(node).labels
        return any(
            sum(int(count) for count in flavor.limits.values()) == len(group[0].engine.accelerators)
            and all(labels.get(key) == value for key, value in flavor.node_selector.items())
            for flavor in self._server.decode(OpenModel, model).spec.inference_config.flavors
        )

    def _may_make_way(self, key: Key) -> bool:
        """Tell whether others, that may take its place, are looking for one.

        Or were, until they went: a controller that has not heard of it makes room for them.
        """
        mine = self._server.objects.get(Ref(kind=SERVICE, namespace=key[0], name=key[1]))
        if mine is None:
            return False
        services = {one.metadata.name: one for one in self._server.all(SERVICE, Service)}
        if self._gone:
            return True
        return any(
            self.claims.may_displace(one, services[key[1]]) and self._seeks(one)
            for name, one in services.items()
            if name != key[1]
        )

    def _has_betters(self, key: Key) -> bool:
        """Tell whether anybody may take the place of a Service's replicas."""
        services = {one.metadata.name: one for one in self._server.all(SERVICE, Service)}
        mine = services.pop(key[1])
        return any(self.claims.may_displace(one, mine) for one in services.values())

    def _seeks(self, one: Service) -> bool:
        name, key = one.metadata.name, (one.metadata.namespace, one.metadata.name)
        if name in self._services | self._pushed or self._nodes or self._driving:
            return True
        mine = (group for id_, group in self._replicas().items() if service_of(id_) == key)
        return sum(map(is_serving, mine)) < one.spec.replicas

    def _served(self, seat: Seat) -> bool:
        """Tell whether its group is whole: without the others, or their leader, it serves nobody.

        A leader that ends is judged by itself.
        """
        leader = leader_id(seat.engine.id)
        others = [one for one in self._seats() if one.node != seat.node]
        members = [seat, *(one for one in others if leader_id(one.engine.id) == leader)]
        is_led = any(not one.engine.rank for one in members)
        return is_led and _is_whole(members) and all(one.is_ready for one in members)

    def _replicas(self) -> dict[str, tuple[Seat, ...]]:
        """Return the members of each replica; one that moves is where it serves."""
        seats = sorted(self._seats(), key=lambda seat: seat.is_ready)
        return groups_of({seat.engine.id: seat for seat in seats})

    def _seats(self) -> Iterator[Seat]:
        for node in self._server.all(INFERENCE_NODE, InferenceNode):
            yield from seats_of(node)


def replicas_of(node: InferenceNode) -> int:
    """Return how many engines may share each accelerator of a node."""
    return int(node.metadata.annotations.get(ACCELERATOR_REPLICAS, "1"))


def _is_whole(group: Sequence[Seat]) -> bool:
    """Tell whether all members of a replica are assigned, ready or not."""
    told = {env.name: env.value for env in group[0].engine.env}
    return len(group) >= int(told.get(LWS_GROUP_SIZE, "1"))


def goes_on(engine: AssignedEngine, after: AssignedEngine | None) -> bool:
    """Tell whether a process that serves still may, whatever else it is told."""
    if after is None or after == engine:
        return after is not None
    return as_started(after) == as_started(engine) and after.asleep <= engine.asleep
