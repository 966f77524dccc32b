import pytest

from llmaz.gateway.paths import is_open


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"),
        *("/v1/rerank", "/v1/audio/transcriptions", "/v1/images/generations", "/v1/a..b"),
    ],
)
def test_what_engines_answer_is_open(path: str) -> None:
    assert is_open(path)


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/../sleep", "/v1/x/../../sleep", "/v1/./chat", "/v1/..", "/v1/..\\sleep"),
        *("/v1/load_lora_adapter", "/v1/unload_lora_adapter/"),
    ],
)
def test_what_leaves_openais_paths_or_changes_an_engine_is_not(path: str) -> None:
    assert not is_open(path)
