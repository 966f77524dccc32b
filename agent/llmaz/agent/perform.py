"""Does one action. Long ones go on in the background; the next look sees what they did."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Protocol, assert_never

from llmaz.agent.assignment import Reading, confirms_stop
from llmaz.agent.cache.state import (
    AskRight,
    DropModel,
    DropRight,
    FetchModel,
    ListPeers,
    ModelAction,
)
from llmaz.agent.engines.state import (
    BuildEnvironment,
    EngineAction,
    ForgetEngine,
    SleepEngine,
    StartEngine,
    StopEngine,
    WakeEngine,
)
from llmaz.agent.plan import AgentAction, AskThenStop
from llmaz.kube.errors import KubeError

logger = logging.getLogger(__name__)

FAILED_ACTION_PAUSE_SECONDS = 1.0  # the next look would ask for the same again
ASK_AGAIN_SECONDS = 2.0  # while the API server is away


class EnginesPort(Protocol):
    """What acts on engines."""

    async def perform(self, action: EngineAction) -> None: ...


class ModelsPort(Protocol):
    """What acts on models; it returns at once."""

    def perform(self, action: ModelAction) -> None: ...


class Performer:
    """Runs actions, one at a time for each engine and each Python environment."""

    def __init__(
        self,
        *,
        engines: EnginesPort,
        models: ModelsPort,
        fresh_assignment: Callable[[], Awaitable[Reading]],
        changed: asyncio.Event,
    ) -> None:
        self._engines = engines
        self._models = models
        self._fresh_assignment = fresh_assignment
        self._changed = changed
        self._under_way: dict[str, asyncio.Task[None]] = {}

    def perform(self, action: AgentAction) -> None:
        """Begin an action; while one is under way on the same, others are left to a later look."""
        match action:
            case FetchModel() | DropModel() | ListPeers() | AskRight() | DropRight():
                self._models.perform(action)
            case StartEngine(engine=engine):
                self._begin(engine.id, self._engine(action), action)
            case BuildEnvironment(requirements=requirements):
                self._begin(", ".join(requirements), self._engine(action), action)
            case StopEngine() | ForgetEngine() | SleepEngine() | WakeEngine():
                self._begin(action.id, self._engine(action), action)
            case AskThenStop():
                self._begin(action.id, self._ask_then_stop(action), action)
            case _:
                assert_never(action)

    async def aclose(self) -> None:
        """Leave what is under way: engines and their shims go on without the agent."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, what: str, effect: Coroutine[None, None, None], action: AgentAction) -> None:
        """Begin an effect on `what`: an engine's id, or what an environment shall have."""
        if what in self._under_way:
            effect.close()
            return
        self._under_way[what] = asyncio.create_task(self._run(effect, what, action))

    async def _run(
        self, effect: Coroutine[None, None, None], what: str, action: AgentAction
    ) -> None:
        try:
            await effect
        except Exception:
            logger.exception("%s of %s failed", type(action).__name__, what)
            await asyncio.sleep(FAILED_ACTION_PAUSE_SECONDS)
        finally:
            del self._under_way[what]
        self._changed.set()

    async def _engine(self, action: EngineAction) -> None:
        logger.info("%s", _words(action))
        await self._engines.perform(action)

    async def _ask_then_stop(self, action: AskThenStop) -> None:
        try:
            reading = await self._fresh_assignment()
        except KubeError as error:
            logger.info("engine %s is not stopped, nobody confirms it: %s", action.id, error)
            await asyncio.sleep(ASK_AGAIN_SECONDS)
            return
        if confirms_stop(reading, action.id, action.running):
            await self._engine(action.stop)


def _words(action: EngineAction) -> str:
    match action:
        case BuildEnvironment(requirements=requirements):
            return f"preparing a Python environment with {', '.join(requirements)}"
        case StartEngine(engine=engine):
            return f"starting engine {engine.id}"
        case StopEngine(id=id_, reason=reason):
            return f"stopping engine {id_}: {reason}"
        case ForgetEngine(id=id_):
            return f"forgetting engine {id_}"
        case SleepEngine(id=id_):
            return f"putting engine {id_} to sleep"
        case WakeEngine(id=id_):
            return f"waking engine {id_}"
        case _:
            assert_never(action)
