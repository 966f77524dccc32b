"""What a hub tells of a model's memory before it is fetched: its configuration and sizes alone."""

import io
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import aiohttp

from llmaz.agent.cache import gguf
from llmaz.api.memory import ModelMemory
from llmaz.api.modelconfig import memory_from_config, memory_from_gguf
from llmaz.api.source import Hub, ModelHub, ModelSource

_GGUF_HEADER = 32 * 2**20  # holds the longest list of tokens that is known
_PATIENCE = aiohttp.ClientTimeout(total=60, sock_connect=10)
_CONFIG = "config.json"
_INDEX, _WEIGHTS = "model.safetensors.index.json", "model.safetensors"
_HIDDEN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class UntoldError(Exception):
    """Nobody tells a model's memory; the words say why."""


async def memory_at_hub(source: ModelSource, environ: Mapping[str, str]) -> ModelMemory:
    """Ask the hub of Hugging Face, or what HF_ENDPOINT names.

    Raises UntoldError where it does not tell.
    """
    hub = source.model_hub
    if hub is None or hub.name is not Hub.HUGGINGFACE:
        raise UntoldError("only Hugging Face is asked before a node has the weights")
    endpoint = environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    token = environ.get("HF_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    root = f"{endpoint}/{hub.model_id}/resolve/{hub.revision}"
    try:
        async with aiohttp.ClientSession(headers=headers, timeout=_PATIENCE) as session:
            return await _memory(session, root, hub)
    except ValueError:
        raise UntoldError(f"{hub.model_id} has a file that can't be read") from None
    except (aiohttp.ClientError, TimeoutError):
        raise UntoldError("the hub does not answer") from None


async def _memory(session: aiohttp.ClientSession, root: str, hub: ModelHub) -> ModelMemory:
    if hub.filename is not None:
        return await _of_gguf(session, f"{root}/{hub.filename}", hub)
    config = await _json(session, f"{root}/{_CONFIG}")
    if isinstance(config, int):
        raise _untold(config, hub, _CONFIG)
    index = await _json(session, f"{root}/{_INDEX}")
    size = None if isinstance(index, int) else index.get("metadata", {}).get("total_size")
    if not isinstance(size, int):
        size = await _size(session, f"{root}/{_WEIGHTS}")
    if not size:
        raise UntoldError(f"{hub.model_id} has no {_WEIGHTS}, and no index of several that tells")
    return memory_from_config(config, size)


async def _of_gguf(session: aiohttp.ClientSession, url: str, hub: ModelHub) -> ModelMemory:
    if not url.endswith(".gguf"):
        raise UntoldError(f"{hub.filename} is no GGUF file")
    wanted = {"Range": f"bytes=0-{_GGUF_HEADER - 1}"}
    async with session.get(url, headers=wanted) as answer:
        if answer.status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            raise _untold(answer.status, hub, hub.filename or "")
        whole = answer.headers.get("Content-Range", "").rpartition("/")[2]
        size = int(whole) if whole.isdecimal() else answer.content_length
        if not size:
            raise UntoldError(f"the hub does not tell the size of {hub.filename}")
        head = await answer.content.read(_GGUF_HEADER)
        while len(head) < min(size, _GGUF_HEADER):
            more = await answer.content.read(_GGUF_HEADER - len(head))
            if not more:
                break
            head += more
    return memory_from_gguf(gguf.metadata(io.BytesIO(head)), size)


async def _json(session: aiohttp.ClientSession, url: str) -> dict[str, Any] | int:
    """Return an object of JSON; else the status that the hub answered with.

    Raises ValueError for what is none.
    """
    async with session.get(url) as answer:
        if answer.status != HTTPStatus.OK:
            return answer.status
        value = await answer.json(content_type=None)
    if not isinstance(value, dict):
        raise ValueError(f"{url} is no object")
    return value


async def _size(session: aiohttp.ClientSession, url: str) -> int | None:
    async with session.head(url, allow_redirects=True) as answer:
        return answer.content_length if answer.status == HTTPStatus.OK else None


def _untold(status: int, hub: ModelHub, name: str) -> UntoldError:
    if status in _HIDDEN:
        return UntoldError(f"the hub lets nobody see {hub.model_id} without an HF_TOKEN that may")
    if status == HTTPStatus.NOT_FOUND:
        return UntoldError(f"the hub has no {name} of {hub.model_id} at {hub.revision}")
    return UntoldError(f"the hub says {status}")
