"""Credentials of a node's own identity: a token of Kubernetes for keys of AWS that last an hour.

EKS sets AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE for the agent's service account; whatever
speaks as AWS' token service does (AWS_ENDPOINT_URL_STS) will do.
"""

import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from llmaz.agent.cache.remote import Refused, Target
from llmaz.agent.cache.sources.signing import VALID_SECONDS, Keys
from llmaz.agent.cache.wire import CutError, Wire

RENEWED_SECONDS = VALID_SECONDS / 2


@dataclass
class WebIdentity:
    """Keys of a role, renewed while a long fetch goes on. Threads ask at the same time."""

    endpoint: str
    role: str
    token_file: Path
    clock: Callable[[], float] = time.monotonic
    _keys: Keys | None = field(default=None, repr=False)
    _at: float = 0.0
    _alone: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def of(cls, environ: Mapping[str, str], region: str) -> "WebIdentity | None":
        role, token_file = environ.get("AWS_ROLE_ARN"), environ.get("AWS_WEB_IDENTITY_TOKEN_FILE")
        if not role or not token_file:
            return None
        endpoint = environ.get("AWS_ENDPOINT_URL_STS") or f"https://sts.{region}.amazonaws.com"
        return cls(endpoint.rstrip("/"), role, Path(token_file))

    def keys(self) -> Keys:
        """Return keys that are good for half an hour at least."""
        with self._alone:
            if self._keys is None or self.clock() - self._at >= RENEWED_SECONDS:
                self._keys, self._at = self._asked(), self.clock()
            return self._keys

    def _asked(self) -> Keys:
        query = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": self.role,
            "RoleSessionName": "llmaz",
            "WebIdentityToken": self.token_file.read_text().strip(),
        }
        with closing(Wire()) as wire:
            answer, body = wire.text(Target(url=f"{self.endpoint}/?{urlencode(query)}"))
        if answer.status != 200:
            words = f"the token service does not give {self.role} away (HTTP {answer.status})"
            raise Refused("Unauthorized", words, passing=answer.status >= 500)
        try:
            said = {child.tag.rpartition("}")[2]: child.text or "" for child in _all(body)}
            return Keys(
                key_id=said["AccessKeyId"],
                secret=said["SecretAccessKey"],
                session_token=said["SessionToken"],
            )
        except (ET.ParseError, KeyError):
            raise CutError("the token service's answer names no keys") from None


def _all(body: bytes) -> list[ET.Element]:
    return list(ET.fromstring(body).iter())  # noqa: S314  # expat bounds what entities may grow to
