"""An engine's connection to its shim: found again, made anew, let go when the shim has died."""

from collections.abc import Callable
from pathlib import Path

from llmaz.agent.engines import orders
from llmaz.agent.engines.client import Shim, ShimStatus
from llmaz.agent.engines.tools import Tools
from llmaz.agent.slots.about import SlotAbout
from llmaz.api.node import AssignedEngine


class Link:
    """The way to one engine's shim, which is in the engine's own directory or in its slot's."""

    def __init__(self, tools: Tools, own: Path, on_change: Callable[[], None]) -> None:
        self.client: Shim | None = None
        self._tools = tools
        self._own = own
        self._on_change = on_change

    @property
    def status(self) -> ShimStatus | None:
        """The shim's last word; None where none answers."""
        if self.client is None or self.client.lost.is_set():
            return None
        return self.client.status

    @property
    def slot(self) -> SlotAbout | None:
        """What is known of the slot that it runs in; None without one, or while it is not there."""
        status = self.status
        return status.slot if status is not None else None

    def place(self, engine: AssignedEngine) -> Path:
        """Return where the shim's files are."""
        return self._tools.place_of(engine, self._own)[1]

    async def find(self, engine: AssignedEngine) -> None:
        """Connect to its shim; a dead one's successor ends what that left."""
        if self.client is None:
            launcher, place = self._tools.place_of(engine, self._own)
            self.client = await launcher.connect(place, self._on_change)

    async def launch(self, engine: AssignedEngine) -> Shim:
        """Have a shim for the engine's next run: a new one, unless there is one."""
        if self.client is None:
            launcher, place = self._tools.place_of(engine, self._own)
            self.client = await launcher.launch(place, self._on_change)
        return self.client

    async def enter(self, engine: AssignedEngine, former: AssignedEngine) -> Shim:
        """Connect to the shim of the next run, which may have another place than the former run's.

        A slot outlives its engines. The engine's own shim ends when the engine goes to a slot.
        """
        moves = self.slot is None or self.place(engine) != self.place(former)
        if self.client is not None and moves:
            left, self.client = self.client, None
            if former.slot is None:
                await orders.leave(left)
            await left.close()
        return await self.launch(engine)

    def drop(self) -> None:
        """Think no more of a shim that is lost."""
        self.client = None

    async def aclose(self) -> None:
        """Let go of the shim, which runs on."""
        if self.client is not None:
            await self.client.close()
