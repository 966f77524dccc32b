"""What a hub tells of a model without fetching it."""

import json

import pytest

from llmaz.api.memory import ModelMemory
from llmaz.api.source import ModelHub, ModelSource
from llmaz.cli.hubfacts import memory_at_hub
from support.hub import Repository, serving
from support.smollm2 import SMOLLM2
from support.weights import safetensors

CONFIG = {
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_size": 8,
    "torch_dtype": "float16",
    "max_position_embeddings": 64,
}
EXPECTED = ModelMemory(
    weight_bytes=100, value_bytes=2, token_bytes=64, cache_heads=2, context_tokens=64
)


async def asked(files: dict[str, bytes], filename: str | None = None) -> ModelMemory | None:
    async with serving({"org/m": Repository(files)}) as hub:
        source = ModelSource(model_hub=ModelHub(model_id="org/m", filename=filename))
        return await memory_at_hub(source, {"HF_ENDPOINT": hub.url})


async def test_an_index_tells_the_size_of_the_weights() -> None:
    index = {"metadata": {"total_size": 100}, "weight_map": {}}
    found = await asked(
        {
            "config.json": json.dumps(CONFIG).encode(),
            "model.safetensors.index.json": json.dumps(index).encode(),
        }
    )
    assert found == EXPECTED


async def test_a_single_file_tells_its_own_size() -> None:
    weights = safetensors()
    found = await asked({"config.json": json.dumps(CONFIG).encode(), "model.safetensors": weights})
    assert found is not None
    assert found.weight_bytes == len(weights)


async def test_a_gguf_file_tells_all_in_its_first_bytes() -> None:
    found = await asked({"m.gguf": SMOLLM2.read_bytes()}, "m.gguf")
    assert found is not None
    assert (found.weight_bytes, found.context_tokens) == (SMOLLM2.stat().st_size, 8192)


@pytest.mark.parametrize("files", [{}, {"config.json": b"[]"}, {"config.json": b"{"}])
async def test_a_repository_that_does_not_tell_leaves_it_unknown(files: dict[str, bytes]) -> None:
    assert await asked(files) is None


async def test_a_hub_that_is_not_reached_leaves_it_unknown() -> None:
    source = ModelSource(model_hub=ModelHub(model_id="org/m"))
    assert await memory_at_hub(source, {"HF_ENDPOINT": "http://127.0.0.1:9"}) is None
    assert await memory_at_hub(ModelSource(uri="s3://b/m"), {}) is None
