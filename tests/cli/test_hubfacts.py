"""What a hub tells of a model without fetching it."""

import json
import re

import pytest

from llmaz.api.memory import ModelMemory
from llmaz.api.source import ModelHub, ModelSource
from llmaz.cli.hubfacts import UntoldError, memory_at_hub
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
CONFIG_JSON = json.dumps(CONFIG).encode()
EXPECTED = ModelMemory(
    weight_bytes=100, value_bytes=2, token_bytes=64, cache_heads=2, context_tokens=64
)


async def asked(repository: Repository, filename: str | None = None) -> ModelMemory:
    async with serving({"org/m": repository}) as hub:
        source = ModelSource(model_hub=ModelHub(model_id="org/m", filename=filename))
        return await memory_at_hub(source, {"HF_ENDPOINT": hub.url})


async def test_an_index_tells_the_size_of_the_weights() -> None:
    index = {"metadata": {"total_size": 100}, "weight_map": {}}
    files = {"config.json": CONFIG_JSON, "model.safetensors.index.json": json.dumps(index).encode()}
    found = await asked(Repository(files))
    assert found == EXPECTED


async def test_a_single_file_tells_its_own_size() -> None:
    weights = safetensors()
    found = await asked(Repository({"config.json": CONFIG_JSON, "model.safetensors": weights}))
    assert found.weight_bytes == len(weights)


async def test_a_gguf_file_tells_all_in_its_first_bytes() -> None:
    found = await asked(Repository({"m.gguf": SMOLLM2.read_bytes()}), "m.gguf")
    assert (found.weight_bytes, found.context_tokens) == (SMOLLM2.stat().st_size, 8192)


@pytest.mark.parametrize(
    ("repository", "filename", "words"),
    [
        (Repository({}), None, "the hub has no config.json of org/m at main"),
        (Repository({}), "m.gguf", "the hub has no m.gguf of org/m at main"),
        (Repository({"m.bin": b"x"}), "m.bin", "m.bin is no GGUF file"),
        (Repository({"m.gguf": b"GGUX" * 9}), "m.gguf", "a file that can't be read"),
        (Repository({"config.json": b"[]"}), None, "a file that can't be read"),
        (Repository({"config.json": b"{"}), None, "a file that can't be read"),
        (Repository({"config.json": b"{}"}), None, "org/m has no model.safetensors, and no index"),
        (Repository({"config.json": b"{}"}, gated=True), None, "without an HF_TOKEN that may"),
    ],
)
async def test_a_repository_that_does_not_tell_is_said_why(
    repository: Repository, filename: str | None, words: str
) -> None:
    with pytest.raises(UntoldError, match=re.escape(words)):
        await asked(repository, filename)


async def test_a_hub_that_is_not_reached_leaves_it_unknown() -> None:
    source = ModelSource(model_hub=ModelHub(model_id="org/m"))
    with pytest.raises(UntoldError, match="the hub does not answer"):
        await memory_at_hub(source, {"HF_ENDPOINT": "http://127.0.0.1:9"})
    with pytest.raises(UntoldError, match="only Hugging Face is asked"):
        await memory_at_hub(ModelSource(uri="s3://b/m"), {})
