"""The simulated cluster: its objects, its controllers and agents, and how time passes there."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, cast

from llmaz.api.kinds import NODE, PRIORITY_CLASS, Kind
from llmaz.controller.leaving import leaving
from llmaz.controller.memo import Memo
from llmaz.controller.readings import kube_node
from llmaz.controller.snapshot import Ref
from support.simulator.agents import LEASE_SECONDS, Agent
from support.simulator.claims import CLASSES
from support.simulator.controllers import Controller
from support.simulator.merging import Merge, quickly
from support.simulator.rules import Rules
from support.simulator.server import Server
from support.simulator.settled import Settled

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
# What users are told: five minutes after the end of its Lease, a node's replicas go elsewhere.
_GRACE = timedelta(seconds=LEASE_SECONDS, minutes=5)
_PATIENCE = 60  # rounds in which a cluster left in peace has to settle


class World:
    """A cluster. What happens to it is told to the rules."""

    def __init__(self, random: Random, merge: Merge = quickly) -> None:
        self.random = random
        self.server = Server(NOW, merge)
        self.rules = Rules(self.server)
        for name, (value, displaces) in CLASSES.items():
            policy = "PreemptLowerPriority" if displaces else "Never"
            ref = Ref(kind=PRIORITY_CLASS, name=name)
            self.server.put(ref, {"value": value, "preemptionPolicy": policy})
        self.agents: dict[str, Agent] = {}
        self.leader = Controller(self.server)
        self.deaf: tuple[Kind, ...] = ()
        self.others: list[Controller] = []

    def pass_time(self, seconds: int) -> None:
        self.server.now += timedelta(seconds=seconds)
        for name, agent in self.agents.items():
            if not agent.is_silent:
                agent.beat()
            elif self.server.now >= agent.beaten_at + _GRACE:
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
        self.server.fault = lambda: None
        self.deaf = ()
        for agent in self.agents.values():
            if not agent.is_silent:
                agent.beat()
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
        self.rules.claims.check()
        self.rules.check_regrouped()
        self.rules.forget(still=self._troubled())

    def end(self, mend: Callable[["World"], None]) -> None:
        """Bring every agent back; the cluster has to become what its objects say.

        An update with which nothing becomes ready comes to a halt first, and is then taken back.
        """
        for agent in self.agents.values():
            agent.is_silent = False
            agent.knows_devices = True
            agent.beat()
        self.calm()
        mend(self)
        self.calm()
        self.server.memo = Memo()  # and it remembers nothing
        self.leader = Controller(self.server)
        left = self.leader.planned(self.server.now)
        assert left == (), f"a controller that starts anew would do {left[:2]}"
        Settled(self.server).check()

    def _troubled(self) -> list[str]:
        """Return the nodes that drive engines away as soon as there is room elsewhere."""
        driving = [
            ref.name
            for ref, node in self.server.objects.items()
            if ref.kind == NODE
            and (cast("Any", node)["spec"].get("taints") or leaving(kube_node(node)))
        ]
        ill = [
            one.name
            for one in self.agents.values()
            if one.is_silent
            or not one.knows_devices  # what it lost before it tells
            or not all(device.healthy for device in one.devices)
        ]
        return driving + ill
