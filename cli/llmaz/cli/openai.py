"""Ask the gateway: the little of OpenAI's API that `chat`, `run` and `demo` need."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import cast

import aiohttp

from llmaz.cli.errors import FAILED, NOT_FOUND, UNREACHABLE, USAGE, CliError

_DATA = b"data: "
_END = b"[DONE]"

Message = Mapping[str, str]


async def stream_chat(
    gateway_url: str,
    model: str,
    messages: Sequence[Message],
    *,
    max_tokens: int | None = None,
    temperature: float | None = None,
    api_key: str = "",
) -> AsyncIterator[str]:
    """Yield the answer's text as it comes; raise CliError with the server's words.

    What is None is left to the engine.
    """
    options = {"max_tokens": max_tokens, "temperature": temperature}
    given = {name: value for name, value in options.items() if value is not None}
    question = {"model": model, "messages": list(messages), "stream": True, **given}
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
            session.post(f"{gateway_url}/chat/completions", json=question) as answer,
        ):
            if answer.status != 200:
                raise _refused(answer.status, await answer.read())
            async for line in answer.content:
                if line.startswith(_DATA) and line.removeprefix(_DATA).strip() != _END:
                    yield _text(line.removeprefix(_DATA))
    except aiohttp.InvalidURL:
        raise CliError(
            f"{gateway_url} is no URL of a gateway",
            hint="write it as http://127.0.0.1:8000/v1",
            code=USAGE,
        ) from None
    except aiohttp.ClientConnectorError as error:
        words = (error.os_error.strerror or str(error.os_error)).lower()
        raise CliError(f"{gateway_url} is not reached: {words}", code=UNREACHABLE) from None
    except (aiohttp.ClientError, OSError) as error:
        raise CliError(f"{gateway_url}: {error}", code=UNREACHABLE) from None


def _text(event: bytes) -> str:
    content = json.loads(event)
    if "error" in content:
        raise CliError(str(content["error"].get("message")))
    choices = content.get("choices") or [{}]
    return cast("str", choices[0].get("delta", {}).get("content") or "")


def _refused(status: int, body: bytes) -> CliError:
    try:
        message = str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = f"the gateway answered {status}"
    hint = "put one of the gateway's keys into the variable LLMAZ_API_KEY" if status == 401 else ""
    return CliError(message, hint=hint, code=NOT_FOUND if status == 404 else FAILED)
