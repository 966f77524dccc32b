"""The watch over an engine's runs, one at a time, and what it has found."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from llmaz.agent.engines.client import Shim
from llmaz.agent.engines.errors import EngineError
from llmaz.agent.engines.metrics import Numbers
from llmaz.agent.engines.monitor import Monitor
from llmaz.agent.engines.questions import Watched
from llmaz.agent.engines.record import EngineRecord
from llmaz.agent.engines.state import Fault, Health, Running
from llmaz.agent.engines.tasks import Tasks
from llmaz.agent.engines.tools import Tools, target_of, work_of


class Watching:
    """How an engine is. `tell` hears of each finding, and whether it is news."""

    def __init__(self, tools: Tools, tasks: Tasks, tell: Callable[[Health, bool], None]) -> None:
        self.health = Health.STARTING
        self.detail = ""
        self.verdict: Fault | None = None  # when it is dead
        self.numbers: Numbers | None = None  # of the run that is watched
        self._tools = tools
        self._tasks = tasks
        self._tell = tell
        self._task: asyncio.Task[None] | None = None

    def begin(self, kept: EngineRecord, process: Running, client: Shim) -> None:
        """Watch a run, unless it is watched."""
        if self._task is None or self._task.done() or self._task.cancelling():
            self._task = self._tasks.begin(self._watch(kept, process, client))

    def end(self) -> None:
        """Watch no more; what was found stays."""
        if self._task is not None:
            self._task.cancel()

    async def _watch(self, kept: EngineRecord, process: Running, client: Shim) -> None:
        watched = Watched(
            engine=kept.assignment,
            target=await target_of(kept, self._tools, client.status.slot),
            started_ago=(datetime.now(UTC) - process.started_at).total_seconds(),
            marks=partial(_marks, client),
            tell=self.found,
            count=self._count,
        )
        monitor = Monitor(watched, self._tools.prober, self._tools.patience)
        self.verdict = await monitor.run(was_ready=kept.ready_run == process.run)
        self.found(Health.DEAD, self.verdict.message)

    def found(self, health: Health, detail: str) -> None:
        """Take in how the engine is."""
        is_news = (health, detail) != (self.health, self.detail)
        self.health, self.detail = health, detail
        self._tell(health, is_news)

    def _count(self, numbers: Numbers | None) -> None:
        self.numbers = numbers


async def _marks(client: Shim) -> tuple[int, ...]:
    with contextlib.suppress(EngineError, TimeoutError):  # no reading, no verdict
        return await work_of(client)
    return ()
