"""What the configurations of well-known models come to, against figures that are published."""

import pytest

from llmaz.api.modelconfig import memory_from_config, memory_from_gguf

LLAMA_8B = {
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "hidden_size": 4096,
    "torch_dtype": "bfloat16",
    "max_position_embeddings": 131072,
}


def test_a_token_of_llama_3_8b_takes_128_kib() -> None:
    found = memory_from_config(LLAMA_8B, 16)
    assert (found.token_bytes, found.cache_heads) == (128 * 1024, 8)
    assert (found.context_tokens, found.value_bytes, found.weight_bytes) == (131072, 2, 16)


def test_a_model_without_grouped_heads_keeps_all_of_them() -> None:
    found = memory_from_config(
        {"n_layer": 12, "n_head": 12, "n_embd": 768, "dtype": "float32", "n_positions": 1024}, 1
    )
    assert (found.token_bytes, found.cache_heads) == (12 * 2 * 768 * 4, 12)


def test_a_compressed_cache_is_one_vector_a_layer_on_every_device() -> None:
    config = {**LLAMA_8B, "num_hidden_layers": 61, "kv_lora_rank": 512, "qk_rope_head_dim": 64}
    found = memory_from_config(config, 1)
    assert (found.token_bytes, found.cache_heads) == (61 * 576 * 2, 1)


def test_layers_with_a_window_keep_its_tokens_alone() -> None:
    kinds = ["sliding_attention"] * 5 + ["full_attention"]
    config = {**LLAMA_8B, "num_hidden_layers": 6, "layer_types": kinds, "sliding_window": 1024}
    found = memory_from_config(config, 1)
    assert (found.token_bytes, found.window_token_bytes) == (4096, 5 * 4096)
    assert found.window_tokens == 1024


def test_a_window_that_is_not_used_counts_for_nothing() -> None:
    config = {**LLAMA_8B, "sliding_window": 131072, "use_sliding_window": False}
    assert memory_from_config(config, 1) == memory_from_config(LLAMA_8B, 1)


def test_a_model_that_sees_as_well_is_told_by_its_language_part() -> None:
    outer = {"torch_dtype": "bfloat16", "text_config": {**LLAMA_8B, "torch_dtype": None}}
    assert memory_from_config(outer, 1) == memory_from_config(LLAMA_8B, 1)


@pytest.mark.parametrize(
    "odd", [{"mamba_d_state": 16}, {"is_encoder_decoder": True}, {"torch_dtype": "int3"}]
)
def test_of_what_is_not_known_here_only_the_weights_count(odd: dict[str, object]) -> None:
    found = memory_from_config({**LLAMA_8B, **odd}, 7)
    assert (found.token_bytes, found.weight_bytes) == (None, 7)


def test_a_gguf_header_tells_keys_and_values_apart() -> None:
    header = {
        "general.architecture": "gemma",
        "gemma.block_count": 2,
        "gemma.attention.head_count": 8,
        "gemma.attention.head_count_kv": [4, 2],
        "gemma.attention.key_length": 256,
        "gemma.attention.value_length": 128,
        "gemma.embedding_length": 2048,
        "gemma.context_length": 8192,
    }
    found = memory_from_gguf(header, 3)
    assert found.token_bytes == 2 * 2 * (256 + 128) * 2
    windowed = memory_from_gguf({**header, "gemma.attention.sliding_window": 512}, 3)
    assert (windowed.token_bytes, windowed.window_tokens) == (0, 512)
    assert memory_from_gguf({"general.architecture": "new"}, 3).token_bytes is None
