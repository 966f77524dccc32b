"""The hub's token, from the Secret that upstream's manifests name."""

import base64
import binascii
from typing import Protocol

from llmaz.agent.cache.cache import TokenUnreadableError
from llmaz.api.kinds import SECRET, Kind
from llmaz.api.manifest import Manifest
from llmaz.api.names import HF_TOKEN, MODELHUB_SECRET
from llmaz.kube.errors import KubeError, NotFound


class SecretApi(Protocol):
    """The one call that is made."""

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Manifest: ...


class SecretTokens:
    """Reads the token anew for each fetch, so that a Secret that was mended counts at once."""

    def __init__(self, api: SecretApi) -> None:
        self._api = api

    async def token(self, namespace: str | None) -> str | None:
        """Return the token of a namespace; None where the namespace has none."""
        if namespace is None:
            return None
        where = f"Secret {namespace}/{MODELHUB_SECRET}"
        try:
            secret = await self._api.get(SECRET, MODELHUB_SECRET, namespace)
        except NotFound:
            return None
        except KubeError as error:
            raise TokenUnreadableError(f"{where}: {error}") from error
        data = secret.get("data")
        text = data.get(HF_TOKEN) if isinstance(data, dict) else None
        if not isinstance(text, str):
            return None
        try:
            return base64.b64decode(text, validate=True).decode().strip() or None
        except (binascii.Error, UnicodeDecodeError):
            raise TokenUnreadableError(f"{where}: {HF_TOKEN} is no base64 of text") from None
