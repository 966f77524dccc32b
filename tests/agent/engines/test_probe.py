"""Questions to an engine, asked of a real server."""

import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from llmaz.agent.engines.probe import Answer, Prober, Target, actual_port
from llmaz.api.pod import Exec, Grpc, HttpGet, HttpHeader, Probe, TcpSocket

SECONDS = 60.0  # for an answer, on a machine under load


class Engine:
    """A server whose answers a test sets: path to status and body."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, str]] = {}
        self.asked: list[str] = []
        self.headers: dict[str, str] = {}

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        self.headers = dict(request.headers)
        status, body = self.answers.get(request.path, (404, "no such path"))
        return web.Response(status=status, text=body)


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
async def target(engine: Engine) -> AsyncIterator[Target]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", engine.answer)
    async with TestServer(app) as server:
        assert server.port is not None
        yield Target(port=server.port, model="qwen", model_path="/models/qwen-7b")


@pytest.fixture
async def prober() -> AsyncIterator[Prober]:
    async with aiohttp.ClientSession() as session:
        yield Prober(session)


def models(*names: str) -> tuple[int, str]:
    listed = ", ".join(f'{{"id": "{name}"}}' for name in names)
    return 200, f'{{"data": [{listed}]}}'


@pytest.mark.parametrize("name", ["qwen", "/models/qwen-7b", "qwen-7b"])
async def test_the_model_is_known_by_its_name_or_its_path(
    engine: Engine, target: Target, prober: Prober, name: str
) -> None:
    engine.answers["/v1/models"] = models("other", name)
    assert await prober.listed(target, SECONDS) == (Answer(ok=True), name)


async def test_another_model_is_named(engine: Engine, target: Target, prober: Prober) -> None:
    engine.answers["/v1/models"] = models("llama", "phi")
    answer, _ = await prober.listed(target, SECONDS)
    detail = "/v1/models lists llama, phi, not qwen"
    assert answer == Answer(ok=False, detail=detail, refused=True)


async def test_an_engine_that_lists_no_models_is_left_to_its_token(
    target: Target, prober: Prober
) -> None:
    assert await prober.listed(target, SECONDS) == (Answer(ok=True), "qwen")


async def test_a_list_that_is_none_is_refused(
    engine: Engine, target: Target, prober: Prober
) -> None:
    for body in ("[]", "{}", "nonsense"):
        engine.answers["/v1/models"] = (200, body)
        assert not (await prober.listed(target, SECONDS))[0].ok


async def test_a_token_is_asked_for_where_the_engine_gives_one(
    engine: Engine, target: Target, prober: Prober
) -> None:
    engine.answers["/v1/chat/completions"] = (200, "{}")
    assert await prober.token(target, "qwen", SECONDS) == Answer(ok=True)
    engine.answers = {"/v1/embeddings": (200, "{}")}
    assert await prober.token(target, "qwen", SECONDS) == Answer(ok=True)


async def test_an_engine_that_fails_at_a_token_is_quoted(
    engine: Engine, target: Target, prober: Prober
) -> None:
    engine.answers["/v1/completions"] = (500, "CUDA error")
    answer = await prober.token(target, "qwen", SECONDS)
    assert answer == Answer(ok=False, detail="/v1/completions says 500: CUDA error")


async def test_an_engine_that_refuses_a_token_does_not_hang(
    engine: Engine, target: Target, prober: Prober
) -> None:
    paths = ("/v1/completions", "/v1/chat/completions", "/v1/embeddings")
    engine.answers = dict.fromkeys(paths, (400, "no"))
    answer = await prober.token(target, "qwen", SECONDS)
    assert answer == Answer(ok=False, detail="/v1/embeddings says 400: no", refused=True)


async def test_an_engine_that_generates_no_text_has_at_least_answered(
    target: Target, prober: Prober
) -> None:
    assert await prober.token(target, "reranker", SECONDS) == Answer(ok=True)


async def test_health_is_asked_and_models_stand_in_for_it(
    engine: Engine, target: Target, prober: Prober
) -> None:
    engine.answers["/v1/models"] = models("qwen")
    assert (await prober.health(target, SECONDS)).ok
    engine.answers["/health"] = (503, "loading")
    assert await prober.health(target, SECONDS) == Answer(ok=False, detail="/health says 503")


async def test_an_http_probe_means_the_engine_by_http_and_8080(
    engine: Engine, target: Target, prober: Prober
) -> None:
    engine.answers["/live"] = (204, "")
    headers = (HttpHeader(name="X-Ask", value="1"),)
    for port in ("http", 8080, "8080"):
        probe = Probe(http_get=HttpGet(path="live", port=port, http_headers=headers))
        assert (await prober.probe(probe, target, SECONDS)).ok
    assert engine.headers["X-Ask"] == "1"
    assert actual_port(9000, target.port) == 9000


async def test_a_probe_may_open_a_connection(target: Target, prober: Prober) -> None:
    assert (await prober.probe(Probe(tcp_socket=TcpSocket(port="http")), target, SECONDS)).ok
    assert (await prober.probe(Probe(grpc=Grpc(port=8080)), target, SECONDS)).ok


async def test_a_probe_may_run_a_command(target: Target, prober: Prober) -> None:
    good = Probe(exec=Exec(command=("true",)))
    bad = Probe(exec=Exec(command=("false",)))
    slow = Probe(exec=Exec(command=("sleep", "60")))
    missing = Probe(exec=Exec(command=("no-such-program",)))
    env = {"PATH": "/usr/bin:/bin"}
    ready = Target(port=target.port, model="qwen", env=env)
    assert (await prober.probe(good, ready, SECONDS)).ok
    assert (await prober.probe(bad, ready, SECONDS)).detail == "false exited with code 1"
    assert (await prober.probe(slow, ready, 0.2)).detail == "no answer within 0.2 s"
    assert not (await prober.probe(missing, ready, SECONDS)).ok


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        (Probe(http_get=HttpGet(port="serve")), "port serve is neither a number"),
        (Probe(tcp_socket=TcpSocket(port=70000)), "port 70000 is neither a number"),
        (Probe(tcp_socket=TcpSocket(port=-1)), "port -1 is neither a number"),
        (Probe(grpc=Grpc(port=10**9)), "port 1000000000 is neither a number"),
        (Probe(exec=Exec()), "its command is empty"),
        (Probe(exec=Exec(command=("true", "\0"))), "embedded null byte"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
async def test_a_probe_that_can_not_be_asked_fails_and_says_why(
    target: Target, prober: Prober, probe: Probe, words: str
) -> None:
    answer = await prober.probe(probe, target, SECONDS)
    assert not answer.ok
    assert words in answer.detail


async def test_an_engine_that_does_not_listen_is_said_so(prober: Prober) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and not listened on
        port = taken.getsockname()[1]
        words = f"nothing listens at its port, {port}"
        answer = Answer(ok=False, detail=words, listens=False, heard=False)
        nobody = Target(port=port, model="qwen")
        assert await prober.health(nobody, SECONDS) == answer
        assert (await prober.listed(nobody, SECONDS))[0] == answer
        assert await prober.token(nobody, "qwen", SECONDS) == answer
        assert await prober.numbers(nobody, SECONDS) is None
        assert (
            await prober.probe(Probe(tcp_socket=TcpSocket(port="http")), nobody, SECONDS) == answer
        )
