"""The simulated cluster: everything that can happen to it, one method each."""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, cast

from llmaz.api.kinds import (
    BACKEND_RUNTIME,
    INFERENCE_NODE,
    NODE,
    OPEN_MODEL,
    PLAYGROUND,
    SERVICE,
    Kind,
)
from llmaz.api.manifest import encode
from llmaz.api.node import Accelerator, NodeStatus
from llmaz.api.quantity import Quantity
from llmaz.controller.nodes import LOST_AFTER
from llmaz.controller.served import service_of
from llmaz.controller.snapshot import Ref
from support.simulator.agents import Agent
from support.simulator.controllers import Controller
from support.simulator.merging import Merge, quickly
from support.simulator.rules import Rules
from support.simulator.server import Fault, Server, lease_ref

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
RUNTIME = Ref(kind=BACKEND_RUNTIME, name="vllm")
MODEL_OF = {"p0": "m0", "p1": "m1", "p2": "m0"}
GPU = "nvidia.com/gpu"
_Devices = tuple[Accelerator, ...]
_PATIENCE = 60  # rounds in which a cluster left in peace has to settle


class World:
    """A cluster with its controllers and agents. What happens is told to the rules."""

    def __init__(self, random: Random, merge: Merge = quickly) -> None:
        self.random = random
        self.server = Server(NOW, merge)
        self.rules = Rules(self.server)
        self.agents: dict[str, Agent] = {}
        self.leader = Controller(self.server)
        self.deaf: tuple[Kind, ...] = ()
        self.others: list[Controller] = []

    # Nodes

    def join(self, name: str, gpus: int) -> None:
        if name in self.agents:
            return
        devices = tuple(_device(name, index) for index in range(gpus))
        capacity = {"cpu": Quantity("64"), "memory": Quantity("256Gi")}
        status = NodeStatus(capacity=capacity, accelerators=devices, models=(), engines=())
        labels = {"pool": "a" if gpus % 2 else "b"}
        self.server.put(Ref(kind=NODE, name=name), {"metadata": {"labels": labels}, "spec": {}})
        self.agents[name] = agent = Agent(self.server, name, status)
        self.server.put(agent.ref, {"spec": {}, "status": encode(status)})
        agent.beat()

    def leave(self, name: str) -> None:
        self.rules.excuse_node(name)
        self.agents.pop(name, None)
        for ref in (Ref(kind=INFERENCE_NODE, name=name), Ref(kind=NODE, name=name)):
            self.server.remove(ref)
        self.server.remove(lease_ref(name))

    def cordon(self, name: str, is_cordoned: bool) -> None:
        self._set_node(name, unschedulable=is_cordoned)

    def taint(self, name: str, effect: str | None) -> None:
        if effect == "NoExecute":
            self.rules.excuse_node(name)
        self._set_node(name, taints=[{"key": "k", "effect": effect}] if effect else [])

    def sicken(self, name: str, is_well: bool) -> None:
        self._set_devices(name, lambda devices: (_well(devices[0], is_well), *devices[1:]))

    def lose_device(self, name: str) -> None:
        self._set_devices(name, lambda devices: devices[1:])

    def forget_devices(self, name: str, is_known: bool) -> None:
        agent = self.agents.get(name)
        if agent is not None:
            agent.knows_devices = is_known

    def silence(self, name: str, is_silent: bool) -> None:
        if name in self.agents:
            self.agents[name].is_silent = is_silent

    def crash(self, name: str) -> None:
        id_ = self.agents[name].crash(self.random) if name in self.agents else None
        if id_ is not None:
            self.rules.roughen(service_of(id_)[1])

    # What users write

    def serve(self, name: str, replicas: int) -> None:
        self.rules.excuse_playground(name)
        self.rules.roughen(name)
        claim = {"modelName": MODEL_OF[name]}
        old = self._spec(PLAYGROUND, name)
        self.server.put(
            _playground(name), {"spec": {**old, "modelClaim": claim, "replicas": replicas}}
        )

    def edit(self, name: str, arg: str) -> None:
        old = self._spec(PLAYGROUND, name)
        if old:
            self.rules.excuse_playground(name)
            config = {"backendName": "vllm", "args": [arg]}
            self.server.put(_playground(name), {"spec": {**old, "backendRuntimeConfig": config}})

    def surge(self, name: str, most: int) -> None:
        """Let a hand-written Service of that name have replicas in excess, if there is one."""
        old = self._spec(SERVICE, name)
        if old:
            self.rules.excuse_playground(name)
            rolling = {"maxSurge": most, "maxUnavailable": 1 - most}
            strategy = {"type": "RollingUpdate", "rollingUpdateConfiguration": rolling}
            self.server.put(_service(name), {"spec": {**old, "rolloutStrategy": strategy}})

    def withdraw(self, name: str) -> None:
        self.rules.excuse_playground(name)
        self.server.remove(_playground(name))

    def delete_service(self, name: str) -> None:
        self.rules.excuse_playground(name)
        self.server.remove(_service(name))

    def offer(self, name: str, revision: str) -> None:
        for playground, model in MODEL_OF.items():
            if model == name:
                self.rules.excuse_playground(playground)
        hub = {"modelID": f"org/{name}", "revision": revision}
        flavors = [
            {"name": "one", "limits": {GPU: 1}, "nodeSelector": {"pool": "a"}},
            {"name": "two", "limits": {GPU: 2}, "params": {"TP": "2"}},
        ]
        spec = {
            "familyName": "f",
            "source": {"modelHub": hub},
            "inferenceConfig": {"flavors": flavors[int(name == "m1") :]},
        }
        self.server.put(Ref(kind=OPEN_MODEL, name=name), {"spec": spec})

    def drop(self, name: str) -> None:
        self.server.remove(Ref(kind=OPEN_MODEL, name=name))

    def provide(self, version: str) -> None:
        for name in MODEL_OF:
            self.rules.excuse_playground(name)
        args = ["--model", "{{ .ModelPath }}", "--tp", "{{ .TP }}", "--port", "{{ .Port }}"]
        spec = {
            "command": ["serve"],
            "image": "engine",
            "version": version,
            "recommendedConfigs": [{"name": "default", "args": args}],
        }
        self.server.put(RUNTIME, {"spec": spec})

    def take_away(self) -> None:
        self.server.remove(RUNTIME)

    # Faults, which are no excuse for anything

    def fail(self, share: float) -> None:
        """Let a share of the controller's requests fail from now on."""
        faults: tuple[Fault, ...] = ("lost", "unanswered", "conflict")

        def fault() -> Fault | None:
            return self.random.choice(faults) if self.random.random() < share else None

        self.server.fault = fault

    def deafen(self, many: int) -> None:
        """Let the watches of some kinds hang from now on."""
        kinds = (INFERENCE_NODE, SERVICE, PLAYGROUND, OPEN_MODEL, NODE)
        self.deaf = tuple(self.random.sample(kinds, many))

    def restart(self) -> None:
        self.leader = Controller(self.server)

    def cut(self, most: int) -> None:
        """Let the controller end after some of what it decided, and another take over."""
        self.leader.hear(deaf=self.deaf)
        self.leader.round(self.server.now, most=most)
        self.restart()

    def rival(self) -> None:
        """Let a controller that believes to lead act on what it heard long ago."""
        if not self.others:
            self.others.append(Controller(self.server))
            return
        self.rules.has_rival = True
        self.others.pop().round(self.server.now)

    # Time

    def pass_time(self, seconds: int) -> None:
        self.server.now += timedelta(seconds=seconds)
        for name, agent in self.agents.items():
            if not agent.is_silent:
                agent.beat()
            elif timedelta(seconds=seconds) + timedelta(seconds=60) >= LOST_AFTER:
                self.rules.excuse_node(name)

    def go_on(self) -> None:
        """Let controllers and agents do a little, in any order."""
        for _ in range(self.random.randint(0, 3)):
            if self.random.random() < 0.5:
                self.leader.hear(deaf=self.deaf)
                self.leader.round(self.server.now)
            for name in sorted(self.agents):
                if self.random.random() < 0.6:
                    self.agents[name].step(self.random)
        self.rules.check()

    def calm(self) -> None:
        """End all faults and let everything settle; what is disturbed after has no excuse."""
        self.fail(0)
        self.deaf = ()
        self.server.collect()
        quiet = 0  # rounds; an agent that starts what has crashed says nothing new in the first
        for _ in range(_PATIENCE):
            self.leader.hear()
            acted = self.leader.round(self.server.now)
            moved = [agent.hurry() for agent in self.agents.values()]
            quiet = 0 if acted or any(moved) else quiet + 1
            if quiet == 2:
                break
        else:
            raise AssertionError(f"does not settle: {self.leader.planned(self.server.now)[:2]}")
        self.rules.check()
        self.rules.forget(still=self._troubled())

    def _troubled(self) -> list[str]:
        """Return the nodes that drive engines away as soon as there is room elsewhere."""
        tainted = [
            ref.name
            for ref, node in self.server.objects.items()
            if ref.kind == NODE and cast("Any", node)["spec"].get("taints")
        ]
        ill = [
            one.name
            for one in self.agents.values()
            if one.is_silent or not all(device.healthy for device in one.devices)
        ]
        return tainted + ill

    def end(self) -> None:
        """Bring every agent back; the cluster has to become what its objects say."""
        for agent in self.agents.values():
            agent.is_silent = False
            agent.knows_devices = True
            agent.beat()
        self.calm()
        self.leader = Controller(self.server)
        left = self.leader.planned(self.server.now)
        assert left == (), f"a controller that starts anew would do {left[:2]}"
        self.rules.check_settled()

    def _spec(self, kind: Kind, name: str) -> dict[str, Any]:
        found = self.server.objects.get(Ref(kind=kind, namespace="default", name=name))
        return cast("dict[str, Any]", found["spec"]) if found else {}

    def _set_node(self, name: str, **spec: bool | list[dict[str, str]]) -> None:
        ref = Ref(kind=NODE, name=name)
        old = cast("Any", self.server.objects.get(ref))
        if old is not None:
            self.server.put(ref, {"spec": {**old["spec"], **spec}})

    def _set_devices(self, name: str, change: Callable[[_Devices], _Devices]) -> None:
        agent = self.agents.get(name)
        if agent is not None and agent.devices:
            self.rules.excuse_node(name)
            agent.devices = change(agent.devices)


def _device(node: str, index: int) -> Accelerator:
    return Accelerator(
        uuid=f"{node}-{index}", index=index, vendor="nvidia", product="A10", resource=GPU
    )


def _well(device: Accelerator, is_well: bool) -> Accelerator:
    return dataclasses.replace(device, healthy=is_well)


def _playground(name: str) -> Ref:
    return Ref(kind=PLAYGROUND, namespace="default", name=name)


def _service(name: str) -> Ref:
    return Ref(kind=SERVICE, namespace="default", name=name)
