"""A simulated cluster whose engines run in slots: what happens to pods, and what must hold."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from random import Random
from typing import Any

from llmaz.api.kinds import INFERENCE_NODE, NODE, OPEN_MODEL, SERVICE
from llmaz.api.node import InferenceNode
from llmaz.api.openmodel import OpenModel
from llmaz.api.service import Service
from llmaz.controller.memo import Memo
from llmaz.controller.readings import kube_node
from llmaz.controller.seats import Seat, seats_of
from llmaz.controller.slots.pod import SlotPod
from llmaz.controller.slots.policy import SlotPolicy
from llmaz.controller.snapshot import Ref
from support.simulator.controllers import Controller
from support.simulator.merging import Merge, quickly
from support.simulator.pods import Pods, PodServer
from support.simulator.rules import Rules, goes_on
from support.simulator.world import NOW, World

# Longer than any pause between two pods, and than the scheduler is given for a flavor.
_CALMING = (0, 310, 700, 700)


class SlotRules(Rules):
    """The rules of a cluster with slots, beside those that hold of every engine."""

    _server: PodServer

    def __init__(self, server: PodServer) -> None:
        super().__init__(server)
        server.ending, server.made = self._ended, self._made

    def check(self) -> None:
        """No two engines are in one slot, and none is on a node that its slot is not on."""
        super().check()
        nodes = list(self._server.all(INFERENCE_NODE, InferenceNode))
        there = [(node.metadata.name, one.slot) for node in nodes for one in node.spec.engines]
        uids = Counter(slot.uid for _, slot in there if slot is not None)
        assert max(uids.values(), default=0) <= 1, f"two engines in one slot: {uids}"
        pods = {pod.uid: pod for pod in self._server.pods().values()}
        for name, slot in there:
            assert slot is not None, f"{name}: an engine without a slot"
            assert slot.uid not in pods or pods[slot.uid].node == name, f"{slot.name} is elsewhere"

    def _made(self, pod: SlotPod) -> None:
        """A slot is made for what is asked for, and beside one that runs only for an update."""
        ref = Ref(kind=SERVICE, namespace=pod.namespace, name=pod.service)
        if ref not in self._server.objects or pod.service in self._services or self.has_rival:
            return
        replicas = self._server.read(ref, Service).spec.replicas
        assert int(pod.replica) < replicas, f"{pod.name}: one more than {replicas}"
        others = [
            one
            for one in self._server.pods().values()
            if one.owner == pod.owner and one.replica == pod.replica
            if one.lives and one.uid != pod.uid
        ]
        # What waits for a node may be followed by one of the next flavor, and what is on one that
        # slots leave by one elsewhere.
        is_alone = all(one.node and not self._is_left(one.node) for one in others)
        assert not (others and is_alone), f"{pod.name} is made beside {others[0].name}"

    def _is_left(self, name: str) -> bool:
        node = self._server.objects.get(Ref(kind=NODE, name=name))
        return node is None or name in self._nodes or kube_node(node).unschedulable

    def _ended(self, pod: SlotPod) -> None:
        """Note what a deletion ends; in a pod that has failed nothing is left to end."""
        for seat in super()._seats() if pod.ended is None else ():
            if seat.is_ready and seat.engine.slot is not None and seat.engine.slot.uid == pod.uid:
                self._disturbed(seat)

    def _seats(self) -> Iterator[Seat]:
        """Yield the seats; what has no slot any more serves nobody."""
        living = {pod.uid for pod in self._server.pods().values() if pod.lives}
        for seat in super()._seats():
            slot = seat.engine.slot
            yield replace(seat, is_ready=seat.is_ready and slot is not None and slot.uid in living)

    def _judge(self, before: InferenceNode, after: InferenceNode) -> None:
        staying = {engine.id: engine for engine in after.spec.engines}
        living = {pod.uid for pod in self._server.pods().values() if pod.lives}
        for seat in () if before.metadata.name in self._nodes else seats_of(before):
            slot = seat.engine.slot
            has_slot = slot is not None and slot.uid in living
            if seat.is_ready and has_slot and not goes_on(seat.engine, staying.get(seat.engine.id)):
                self._disturbed(seat)


class SlottedWorld(World):
    """A cluster with a scheduler and kubelets."""

    def __init__(self, random: Random, merge: Merge = quickly) -> None:
        super().__init__(random, merge)
        old = self.server
        self.server = self.pod_server = PodServer(NOW, merge)
        for ref, manifest in old.objects.items():
            self.server.put(ref, manifest)
        self.server.slot_policy = SlotPolicy(launcher="slot")
        self.rules = SlotRules(self.pod_server)
        self.leader = Controller(self.server)
        self.pods = Pods(self.pod_server, self.agents)

    def go_on(self) -> None:
        super().go_on()
        if self.random.random() < 0.7:
            self.pods.step(self.random)
        self.rules.check()

    def calm(self) -> None:
        """End all faults, and pass the time that pods and flavors are given."""
        for seconds in _CALMING:
            self.pass_time(seconds)
            self._settle()
        self.rules.forget(still=[*self._troubled(), *self.pods.lost])

    def _settle(self) -> None:
        self.server.fault = lambda: None
        self.deaf = ()
        quiet = 0
        for _ in range(80):
            self.server.collect()
            self.leader.hear()
            moved = [self.leader.round(self.server.now) > 0, self.pods.step()]
            moved += [agent.hurry() for agent in self.agents.values()]
            quiet = 0 if any(moved) else quiet + 1
            self.rules.check()
            if quiet == 2:
                return
        raise AssertionError(f"does not settle: {self.leader.planned(self.server.now)[:2]}")

    def end(self, mend: Callable[[World], None]) -> None:
        for agent in self.agents.values():
            agent.is_silent = False
            agent.knows_devices = True
            agent.beat()
        self.pods.lost.clear()
        self.calm()
        mend(self)
        self.calm()
        self.server.memo = Memo()
        self.leader = Controller(self.server)
        left = self.leader.planned(self.server.now)
        assert left == (), f"a controller that starts anew would do {left[:2]}"
        self._check_slots()

    def _check_slots(self) -> None:
        """Each replica has one slot, and is ready in it or waits for room; nothing else has one."""
        living = [pod for pod in self.pod_server.pods().values() if pod.lives]
        wanted = set[tuple[tuple[str, str], str]]()
        for one in self.server.all(SERVICE, Service):
            key = one.metadata.namespace or "", one.metadata.name
            model = Ref(kind=OPEN_MODEL, name=one.spec.model_claims.main)
            wanted.update((key, str(index)) for index in range(one.spec.replicas))
            flavors = self.server.read(model, OpenModel).spec.inference_config.flavors
            waiting = [pod for pod in living if pod.owner == key and not pod.node]
            for pod, flavor in product(waiting, flavors):
                room = self._room(dict(flavor.node_selector), dict(flavor.limits))
                assert room is None, f"{pod.name} waits, though {room} has room"
        # Beside one that serves as it was, another may wait for the room of an update.
        found = {(pod.owner, pod.replica) for pod in living}
        assert found == wanted, f"slots {found}, asked for {wanted}"
        bound = Counter((pod.owner, pod.replica) for pod in living if pod.node)
        assert max(bound.values(), default=0) <= 1, f"a replica has two slots: {bound}"
        ready = {seat.engine.slot.uid for seat in self._ready() if seat.engine.slot is not None}
        for pod in living:
            assert not pod.node or pod.uid in ready, f"{pod.name} is not ready on {pod.node}"

    def _ready(self) -> Iterator[Seat]:
        for node in self.server.all(INFERENCE_NODE, InferenceNode):
            yield from (seat for seat in seats_of(node) if seat.is_ready)

    def _room(self, selector: dict[str, str], limits: dict[str, Any]) -> str | None:
        container = {"resources": {"limits": {key: str(n) for key, n in limits.items()}}}
        return self.pods.has_room({"nodeSelector": selector, "containers": [container]})


def evict(world: SlottedWorld, at: int) -> None:
    """Drain a pod away: its replica needs another."""
    for ref, pod in _nth(world, at):
        world.rules.roughen(pod.service)
        world.pod_server.delete(ref)


def preempt(world: SlottedWorld, at: int) -> None:
    """Let a pod be over, by its kubelet or for another pod."""
    for ref, pod in _nth(world, at):
        if pod.node and pod.lives:
            world.rules.roughen(pod.service)
            world.pods.fail(ref, "Preempting")


def refuse(world: SlottedWorld, node: str) -> None:
    """Let a kubelet refuse the next pod that is bound to its node."""
    world.pods.refusing.add(node)


def lose(world: SlottedWorld, name: str, is_lost: bool) -> None:
    """Let a machine do nothing, not even end its pods; its agent is silent meanwhile."""
    if name in world.agents:
        world.rules.excuse_node(name)
        world.agents[name].is_silent = is_lost
        (world.pods.lost.add if is_lost else world.pods.lost.discard)(name)


def _nth(world: SlottedWorld, at: int) -> list[tuple[Ref, SlotPod]]:
    there = list(world.pod_server.pods().items())
    return there[at : at + 1]
