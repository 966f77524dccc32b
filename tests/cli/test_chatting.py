"""A conversation with a real HTTP server that streams as an engine does."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from llmaz.cli.chatting import Conversation
from llmaz.cli.errors import NOT_FOUND, UNREACHABLE, USAGE, CliError
from llmaz.daemon.web import listening


@dataclass
class Gateway:
    """Answers each question with its number, and remembers what it was asked."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    broken: bool = False
    key: str = ""

    async def chat(self, request: web.Request) -> web.StreamResponse:
        if self.key and request.headers.get("Authorization") != f"Bearer {self.key}":
            return web.json_response({"error": {"message": "a key is required"}}, status=401)
        self.asked.append(await request.json())
        if self.asked[-1]["model"] != "qwen":
            return web.json_response({"error": {"message": "no such model"}}, status=404)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        texts = ("answer ", None, str(len(self.asked)))
        pieces: list[object] = [{"choices": [{"delta": {"content": text}}]} for text in texts]
        if self.broken:
            pieces.append({"error": {"message": "the engine ended"}})
        for piece in pieces:
            await response.write(b"data: " + json.dumps(piece).encode() + b"\n\n")
        await response.write(b": a comment\n\ndata: [DONE]\n\n")
        return response


@pytest_asyncio.fixture
async def gateway() -> AsyncIterator[Gateway]:
    gateway = Gateway()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", gateway.chat)
    async with listening(app, "127.0.0.1", 0) as port:
        gateway.url = f"http://127.0.0.1:{port}/v1"
        yield gateway


async def test_an_answer_is_printed_and_remembered(
    gateway: Gateway, capsys: pytest.CaptureFixture[str]
) -> None:
    conversation = Conversation(gateway.url, "qwen", "be brief", 5)
    await conversation.say("one")
    await conversation.say("two")
    assert capsys.readouterr().out == "answer 1\nanswer 2\n"
    assert gateway.asked[-1]["max_tokens"] == 5
    assert [(one["role"], one["content"]) for one in gateway.asked[-1]["messages"]] == [
        ("system", "be brief"),
        ("user", "one"),
        ("assistant", "answer 1"),
        ("user", "two"),
    ]


async def test_the_gateways_words_are_the_error(gateway: Gateway) -> None:
    with pytest.raises(CliError, match="no such model") as caught:
        await Conversation(gateway.url, "gpt", None, None).say("hello")
    assert caught.value.code == NOT_FOUND


async def test_an_error_in_the_middle_of_a_stream_is_an_error(gateway: Gateway) -> None:
    gateway.broken = True
    with pytest.raises(CliError, match="the engine ended"):
        await Conversation(gateway.url, "qwen", None, None).say("hello")


async def test_a_gateway_that_is_not_there_is_not_reached() -> None:
    words = r"http://127\.0\.0\.1:1/v1 is not reached: connect"
    with pytest.raises(CliError, match=words) as caught:
        await Conversation("http://127.0.0.1:1/v1", "qwen", None, None).say("hello")
    assert caught.value.code == UNREACHABLE


async def test_what_is_no_url_is_no_gateway() -> None:
    with pytest.raises(CliError, match="foo is no URL of a gateway") as caught:
        await Conversation("foo", "qwen", None, None).say("hello")
    assert caught.value.code == USAGE


async def test_bytes_that_are_no_text_are_not_asked(gateway: Gateway) -> None:
    with pytest.raises(CliError, match="not text") as caught:
        await Conversation(gateway.url, "qwen", None, None).say("\udcff")
    assert (caught.value.code, gateway.asked) == (USAGE, [])


async def test_a_gateway_that_asks_for_a_key_is_shown_it(gateway: Gateway) -> None:
    gateway.key = "mine"
    await Conversation(gateway.url, "qwen", None, None, api_key="mine").say("one")
    with pytest.raises(CliError) as caught:
        await Conversation(gateway.url, "qwen", None, None).say("two")
    assert str(caught.value) == "a key is required"
    assert "LLMAZ_API_KEY" in caught.value.hint
    assert len(gateway.asked) == 1
