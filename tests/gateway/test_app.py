"""A real gateway in front of real HTTP engines; what it routes by is handed to it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

from llmaz.gateway.app import Gateway
from llmaz.gateway.engines import Engines
from llmaz.gateway.metrics import Metrics
from llmaz.gateway.routes import Endpoint, Served, Table
from support.freeport import free_port

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

BACKLOG = 2048  # more than ask at the same time: the kernel drops what is over it, and a test waits


async def listen(app: web.Application) -> tuple[web.AppRunner, Endpoint]:
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=BACKLOG).start()
    host, port = runner.addresses[0]
    return runner, Endpoint(host, port)


@dataclass
class World:
    """One gateway, a client of it, and the engines that a test starts."""

    gateway: Gateway
    client: aiohttp.ClientSession
    registry: CollectorRegistry
    stack: AsyncExitStack
    url: str
    asked: list[str] = field(default_factory=list)

    async def engine(self, answer: Handler) -> Endpoint:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner, endpoint = await listen(app)
        self.stack.push_async_callback(runner.cleanup)
        return endpoint

    def serve(self, *endpoints: Endpoint, waits: str = "") -> None:
        self.gateway.show(
            Table(
                (Served(name="default/a", model="qwen", endpoints=endpoints, waits_because=waits),)
            )
        )

    async def chat(self, body: object) -> tuple[int, dict[str, str]]:
        data = body if isinstance(body, (bytes, str)) else json.dumps(body)
        async with self.client.post("/v1/chat/completions", data=data) as answer:
            content = await answer.json()
            return answer.status, content.get("error", content)


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        registry = CollectorRegistry()
        calls = Engines(connect_seconds=120.0)  # a crowd on a loaded machine may take long
        gateway = Gateway(await stack.enter_async_context(calls), Metrics(registry))
        app = web.Application(client_max_size=2048)
        gateway.add_routes(app)
        runner, endpoint = await listen(app)
        stack.push_async_callback(runner.cleanup)
        client = await stack.enter_async_context(aiohttp.ClientSession(f"http://{endpoint}"))
        yield World(gateway, client, registry, stack, f"http://{endpoint}")


def closed_port() -> Endpoint:
    return Endpoint("127.0.0.1", free_port())


def named(name: str) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response({"from": name, "model": (await request.json())["model"]})

    return answer


async def hangs_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def test_a_request_and_its_answer_pass_through_unchanged(world: World) -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        return web.Response(
            status=207, body=await request.read(), headers={"X-Engine": request.headers["X-Tag"]}
        )

    world.serve(await world.engine(echo))
    body = b'{ "model":"qwen",   "spaces kept": true }'
    async with world.client.post("/v1/embeddings?x=1", data=body, headers={"X-Tag": "t"}) as answer:
        assert (answer.status, answer.headers["X-Engine"]) == (207, "t")
        assert await answer.read() == body


async def test_a_playgrounds_name_becomes_the_models_for_the_engine(world: World) -> None:
    world.serve(await world.engine(named("one")))
    assert await world.chat({"model": "default/a"}) == (200, {"from": "one", "model": "qwen"})


async def test_tokens_arrive_while_the_engine_still_answers(world: World) -> None:
    first_seen = asyncio.Event()

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: 1\n\n")
        await asyncio.wait_for(first_seen.wait(), 120)
        await response.write(b"data: [DONE]\n\n")
        return response

    world.serve(await world.engine(stream))
    async with world.client.post("/v1/completions", json={"model": "qwen"}) as answer:
        assert await answer.content.readany() == b"data: 1\n\n"
        first_seen.set()
        assert await answer.read() == b"data: [DONE]\n\n"


async def test_a_client_that_leaves_frees_the_engine(world: World) -> None:
    left = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            while True:
                await response.write(b"data: more\n\n")
                await asyncio.sleep(0.01)
        finally:
            left.set()

    world.serve(await world.engine(endless))
    async with world.client.post("/v1/completions", json={"model": "qwen"}) as answer:
        await answer.content.readany()
    await asyncio.wait_for(left.wait(), 120)


async def test_an_engine_that_cannot_be_reached_is_passed_over(world: World) -> None:
    world.serve(closed_port(), await world.engine(named("two")), closed_port())
    answers = [await world.chat({"model": "qwen"}) for _ in range(3)]
    assert answers == [(200, {"from": "two", "model": "qwen"})] * 3


async def test_an_engine_that_hangs_up_before_it_answers_is_replaced_once(world: World) -> None:
    world.serve(await world.engine(hangs_up), await world.engine(named("two")))
    answers = [(await world.chat({"model": "qwen"}))[0] for _ in range(2)]
    assert answers == [200, 200]


async def test_a_request_that_kills_engines_is_not_sent_to_all_of_them(world: World) -> None:
    asked: list[str] = []

    async def dies(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return await hangs_up(request)

    world.serve(*[await world.engine(dies) for _ in range(4)])
    status, error = await world.chat({"model": "qwen"})
    assert (status, error["code"], len(asked)) == (502, "engine_unreachable", 2)


async def test_an_answer_that_has_begun_is_never_asked_for_again(world: World) -> None:
    asked: list[str] = []

    async def dies_midway(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: 1\n\n")
        assert request.transport is not None
        request.transport.close()
        return response

    engines = [await world.engine(dies_midway) for _ in range(2)]
    world.serve(*engines)
    async with world.client.post("/v1/completions", json={"model": "qwen"}) as answer:
        said = [await answer.content.readuntil(b"\n\n") for _ in range(2)]
        with pytest.raises(aiohttp.ClientPayloadError):  # the stream has no clean end
            await answer.content.read()
    first, error = (event.decode().strip() for event in said)
    assert first == "data: 1"
    assert "the engine ended before its answer did" in error
    assert len(asked) == 1


async def test_an_engine_that_dies_in_a_short_answer_is_a_bad_gateway(world: World) -> None:
    async def dies(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = 100
        await response.prepare(request)
        await response.write(b"{")
        assert request.transport is not None
        request.transport.close()
        return response

    world.serve(await world.engine(dies))
    status, error = await world.chat({"model": "qwen"})
    assert (status, error["message"]) == (502, "the engine ended before its answer did")


@pytest.mark.parametrize("size", [0, 64 * 1024, 64 * 1024 + 1, 3_000_000])
async def test_an_answer_of_any_size_arrives_whole(size: int, world: World) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x" * size, headers={"X-Engine": "one"})

    world.serve(await world.engine(answer))
    async with world.client.post("/v1/embeddings", json={"model": "qwen"}) as found:
        assert (len(await found.read()), found.headers["X-Engine"]) == (size, "one")


async def test_an_engines_own_error_is_passed_on(world: World) -> None:
    async def refuses(_: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"message": "too long"}}, status=400)

    world.serve(await world.engine(refuses))
    assert await world.chat({"model": "qwen"}) == (400, {"message": "too long"})


async def test_an_unknown_model_is_answered_with_those_that_are_known(world: World) -> None:
    world.serve()
    status, error = await world.chat({"model": "gpt-9"})
    assert (status, error["code"], error["param"]) == (404, "model_not_found", "model")
    assert error["message"] == "model 'gpt-9' does not exist; served are: qwen"


async def test_a_model_without_a_ready_engine_says_why_and_when_to_come_back(world: World) -> None:
    world.serve(waits="a10: 0 of 1 nodes fit")
    async with world.client.post("/v1/completions", json={"model": "qwen"}) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert (await answer.json())["error"]["message"] == (
            "no engine of model 'qwen' is ready: default/a: a10: 0 of 1 nodes fit"
        )


async def test_bad_bodies_are_refused_with_what_is_wrong(world: World) -> None:
    world.serve()
    answers = [await world.chat(body) for body in (b"{", [1], {}, {"model": 3})]
    assert [status for status, _ in answers] == [400, 400, 400, 400]
    assert answers[0][1]["message"].startswith("the request's body is not JSON: Expecting")
    assert answers[1][1]["message"] == "the request's body must be a JSON object"
    assert answers[2][1]["message"] == "`model` is required and must be a string"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_body_that_is_not_encoded_as_it_says_is_refused(
    world: World, encoding: str
) -> None:
    world.serve()
    headers = {"Content-Encoding": encoding}
    async with world.client.post("/v1/completions", data=b"plain", headers=headers) as answer:
        assert answer.status == 400
        message = (await answer.json())["error"]["message"]
    assert message == "the request's body is not encoded as its headers say"


async def test_a_body_over_the_limit_is_refused(world: World) -> None:
    status, error = await world.chat({"model": "qwen", "text": "x" * 4096})
    assert (status, error["message"]) == (413, "the request is larger than 2048 bytes")


async def test_until_the_cluster_is_read_requests_are_asked_to_come_back(world: World) -> None:
    status, error = await world.chat({"model": "qwen"})
    assert (status, error["type"]) == (503, "service_unavailable_error")


async def test_every_served_model_is_listed_also_one_that_waits(world: World) -> None:
    world.serve(waits="no GPU")
    async with world.client.get("/v1/models") as answer:
        [entry] = (await answer.json())["data"]
    assert (entry["id"], entry["object"]) == ("qwen", "model")
    assert entry["llmaz"] == {"served_by": ["default/a"], "ready_engines": 0, "message": "no GPU"}
    async with world.client.get("/v1/models/qwen") as answer:
        assert await answer.json() == entry
    async with world.client.get("/v1/models/gpt") as answer:
        assert answer.status == 404


async def test_a_playground_is_found_among_the_models_by_its_own_name(world: World) -> None:
    world.serve()
    async with world.client.get("/v1/models/default/a") as answer:
        assert (await answer.json())["llmaz"]["served_by"] == ["default/a"]


async def test_only_the_methods_that_a_path_has_are_answered(world: World) -> None:
    world.serve(await world.engine(named("one")))
    async with world.client.head("/v1/models") as answer:
        assert (answer.status, await answer.read()) == (200, b"")
    async with world.client.options("/v1/chat/completions") as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (404, "unknown_url")


async def test_a_path_outside_of_v1_is_refused_in_openais_form(world: World) -> None:
    world.serve(await world.engine(named("one")))
    for path in ("/", "/v2/models", "/chat/completions"):
        async with world.client.post(path, json={"model": "qwen"}) as answer:
            error = (await answer.json())["error"]
            assert (answer.status, error["code"]) == (404, "unknown_url")
            assert error["message"] == f"there is no POST {path}"


async def test_a_forms_model_decides_and_is_renamed_and_its_file_passes(world: World) -> None:
    async def transcribe(request: web.Request) -> web.StreamResponse:
        form = await request.post()
        assert isinstance(form["file"], web.FileField)
        return web.json_response({"model": form["model"], "size": len(form["file"].file.read())})

    world.serve(await world.engine(transcribe))
    form = aiohttp.FormData({"model": "default/a"})
    form.add_field("file", bytes(1000), filename="speech.wav")
    async with world.client.post("/v1/audio/transcriptions", data=form) as answer:
        assert await answer.json() == {"model": "qwen", "size": 1000}


async def test_a_client_that_leaves_before_the_first_byte_frees_the_engine(world: World) -> None:
    asked, left = asyncio.Event(), asyncio.Event()

    async def thinks(_: web.Request) -> web.StreamResponse:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        return web.Response()

    world.serve(await world.engine(thinks))
    waiting = asyncio.create_task(world.chat({"model": "qwen"}))
    await asyncio.wait_for(asked.wait(), 120)
    waiting.cancel()
    await asyncio.wait_for(left.wait(), 120)


async def test_a_thousand_streams_are_passed_on_at_the_same_time(world: World) -> None:
    everybody = asyncio.Barrier(1000)

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await everybody.wait()
        await response.write(b"data: [DONE]\n\n")
        return response

    async def ask() -> bytes:
        async with client.post("/v1/completions", json={"model": "qwen"}) as answer:
            return await answer.read()

    world.serve(await world.engine(stream))
    unbounded, patient = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(world.url, connector=unbounded, timeout=patient) as client:
        answers = await asyncio.wait_for(asyncio.gather(*(ask() for _ in range(1000))), 240)
    assert set(answers) == {b"data: [DONE]\n\n"}


async def test_a_path_that_openai_does_not_have_is_refused_in_its_format(world: World) -> None:
    async with world.client.get("/v1/nothing") as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (404, "unknown_url")


async def test_requests_are_counted_by_model_and_status(world: World) -> None:
    world.serve(await world.engine(named("one")))
    await world.chat({"model": "qwen"})
    await world.chat({"model": "gpt"})
    text = generate_latest(world.registry).decode()
    assert 'llmaz_gateway_requests_total{model="qwen",status="200"} 1.0' in text
    assert 'llmaz_gateway_refused_total{status="404"} 1.0' in text
