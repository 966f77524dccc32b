"""What is read of the memory that a model takes from the files of real and of made-up ones."""

import json
from pathlib import Path

from llmaz.agent.cache.anatomy import memory_of
from llmaz.api.memory import ModelMemory
from support.smollm2 import SMOLLM2
from support.weights import gguf, safetensors

CONFIG = {
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "hidden_size": 64,
    "torch_dtype": "bfloat16",
    "max_position_embeddings": 4096,
}
MEMORY = ModelMemory(
    weight_bytes=len(safetensors()),
    value_bytes=2,
    token_bytes=2 * 2 * 2 * 8 * 2,  # layers, keys and values, heads, their size, bytes
    cache_heads=2,
    context_tokens=4096,
)


def hub(directory: Path, **files: bytes) -> Path:
    (directory / "config.json").write_text(json.dumps(CONFIG))
    for name, data in files.items():
        (directory / name.replace("__", ".")).write_bytes(data)
    return directory


def test_a_real_gguf_file_tells_its_layers_and_heads() -> None:
    assert memory_of(SMOLLM2) == ModelMemory(
        weight_bytes=SMOLLM2.stat().st_size,
        value_bytes=2,
        token_bytes=30 * 3 * (64 + 64) * 2,
        cache_heads=3,
        context_tokens=8192,
    )


def test_a_repository_tells_its_weights_and_its_cache(tmp_path: Path) -> None:
    assert memory_of(hub(tmp_path, model__safetensors=safetensors())) == MEMORY


def test_weights_in_a_second_layout_or_format_do_not_count(tmp_path: Path) -> None:
    twice = safetensors(size=128)
    directory = hub(
        tmp_path,
        model__safetensors=safetensors(),
        consolidated__safetensors=twice,
        pytorch_model__bin=twice,
    )
    assert memory_of(directory) == MEMORY


def test_the_files_that_an_index_names_count_each_once(tmp_path: Path) -> None:
    index = {"weight_map": {"a": "x.safetensors", "b": "x.safetensors", "c": "y.safetensors"}}
    directory = hub(tmp_path, x__safetensors=bytes(10), y__safetensors=bytes(5), z__safetensors=b"")
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))
    found = memory_of(directory)
    assert found is not None
    assert found.weight_bytes == 15


def test_precisions_side_by_side_are_no_one_model(tmp_path: Path) -> None:
    for name in ("q4.gguf", "q8.gguf"):
        (tmp_path / name).write_bytes(gguf())
    assert memory_of(tmp_path) is None
    assert memory_of(tmp_path / "q4.gguf") is not None


def test_numbered_parts_are_one_model(tmp_path: Path) -> None:
    for name in ("m-00001-of-00002.gguf", "m-00002-of-00002.gguf"):
        (tmp_path / name).write_bytes(gguf())
    found = memory_of(tmp_path)
    assert found is not None
    assert found.weight_bytes == 2 * len(gguf())


def test_what_is_no_model_or_not_whole_tells_nothing(tmp_path: Path) -> None:
    assert memory_of(tmp_path) is None
    assert memory_of(tmp_path / "gone") is None
    assert memory_of(hub(tmp_path)) is None
    (tmp_path / "config.json").write_text("[]")
    assert memory_of(tmp_path) is None
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    assert memory_of(tmp_path / "m.gguf") is None
