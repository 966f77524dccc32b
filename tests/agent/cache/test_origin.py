"""What a model's source means."""

import pytest

from llmaz.agent.cache.origin import (
    Bucket,
    HubRepository,
    NodePath,
    OllamaModel,
    Origin,
    Remote,
    SecretKeys,
    Unsupported,
    WebFile,
    key_of,
    name_of,
    origin_of,
    secret_of,
)
from llmaz.api.source import Hub, ModelHub, ModelSource


@pytest.mark.parametrize(
    ("uri", "origin"),
    [
        ("host:///models/m", NodePath(path="/models/m")),
        ("file:///models/m", NodePath(path="/models/m")),
        ("s3://bucket/models/m/", Bucket(scheme="s3", bucket="bucket", key="models/m")),
        ("gcs://bucket/m", Bucket(scheme="gs", bucket="bucket", key="m")),
        ("gs://bucket/m", Bucket(scheme="gs", bucket="bucket", key="m")),
        (
            "oss://bucket.oss-cn-hangzhou.aliyuncs.com/m",
            Bucket(scheme="oss", bucket="bucket", key="m", endpoint="oss-cn-hangzhou.aliyuncs.com"),
        ),
        ("https://host/m.gguf?sign=x", WebFile(url="https://host/m.gguf?sign=x")),
        (
            "ollama://qwen:7b",
            OllamaModel(registry="registry.ollama.ai", repository="library/qwen", tag="7b"),
        ),
        ("hf://acme/tiny", HubRepository(repository="acme/tiny", revision="main")),
        (
            "hf://acme/tiny@v1/q/m.gguf",
            HubRepository(repository="acme/tiny", revision="v1", filename="q/m.gguf"),
        ),
        (
            "hf://acme/tiny@refs%2Fpr%2F1/m.gguf",
            HubRepository(repository="acme/tiny", revision="refs/pr/1", filename="m.gguf"),
        ),
        (
            "ollama://hub.example.com/acme/m",
            OllamaModel(registry="hub.example.com", repository="acme/m", tag="latest"),
        ),
    ],
)
def test_a_uri_says_where_the_weights_are(uri: str, origin: Origin) -> None:
    assert origin_of(ModelSource(uri=uri)) == origin


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("pvc://claim/m", "host:///path"),
        ("hf://acme", "is not of the form hf://owner/name"),
        ("hf://datasets/acme/tiny", "is one of the hub's datasets, and no model"),
        ("hf://acme/tiny@..%2Fx", "leads out of the repository"),
        ("hf://acme/tiny/../../x", "leads out of the repository"),
        ("git:///home/somebody/repository", "git:// can't be read by this agent"),
        ("memory://host/m", "memory:// can't be read by this agent"),
        ("s3://bucket", "is not of the form s3://bucket/path"),
        ("oss://bucket/m", "is not of the form oss://bucket.endpoint/path"),
        ("https://host/", "names no file"),
        ("ollama://../x", "names no model"),
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
        ModelHub(model_id="../acme"),
        ModelHub(model_id="acme/tiny/more"),
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


@pytest.mark.parametrize(
    ("origin", "secret"),
    [
        (HubRepository(repository="a/b", revision="main"), "modelhub-secret"),
        (
            HubRepository(hub=Hub.MODELSCOPE, repository="a/b", revision="main"),
            "modelhub-secret",
        ),
        (Bucket(scheme="s3", bucket="b", key="k"), "aws-access-secret"),
        (Bucket(scheme="gs", bucket="b", key="k"), "aws-access-secret"),
        (Bucket(scheme="oss", bucket="b", key="k", endpoint="e"), "oss-access-secret"),
    ],
)
def test_each_source_has_its_secret(origin: Remote, secret: str) -> None:
    found = secret_of(origin)
    assert isinstance(found, SecretKeys)
    assert found.name == secret


def test_a_web_file_has_no_secret_and_shows_no_signature() -> None:
    origin = WebFile(url="https://user:pw@host/m.gguf?sign=x")
    assert secret_of(origin) is None
    assert name_of(origin) == "https://host/m.gguf"


def test_a_bucket_of_oss_is_called_as_its_uri_is_written() -> None:
    uri = "oss://bucket.store.example:8443/models/m"
    origin = origin_of(ModelSource(uri=uri))
    assert not isinstance(origin, Unsupported | NodePath)
    assert name_of(origin) == uri


@pytest.mark.parametrize("scheme", ["ftp", "ftps"])
def test_ftp_is_refused_with_what_to_use_instead(scheme: str) -> None:
    origin = origin_of(ModelSource(uri=f"{scheme}://host/models/m"))
    assert isinstance(origin, Unsupported)
    assert "sftp://" in origin.message


def test_a_secret_that_the_model_names_has_the_usual_keys() -> None:
    origin = HubRepository(repository="acme/m", revision="main")
    named = SecretKeys(name="team-hub", keys=("HF_TOKEN",), named=True)
    assert secret_of(origin, "team-hub") == named
    assert secret_of(WebFile(url="https://host/m.gguf"), "team-hub") is None
