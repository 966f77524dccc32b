"""Look, decide, act, and wait for something to change."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from llmaz.agent.news import news
from llmaz.agent.observe import Observer
from llmaz.agent.plan import AgentAction, Plan, plan
from llmaz.agent.state import NodeFacts, NodeState
from llmaz.api.node import NodeStatus

logger = logging.getLogger(__name__)

PAUSE_AFTER_ERROR_SECONDS = 1.0
SETTLE_SECONDS = 3.0  # then the first report goes out with what is known


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
        self._started_at = now()
        self._reporting = False

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
        now = self._now()
        decided = plan(self._facts, state, now)
        for line in news(self.decided.status if self.decided else None, decided.status):
            logger.info("%s", line)
        self.seen, self.decided = state, decided
        self._observer.conditions = decided.status.conditions
        self._reporting = self._reporting or self._may_report(state, now)
        if self._reporting:
            self._publisher.offer(decided.status)
        for action in decided.actions:
            self._performer.perform(action)
        waits = [decided.look_again_in, None if self._reporting else SETTLE_SECONDS]
        return min((wait for wait in waits if wait is not None), default=None)

    def _may_report(self, state: NodeState, now: datetime) -> bool:
        """Tell whether the first report may go out.

        Before everything was looked at once, it would take back what the agent's former life knew.
        """
        return state.is_complete or (now - self._started_at).total_seconds() >= SETTLE_SECONDS

    async def _wait(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return
