"""Requests for a model at zero replicas: held, woken for, answered; bounded in every way."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field

import aiohttp
import pytest_asyncio
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

from gateway.test_app import closed_port, listen, named
from llmaz.gateway.app import Gateway, Handler
from llmaz.gateway.engines import Engines
from llmaz.gateway.holding import HoldLimits
from llmaz.gateway.keepalive import COMMENT
from llmaz.gateway.metrics import Metrics
from llmaz.gateway.routes import Endpoint, Served, Table

LIMITS = HoldLimits(requests=2, total_bytes=500, seconds=60.0)
ASK = {"model": "qwen"}


@dataclass
class Asleep:
    """A gateway whose only model is at zero; what is woken is written down."""

    stack: AsyncExitStack
    registry: CollectorRegistry
    woken: list[str] = field(default_factory=list)
    gateway: Gateway = field(init=False)
    client: aiohttp.ClientSession = field(init=False)

    async def wake(self, playground: Served) -> None:
        self.woken.append(playground.name)

    async def start(self, limits: HoldLimits, keepalive_seconds: float) -> "Asleep":
        client = await self.stack.enter_async_context(Engines())
        metrics = Metrics(self.registry)
        self.gateway = Gateway(client, metrics, self, limits, keepalive_seconds)
        app = web.Application()
        self.gateway.add_routes(app)
        runner, endpoint = await listen(app)
        self.stack.push_async_callback(runner.cleanup)
        self.client = await self.stack.enter_async_context(
            aiohttp.ClientSession(f"http://{endpoint}")
        )
        self.show(replicas=0)
        return self

    def show(self, *endpoints: Endpoint, replicas: int = 1) -> None:
        served = Served(
            name="default/a",
            model="qwen",
            endpoints=endpoints,
            wakes=True,
            replicas=replicas,
        )
        self.gateway.show(Table((served,)))

    async def engine(self, handler: Handler | None = None) -> Endpoint:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler or named("engine"))
        runner, endpoint = await listen(app)
        self.stack.push_async_callback(runner.cleanup)
        return endpoint

    async def ask(self, **more: object) -> tuple[int, str]:
        async with self.client.post("/v1/chat/completions", json=ASK | more) as answer:
            return answer.status, await answer.text()

    async def until_held(self, count: int) -> None:
        wanted = f'llmaz_gateway_held_requests{{model="qwen"}} {count}.0'
        async with asyncio.timeout(120):
            while wanted not in generate_latest(self.registry).decode():
                await asyncio.sleep(0.01)


@pytest_asyncio.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def asleep(
    stack: AsyncExitStack, limits: HoldLimits = LIMITS, keepalive_seconds: float = 0.0
) -> Asleep:
    return await Asleep(stack, CollectorRegistry()).start(limits, keepalive_seconds)


async def test_a_request_waits_for_the_engine_that_it_wakes(stack: AsyncExitStack) -> None:
    world = await asleep(stack)
    asked = asyncio.create_task(world.ask())
    await world.until_held(1)
    world.show(replicas=1)
    world.show(await world.engine())
    assert (await asked)[0] == 200
    assert world.woken[0] == "default/a"
    await world.until_held(0)


async def test_nothing_is_woken_that_is_wanted_already(stack: AsyncExitStack) -> None:
    world = await asleep(stack)
    world.show(replicas=1)
    asked = asyncio.create_task(world.ask())
    await world.until_held(1)
    world.show(await world.engine())
    assert ((await asked)[0], world.woken) == (200, [])


async def test_a_model_at_zero_stays_listed(stack: AsyncExitStack) -> None:
    world = await asleep(stack)
    async with world.client.get("/v1/models") as answer:
        assert [one["id"] for one in (await answer.json())["data"]] == ["qwen"]


async def test_one_request_too_many_is_told_to_come_back(stack: AsyncExitStack) -> None:
    world = await asleep(stack)
    held = [asyncio.create_task(world.ask()) for _ in range(2)]
    await world.until_held(2)
    async with world.client.post("/v1/chat/completions", json=ASK) as refused:
        error = (await refused.json())["error"]
        assert (refused.status, error["code"]) == (429, "too_many_requests_held")
        assert refused.headers["Retry-After"] == "5"
    world.show(await world.engine())
    assert [(await one)[0] for one in held] == [200, 200]


async def test_bodies_that_wait_are_bounded_in_bytes(stack: AsyncExitStack) -> None:
    world = await asleep(stack)
    assert (await world.ask(prompt="x" * 500))[0] == 429


async def test_a_client_that_leaves_frees_its_place(stack: AsyncExitStack) -> None:
    world = await asleep(stack)
    asked = asyncio.create_task(world.ask())
    await world.until_held(1)
    asked.cancel()
    await world.until_held(0)


async def test_a_request_does_not_wait_for_ever(stack: AsyncExitStack) -> None:
    world = await asleep(stack, HoldLimits(seconds=0.2))
    started = time.monotonic()
    status, text = await world.ask()
    assert (status, "no engine of model 'qwen' is ready" in text) == (503, True)
    assert time.monotonic() - started >= 0.2


async def test_an_engine_that_was_just_stopped_loses_no_request(stack: AsyncExitStack) -> None:
    world = await asleep(stack)
    world.show(closed_port())
    asked = asyncio.create_task(world.ask())
    await world.until_held(1)
    world.show(replicas=0)
    await asyncio.sleep(0)
    world.show(await world.engine())
    assert (await asked)[0] == 200


async def test_a_stream_that_waits_is_kept_alive_by_comments(stack: AsyncExitStack) -> None:
    world = await asleep(stack, keepalive_seconds=0.05)
    async with world.client.post("/v1/completions", json=ASK | {"stream": True}) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
        assert (await answer.content.readany()).startswith(COMMENT)
        world.show(await world.engine())
        assert b'"from": "engine"' in await answer.read()


async def test_a_stream_that_waited_in_vain_ends_with_the_error(stack: AsyncExitStack) -> None:
    world = await asleep(stack, HoldLimits(seconds=2.0), keepalive_seconds=0.05)
    status, text = await world.ask(stream=True)
    assert (status, '"model_not_ready"' in text) == (200, True)


async def test_a_stream_that_waited_for_an_engine_that_dies_in_its_refusal_says_so(
    stack: AsyncExitStack,
) -> None:
    async def refuses_and_dies(request: web.Request) -> web.StreamResponse:
        refusal = web.StreamResponse(status=500, headers={"Content-Length": "100"})
        await refusal.prepare(request)
        await refusal.write(b"{")
        assert request.transport is not None
        request.transport.close()
        return refusal

    world = await asleep(stack, keepalive_seconds=0.05)
    async with world.client.post("/v1/completions", json=ASK | {"stream": True}) as answer:
        said = await answer.content.readany()
        world.show(await world.engine(refuses_and_dies))
        with suppress(aiohttp.ClientPayloadError):  # raised once what came before it was read
            while piece := await answer.content.readany():
                said += piece
        assert isinstance(answer.content.exception(), aiohttp.ClientPayloadError)
    assert b"the engine ended before its answer did" in said


async def test_a_refusal_of_several_lines_is_one_event_of_a_stream_that_waited(
    stack: AsyncExitStack,
) -> None:
    async def refuses(_: web.Request) -> web.Response:
        return web.Response(status=400, text='{\r\n"error":\r{}\n}')

    world = await asleep(stack, keepalive_seconds=0.05)
    async with world.client.post("/v1/completions", json=ASK | {"stream": True}) as answer:
        said = await answer.content.readany()
        world.show(await world.engine(refuses))
        said += await answer.read()
    assert said.endswith(b'data: { "error": {} }\n\n')
