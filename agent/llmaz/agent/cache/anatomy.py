"""What the files of a model on this node say of the memory that it takes; reads headers alone.

A repository may hold the same weights twice, in several formats or precisions: only what an engine
would read counts, and where that can't be told nothing is said.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from llmaz.agent.cache import gguf
from llmaz.api.memory import ModelMemory
from llmaz.api.modelconfig import memory_from_config, memory_from_gguf

_LARGEST_JSON = 64 * 2**20
_PART = re.compile(r"-\d{5}-of-(\d{5})\.gguf$")
_INDEXES = {
    "model.safetensors.index.json": "*.safetensors",
    "pytorch_model.bin.index.json": "*.bin",
}


def memory_of(path: Path) -> ModelMemory | None:
    """Return what is known of a file or directory of weights; None where it can't be told."""
    try:
        if path.is_file():
            return _of_gguf([path]) if path.suffix == ".gguf" else None
        config = path / "config.json"
        if config.is_file():
            weights = _hub_weights(path)
            return memory_from_config(_read(config), weights) if weights else None
        return _of_gguf(sorted(path.rglob("*.gguf")))
    except (OSError, ValueError):  # it went, or is no model: whoever opens it says so
        return None


def _of_gguf(files: Sequence[Path]) -> ModelMemory | None:
    """Several files are one model only as its numbered parts, and not as its precisions."""
    if not files:
        return None
    parts = _PART.search(files[0].name)
    if len(files) != (int(parts[1]) if parts else 1):
        return None
    with files[0].open("rb") as file:
        header = gguf.metadata(file)
    return memory_from_gguf(header, sum(file.stat().st_size for file in files))


def _hub_weights(directory: Path) -> int | None:
    """Return the size of the weights in the layout of a hub: those of an index, else of one file.

    Engines prefer safetensors. Other files of them, such as `consolidated.safetensors`, hold the
    same again in another layout.
    """
    for index, pattern in _INDEXES.items():
        if (directory / index).is_file():
            named = _read(directory / index).get("weight_map")
            files = named.values() if isinstance(named, dict) else ()
            names = {name for name in files if isinstance(name, str)}
            return sum((directory / name).stat().st_size for name in names) or None
        one = directory / index.removesuffix(".index.json")
        if one.is_file():
            return one.stat().st_size
        found = list(directory.glob(pattern))
        if found:
            return found[0].stat().st_size if len(found) == 1 else None
    return None


def _read(path: Path) -> dict[str, object]:
    if path.stat().st_size > _LARGEST_JSON:
        raise ValueError(f"{path} is too large")
    value = json.loads(path.read_text())
    if not isinstance(value, dict):
        raise ValueError(f"{path} holds no object")
    return value
