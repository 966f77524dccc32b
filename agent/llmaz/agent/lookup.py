"""Reads what assignments only name: Secrets, ConfigMaps and sources' credentials, always anew."""

import base64
import binascii
from collections.abc import Mapping
from typing import Protocol

from llmaz.agent.cache.origin import SecretKeys
from llmaz.agent.cache.ports import SecretNotFoundError, SecretUnreadableError
from llmaz.agent.engines.errors import EngineError, ReferenceNotFound
from llmaz.api.kinds import CONFIG_MAP, SECRET, Kind
from llmaz.api.manifest import Manifest
from llmaz.kube.errors import KubeError, NotFound


class ReadApi(Protocol):
    """The one call that is made."""

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Manifest: ...


class ClusterLookup:
    """Secrets and ConfigMaps of the API server; a Secret that was mended counts at once."""

    def __init__(self, api: ReadApi, *, default_namespace: str | None = None) -> None:
        self._api = api
        self._default_namespace = default_namespace

    async def get_secret(self, namespace: str, name: str) -> Mapping[str, str]:
        """Return a Secret's texts; raise EngineError where an engine can't have them."""
        try:
            return _decoded(await self._api.get(SECRET, name, namespace))
        except NotFound as error:
            raise ReferenceNotFound(f"Secret {namespace}/{name}: {error}") from error
        except (KubeError, ValueError) as error:
            raise EngineError(f"Secret {namespace}/{name}: {error}") from error

    async def get_config_map(self, namespace: str, name: str) -> Mapping[str, str]:
        """Return a ConfigMap's texts; raise EngineError where an engine can't have them."""
        try:
            return _texts(await self._api.get(CONFIG_MAP, name, namespace))
        except NotFound as error:
            raise ReferenceNotFound(f"ConfigMap {namespace}/{name}: {error}") from error
        except KubeError as error:
            raise EngineError(f"ConfigMap {namespace}/{name}: {error}") from error

    async def credentials(
        self, namespace: str | None, wanted: SecretKeys, *, own: bool = False
    ) -> Mapping[str, str]:
        """Return a source's credentials: a namespace's, else the platform's; empty without any.

        A Secret that the model names must be there: without it, the source would be asked with
        the node's own identity, which its author did not mean.
        """
        default = None if own else self._default_namespace
        places = [place for place in dict.fromkeys((namespace, default)) if place is not None]
        missing = []
        for place in places:
            secret = await self._secret(place, wanted.name)
            found = {} if secret is None else _chosen(secret, wanted.keys)
            if found:
                return found
            missing.append(_missing(f"{place}/{wanted.name}", secret, wanted.keys))
        if wanted.named and not own:
            nowhere = f"there is no namespace in which to look for Secret {wanted.name}"
            raise SecretNotFoundError("; ".join(missing) or nowhere)
        return {}

    async def _secret(self, namespace: str, name: str) -> Mapping[str, str] | None:
        try:
            return _decoded(await self._api.get(SECRET, name, namespace))
        except NotFound:
            return None
        except (KubeError, ValueError) as error:
            raise SecretUnreadableError(f"Secret {namespace}/{name}: {error}") from error


def _chosen(secret: Mapping[str, str], keys: tuple[str, ...]) -> dict[str, str]:
    texts = {key: secret.get(key, "").strip() for key in keys}
    return {key: text for key, text in texts.items() if text}


def _missing(place: str, secret: Mapping[str, str] | None, keys: tuple[str, ...]) -> str:
    if secret is None:
        return f"there is no Secret {place}, which the model names"
    return f"Secret {place}, which the model names, has no {' or '.join(keys)}"


def _texts(manifest: Manifest) -> dict[str, str]:
    data = manifest.get("data")
    return {key: str(value) for key, value in data.items()} if isinstance(data, dict) else {}


def _decoded(secret: Manifest) -> dict[str, str]:
    """Decode a Secret's data; an error names the key and never the value."""
    decoded = {}
    for key, text in _texts(secret).items():
        try:
            decoded[key] = base64.b64decode(text, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise ValueError(f"the value of {key} is no base64 of text") from None
    return decoded
