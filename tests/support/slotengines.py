"""Engines in slots for tests of the agent: containers without pods, and a node that fills them."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from llmaz.agent.engines import Engines
from llmaz.api.node import AssignedEngine, EnginePhase, EngineReport
from llmaz.api.slot import SLOTS, AssignedSlot
from support.engines import Node, assigned, engines
from support.kubelet.slots import SlotContainer
from support.loopback import own_address

ENGINE = "default/fake-0"


class Slots:
    """Containers of slots by the uids of their pods; each has an address of its own."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._made: list[SlotContainer] = []
        self.env: dict[str, str] = {}  # of containers that are made from now on

    def make(self, uid: str) -> SlotContainer:
        slot = self._home / SLOTS / uid
        slot.parent.mkdir(exist_ok=True)
        env = {"PATH": os.environ["PATH"], **self.env}
        made = SlotContainer(slot, self._home / f"shim-{uid}", address=own_address(), env=env)
        self._made.append(made)
        return made

    def end(self) -> None:
        for container in self._made:
            container.kill()


@contextmanager
def slots_below(home: Path) -> Iterator[Slots]:
    """Make slots, and end all of them."""
    made = Slots(home)
    try:
        yield made
    finally:
        made.end()


def in_slot(uid: str, *switches: str, **fields: object) -> AssignedEngine:
    """Return a fake engine that listens on one port at the address of its slot."""
    args = ("--host", "$(LLMAZ_HOST)", *switches)
    slot = AssignedSlot(name=f"fake-0-{uid}", uid=uid)
    return assigned("fake-0", *args, slot=slot, port=None, **fields)


@dataclass
class ReadyInSlot:
    """An agent's engines, with one that is ready in a slot; `before` is its first report."""

    under: Engines
    node: Node
    container: SlotContainer
    before: EngineReport

    @property
    def now(self) -> EngineReport:
        return self.node.reports[ENGINE]

    async def until_another_runs(self) -> None:
        """Wait until the engine was started anew, and is ready."""
        await self.node.until(
            lambda: self.now.phase is EnginePhase.READY and self.now.pid != self.before.pid,
            "another process of the engine is ready",
        )


@asynccontextmanager
async def ready_in_slot(
    home: Path, slots: Slots, engine: AssignedEngine | None = None
) -> AsyncIterator[ReadyInSlot]:
    """Have an engine ready in slot a, whose container is made and run."""
    container = slots.make("a")
    container.run()
    async with engines(home / "agent") as under:
        node = Node(under)
        node.assigned = (engine or in_slot("a"),)
        yield ReadyInSlot(under, node, container, await node.until_phase(EnginePhase.READY))
