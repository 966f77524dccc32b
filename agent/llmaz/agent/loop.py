"""Look, decide, act, and wait for something to change."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from llmaz.agent.observe import Observer
from llmaz.agent.plan import AgentAction, Plan, plan
from llmaz.agent.state import NodeFacts, NodeState
from llmaz.api.node import NodeStatus

logger = logging.getLogger(__name__)

PAUSE_AFTER_ERROR_SECONDS = 1.0


class ActionsPort(Protocol):
    """What begins an action, and returns at once."""

    def perform(self, action: AgentAction) -> None: ...


class StatusPort(Protocol):
    """What takes the status to be written."""

    def offer(self, status: NodeStatus) -> None: ...


class Loop:
    """The agent's one loop. `changed` wakes it."""

    def __init__(
        self,
        facts: NodeFacts,
        *,
        observer: Observer,
        performer: ActionsPort,
        publisher: StatusPort,
        changed: asyncio.Event,
        now: Callable[[], datetime],
    ) -> None:
        self.seen: NodeState | None = None  # the last look and what was decided on it, for metrics
        self.decided: Plan | None = None
        self._facts = facts
        self._observer = observer
        self._performer = performer
        self._publisher = publisher
        self._changed = changed
        self._now = now

    async def run(self) -> None:
        """Go round until cancelled. An error of one round is logged, and the next tries again."""
        while True:
            self._changed.clear()
            try:
                wait = await self._round()
            except Exception:
                logger.exception("this look at the node failed")
                wait = PAUSE_AFTER_ERROR_SECONDS
            await self._wait(wait)

    async def _round(self) -> float | None:
        state = await self._observer.look()
        decided = plan(self._facts, state, self._now())
        self.seen, self.decided = state, decided
        self._observer.conditions = decided.status.conditions
        self._publisher.offer(decided.status)
        for action in decided.actions:
            self._performer.perform(action)
        return decided.look_again_in

    async def _wait(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return
