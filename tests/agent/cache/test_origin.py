"""What a model's source means."""

import pytest

from llmaz.agent.cache.origin import (
    EnginePulls,
    HubRepository,
    NodePath,
    Origin,
    Unsupported,
    key_of,
    origin_of,
)
from llmaz.api.source import Hub, ModelHub, ModelSource


@pytest.mark.parametrize(
    ("uri", "origin"),
    [
        ("host:///models/m", NodePath(path="/models/m")),
        ("file:///models/m", NodePath(path="/models/m")),
        ("ollama://qwen:7b", EnginePulls()),
    ],
)
def test_a_uri_says_where_the_weights_are(uri: str, origin: Origin) -> None:
    assert origin_of(ModelSource(uri=uri)) == origin


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("s3://bucket/m", "s3:// can't be read by this agent"),
        ("host://models/m", "needs an absolute path: host:///models/m"),
        ("/models/m", "is not a URI"),
    ],
)
def test_a_uri_that_cannot_be_read_is_refused_in_words(uri: str, words: str) -> None:
    origin = origin_of(ModelSource(uri=uri))
    assert isinstance(origin, Unsupported)
    assert words in origin.message


def test_a_hub_wins_over_a_uri() -> None:
    hub = ModelHub(model_id="acme/tiny", filename="a.gguf", revision="v1")
    assert origin_of(ModelSource(model_hub=hub, uri="host:///m")) == HubRepository(
        repository="acme/tiny", revision="v1", filename="a.gguf"
    )


@pytest.mark.parametrize(
    "hub",
    [
        ModelHub(name=Hub.MODELSCOPE, model_id="acme/tiny"),
        ModelHub(model_id="acme/tiny", filename="../../etc/passwd"),
        ModelHub(model_id="acme/tiny", filename="/etc/passwd"),
        ModelHub(model_id="acme/tiny", revision="../../../refs"),
        ModelHub(model_id="acme/tiny", revision=""),
    ],
)
def test_a_repository_that_cannot_be_read_is_refused(hub: ModelHub) -> None:
    assert isinstance(origin_of(ModelSource(model_hub=hub)), Unsupported)


def test_a_source_that_names_nothing_is_refused() -> None:
    assert isinstance(origin_of(ModelSource()), Unsupported)


def test_two_hubs_do_not_share_what_they_name_alike() -> None:
    origin = HubRepository(repository="acme/tiny", revision="main")
    assert key_of(origin, "https://a") == key_of(origin, "https://a")
    assert key_of(origin, "https://a") != key_of(origin, "https://b")
