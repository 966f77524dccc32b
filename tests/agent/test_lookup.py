"""What is read from Secrets and ConfigMaps, and what is said when it can't be."""

import base64
from dataclasses import dataclass, field

import pytest

from llmaz.agent.cache.origin import SecretKeys
from llmaz.agent.cache.ports import SecretNotFoundError, SecretUnreadableError
from llmaz.agent.engines.errors import EngineError
from llmaz.agent.lookup import ClusterLookup
from llmaz.api.kinds import Kind
from llmaz.api.manifest import Json, Manifest
from llmaz.kube import Forbidden, KubeError, NotFound

TOKEN = SecretKeys(name="modelhub-secret", keys=("HF_TOKEN",))
NAMED = SecretKeys(name="team-hub", keys=("HF_TOKEN",), named=True)


@dataclass
class Api:
    """Answers from a table; what is not in it is not found."""

    data: dict[tuple[str, str | None, str], dict[str, Json]] = field(default_factory=dict)
    refusal: KubeError | None = None

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Manifest:
        if self.refusal is not None:
            raise self.refusal
        try:
            return {"data": self.data[kind.kind, namespace, name]}
        except KeyError:
            raise NotFound(f"get {kind.plural}/{name}: not found") from None


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _with_token(value: str) -> ClusterLookup:
    return ClusterLookup(Api({("Secret", "team", "modelhub-secret"): {"HF_TOKEN": value}}))


async def test_the_hubs_token_is_that_of_the_namespace() -> None:
    lookup = _with_token(_encoded("hf_secret\n"))
    assert await lookup.credentials("team", TOKEN) == {"HF_TOKEN": "hf_secret"}
    assert await lookup.credentials("other", TOKEN) == {}
    assert await lookup.credentials(None, TOKEN) == {}


async def test_a_token_that_is_empty_is_none() -> None:
    assert await _with_token(_encoded(" ")).credentials("team", TOKEN) == {}


async def test_a_value_that_cannot_be_decoded_is_named_and_not_shown() -> None:
    with pytest.raises(SecretUnreadableError) as error:
        await _with_token("hf_secret!").credentials("team", TOKEN)
    assert "HF_TOKEN is no base64 of text" in str(error.value)
    assert "hf_secret" not in str(error.value)


async def test_a_secret_that_may_not_be_read_is_said() -> None:
    lookup = ClusterLookup(Api(refusal=Forbidden("get secrets: forbidden")))
    with pytest.raises(SecretUnreadableError, match=r"Secret team/modelhub-secret: .*forbidden"):
        await lookup.credentials("team", TOKEN)


async def test_engines_get_texts_and_a_missing_object_by_name() -> None:
    lookup = ClusterLookup(
        Api(
            {
                ("Secret", "team", "keys"): {"a": _encoded("1")},
                ("ConfigMap", "team", "options"): {"b": "2"},
            }
        )
    )
    assert await lookup.get_secret("team", "keys") == {"a": "1"}
    assert await lookup.get_config_map("team", "options") == {"b": "2"}
    with pytest.raises(EngineError, match=r"Secret team/other: .*not found"):
        await lookup.get_secret("team", "other")
    with pytest.raises(EngineError, match=r"ConfigMap team/other: .*not found"):
        await lookup.get_config_map("team", "other")


async def test_the_platforms_credentials_stand_in_where_a_namespace_has_none_of_its_own() -> None:
    api = Api({("Secret", "platform", "modelhub-secret"): {"HF_TOKEN": _encoded("shared")}})
    lookup = ClusterLookup(api, default_namespace="platform")
    assert await lookup.credentials("team", TOKEN) == {"HF_TOKEN": "shared"}
    assert await lookup.credentials(None, TOKEN) == {"HF_TOKEN": "shared"}
    assert await lookup.credentials("team", TOKEN, own=True) == {}
    api.data["Secret", "team", "modelhub-secret"] = {"HF_TOKEN": _encoded("theirs")}
    assert await lookup.credentials("team", TOKEN) == {"HF_TOKEN": "theirs"}


async def test_a_secret_that_the_model_names_must_be_there_with_a_key_of_the_source() -> None:
    api = Api({("Secret", "platform", "team-hub"): {"token": _encoded("of another key")}})
    lookup = ClusterLookup(api, default_namespace="platform")
    with pytest.raises(SecretNotFoundError) as error:
        await lookup.credentials("team", NAMED)
    assert str(error.value) == (
        "there is no Secret team/team-hub, which the model names; "
        "Secret platform/team-hub, which the model names, has no HF_TOKEN"
    )
    api.data["Secret", "platform", "team-hub"] = {"HF_TOKEN": _encoded("shared")}
    assert await lookup.credentials("team", NAMED) == {"HF_TOKEN": "shared"}


async def test_a_named_secret_is_not_to_be_found_where_there_is_no_namespace() -> None:
    with pytest.raises(SecretNotFoundError, match=r"no namespace in which to look .*team-hub"):
        await ClusterLookup(Api()).credentials(None, NAMED)


async def test_a_namespace_without_the_named_secret_proves_nothing_of_its_own() -> None:
    assert await ClusterLookup(Api()).credentials("team", NAMED, own=True) == {}
