"""Reads what assignments only name: Secrets, ConfigMaps and sources' credentials, always anew."""

import base64
import binascii
from collections.abc import Mapping
from typing import Protocol

from llmaz.agent.cache.origin import SecretKeys
from llmaz.agent.cache.ports import SecretUnreadableError
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
        """Return a source's credentials: a namespace's, else the platform's; empty without any."""
        default = None if own else self._default_namespace
        for place in dict.fromkeys((namespace, default)):
            found = {} if place is None else await self._credentials(place, wanted)
            if found:
                return found
        return {}

    async def _credentials(self, namespace: str, wanted: SecretKeys) -> Mapping[str, str]:
        try:
            secret = _decoded(await self._api.get(SECRET, wanted.name, namespace))
        except NotFound:
            return {}
        except (KubeError, ValueError) as error:
            where = f"Secret {namespace}/{wanted.name}"
            raise SecretUnreadableError(f"{where}: {error}") from error
        texts = {key: secret.get(key, "").strip() for key in wanted.keys}
        return {key: text for key, text in texts.items() if text}


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
