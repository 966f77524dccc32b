"""Reads what models say of themselves, config.json and the header of a GGUF file, for its memory.

Everything is a least: a layer of a kind that is not known here counts for nothing, and where the
file does not say enough the KV cache is not known at all. A model that fits is never kept out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from llmaz.api.memory import ModelMemory

_Config: TypeAlias = Mapping[str, object]

_SIZES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "float8_e4m3fn": 1}
_INNER = ("text_config", "llm_config", "language_config", "thinker_config")
# Signs of layers that keep a state of fixed size in place of a KV cache, without saying which.
_MIXED = ("mamba_d_state", "ssm_cfg", "hybrid_override_pattern", "attn_layer_period", "state_size")
_FULL, _WINDOWED = "full_attention", "sliding_attention"
_GGUF_CACHE_BYTES = 2  # llama.cpp keeps its KV cache in 16 bits unless it is told otherwise


def memory_from_config(config: _Config, weight_bytes: int) -> ModelMemory:
    """Return what a Hugging Face config.json and the size of the weights tell."""
    inner = _language_part(config)
    size = _SIZES.get(_text(inner, "torch_dtype", "dtype") or _text(config, "torch_dtype", "dtype"))
    layers, context = _layers(inner), _number(inner, *_CONTEXT)
    shape = _cache_shape(inner)
    is_known = not config.get("is_encoder_decoder") and not any(key in inner for key in _MIXED)
    if layers is None or shape is None or size is None or not is_known:
        return ModelMemory(weight_bytes=weight_bytes, value_bytes=size, context_tokens=context)
    return ModelMemory(
        weight_bytes=weight_bytes,
        value_bytes=size,
        token_bytes=layers.full * shape.values * size,
        window_token_bytes=layers.windowed * shape.values * size or None,
        window_tokens=layers.window if layers.windowed else None,
        cache_heads=shape.heads,
        context_tokens=context,
    )


def memory_from_gguf(header: Mapping[str, object], weight_bytes: int) -> ModelMemory:
    """Return what the metadata of a GGUF file tells, whose keys begin with its architecture."""
    prefix = f"{header.get('general.architecture', '')}."
    own = {
        key.removeprefix(prefix): value for key, value in header.items() if key.startswith(prefix)
    }
    context = _number(own, "context_length")
    layers, width = _number(own, "block_count"), _number(own, "embedding_length")
    queries = _number(own, "attention.head_count")
    heads = _number(own, "attention.head_count_kv") or queries
    is_known = (
        not any(key.startswith("ssm.") for key in own) and "attention.kv_lora_rank" not in own
    )
    if layers is None or heads is None or not queries or width is None or not is_known:
        return ModelMemory(weight_bytes=weight_bytes, context_tokens=context)
    keys = _number(own, "attention.key_length") or width // queries
    values = _number(own, "attention.value_length") or width // queries
    whole = layers * heads * (keys + values) * _GGUF_CACHE_BYTES
    window = _number(own, "attention.sliding_window")
    return ModelMemory(
        weight_bytes=weight_bytes,
        value_bytes=_GGUF_CACHE_BYTES,
        # Which layers have the window is the architecture's matter: at the least all of them.
        token_bytes=0 if window else whole,
        window_token_bytes=whole if window else None,
        window_tokens=window,
        cache_heads=heads,
        context_tokens=context,
    )


@dataclass(frozen=True, slots=True)
class _Layers:
    full: int
    windowed: int
    window: int | None


@dataclass(frozen=True, slots=True)
class _CacheShape:
    values: int  # numbers that a layer keeps of a token
    heads: int


_CONTEXT = ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length")


def _language_part(config: _Config) -> _Config:
    for key in _INNER:
        inner = config.get(key)
        if isinstance(inner, dict):
            return _language_part(inner)
    return config


def _layers(config: _Config) -> _Layers | None:
    """Return how many layers keep all of a context, and how many the tokens of a window."""
    count = _number(config, "num_hidden_layers", "n_layer", "num_layers", "n_layers")
    if count is None:
        return None
    window = _number(config, "sliding_window") if config.get("use_sliding_window", True) else None
    kinds = config.get("layer_types")
    if isinstance(kinds, list):
        return _Layers(kinds.count(_FULL), kinds.count(_WINDOWED) if window else 0, window)
    return _Layers(0, count, window) if window else _Layers(count, 0, None)


def _cache_shape(config: _Config) -> _CacheShape | None:
    latent = _number(config, "kv_lora_rank")
    if latent is not None:  # one compressed vector stands for all heads, and every device has it
        return _CacheShape(latent + (_number(config, "qk_rope_head_dim") or 0), 1)
    queries = _number(config, "num_attention_heads", "n_head", "num_heads", "n_heads")
    width = _number(config, "hidden_size", "n_embd", "d_model")
    size = _number(config, "head_dim", "attention_head_dim")
    if size is None and queries and width is not None:
        size = width // queries
    heads = _number(config, "num_key_value_heads", "num_kv_heads", "multi_query_group_num")
    if heads is None:
        heads = 1 if config.get("multi_query") else queries
    return None if size is None or heads is None else _CacheShape(2 * heads * size, heads)


def _number(config: _Config, *keys: str) -> int | None:
    """Return the first of these that is a positive number; of a list, one a layer, the least."""
    for key in keys:
        value = config.get(key)
        if isinstance(value, list) and value and all(isinstance(one, int) for one in value):
            value = min(value)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None


def _text(config: _Config, *keys: str) -> str:
    found = (config.get(key) for key in keys)
    return next((value for value in found if isinstance(value, str)), "").removeprefix("torch.")
