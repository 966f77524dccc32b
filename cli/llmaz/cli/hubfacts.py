"""What a hub tells of a model's memory before it is fetched: its configuration and sizes alone."""

import io
from collections.abc import Mapping
from typing import Any

import aiohttp

from llmaz.agent.cache import gguf
from llmaz.api.memory import ModelMemory
from llmaz.api.modelconfig import memory_from_config, memory_from_gguf
from llmaz.api.source import Hub, ModelHub, ModelSource

_GGUF_HEADER = 32 * 2**20  # holds the longest list of tokens that is known
_PATIENCE = aiohttp.ClientTimeout(total=60, sock_connect=10)
_INDEX, _WEIGHTS = "model.safetensors.index.json", "model.safetensors"


async def memory_at_hub(source: ModelSource, environ: Mapping[str, str]) -> ModelMemory | None:
    """Ask the hub of Hugging Face, or what HF_ENDPOINT names; None where it does not tell."""
    hub = source.model_hub
    if hub is None or hub.name is not Hub.HUGGINGFACE:
        return None
    endpoint = environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    token = environ.get("HF_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    root = f"{endpoint}/{hub.model_id}/resolve/{hub.revision}"
    try:
        async with aiohttp.ClientSession(headers=headers, timeout=_PATIENCE) as session:
            return await _memory(session, root, hub)
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None


async def _memory(session: aiohttp.ClientSession, root: str, hub: ModelHub) -> ModelMemory | None:
    if hub.filename is not None:
        return await _of_gguf(session, f"{root}/{hub.filename}")
    config = await _json(session, f"{root}/config.json")
    index = await _json(session, f"{root}/{_INDEX}")
    size = (index or {}).get("metadata", {}).get("total_size")
    if not isinstance(size, int):
        size = await _size(session, f"{root}/{_WEIGHTS}")
    return memory_from_config(config, size) if config and size else None


async def _of_gguf(session: aiohttp.ClientSession, url: str) -> ModelMemory | None:
    if not url.endswith(".gguf"):
        return None
    wanted = {"Range": f"bytes=0-{_GGUF_HEADER - 1}"}
    async with session.get(url, headers=wanted) as answer:
        if answer.status not in (200, 206):
            return None
        whole = answer.headers.get("Content-Range", "").rpartition("/")[2]
        size = int(whole) if whole.isdecimal() else answer.content_length
        head = await answer.content.read(_GGUF_HEADER) if size else b""
        while size and len(head) < min(size, _GGUF_HEADER):
            more = await answer.content.read(_GGUF_HEADER - len(head))
            if not more:
                break
            head += more
    return memory_from_gguf(gguf.metadata(io.BytesIO(head)), size) if size else None


async def _json(session: aiohttp.ClientSession, url: str) -> dict[str, Any] | None:
    async with session.get(url) as answer:
        value = await answer.json(content_type=None) if answer.status == 200 else None
    return value if isinstance(value, dict) else None


async def _size(session: aiohttp.ClientSession, url: str) -> int | None:
    async with session.head(url, allow_redirects=True) as answer:
        return answer.content_length if answer.status == 200 else None
