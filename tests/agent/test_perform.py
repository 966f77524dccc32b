"""Doing what was decided."""

import asyncio
from dataclasses import dataclass, field

from llmaz.agent.assignment import Assignment, Reading
from llmaz.agent.cache.state import DropModel, ModelAction
from llmaz.agent.engines.state import EngineAction, ForgetEngine, StopEngine
from llmaz.agent.perform import Performer
from llmaz.agent.plan import AskThenStop
from llmaz.api.fingerprint import fingerprint
from llmaz.api.node import AssignedEngine, NodeSpec
from llmaz.kube import Unavailable

ENGINE = AssignedEngine(id="default/a-0", service="a", model="m", main_model="m")
STOP = StopEngine(id=ENGINE.id, reason="no longer assigned to this node")
ASK = AskThenStop(stop=STOP, running=fingerprint(ENGINE))


@dataclass
class World:
    """Records what is done, and answers for the API server."""

    reading: Reading = None
    api_is_away: bool = False
    hold: asyncio.Event | None = None
    done: list[EngineAction | ModelAction] = field(default_factory=list)
    asked: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def performer(self) -> Performer:
        return Performer(
            engines=_Engines(self),
            models=_Models(self),
            fresh_assignment=self.read,
            changed=self.changed,
        )

    async def read(self) -> Reading:
        self.asked += 1
        if self.api_is_away:
            raise Unavailable("as the test asked")
        return self.reading


@dataclass
class _Engines:
    world: World

    async def perform(self, action: EngineAction) -> None:
        if self.world.hold is not None:
            await self.world.hold.wait()
        self.world.done.append(action)


@dataclass
class _Models:
    world: World

    def perform(self, action: ModelAction) -> None:
        self.world.done.append(action)


def _assigned(*engines: AssignedEngine) -> Assignment:
    return Assignment(generation=2, spec=NodeSpec(engines=engines))


async def _settled(world: World) -> None:
    async with asyncio.timeout(120):
        await world.changed.wait()


async def test_an_engine_stops_when_the_api_server_says_so_too() -> None:
    world = World(reading=_assigned())
    world.performer().perform(ASK)
    await _settled(world)
    assert world.done == [STOP]


async def test_an_engine_that_is_assigned_after_all_is_left_alone() -> None:
    world = World(reading=_assigned(ENGINE))
    world.performer().perform(ASK)
    await _settled(world)
    assert world.done == []


async def test_an_engine_is_left_alone_while_nobody_can_be_asked() -> None:
    world = World(api_is_away=True)
    performer = world.performer()
    performer.perform(ASK)
    async with asyncio.timeout(120):
        while world.asked == 0:
            await asyncio.sleep(0)
    performer.perform(ASK)
    await asyncio.sleep(0)
    assert (world.asked, world.done) == (1, [])
    await performer.aclose()


async def test_an_object_that_is_gone_stops_nothing() -> None:
    world = World(reading=None)
    world.performer().perform(ASK)
    await _settled(world)
    assert world.done == []


async def test_one_action_at_a_time_is_under_way_on_an_engine() -> None:
    world = World(hold=asyncio.Event())
    performer = world.performer()
    performer.perform(STOP)
    performer.perform(ForgetEngine(id=ENGINE.id))
    other = ForgetEngine(id="default/b-0")
    performer.perform(other)
    assert world.hold is not None
    world.hold.set()
    async with asyncio.timeout(120):
        while len(world.done) < 2:
            await asyncio.sleep(0)
    await performer.aclose()
    assert world.done == [STOP, other]


async def test_a_model_is_acted_upon_at_once() -> None:
    world = World()
    world.performer().perform(DropModel(name="m"))
    assert world.done == [DropModel(name="m")]
