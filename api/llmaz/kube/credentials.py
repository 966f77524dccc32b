"""What proves to an API server who asks."""

import asyncio
import base64
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from llmaz.kube.kubeconfig import User, content

_READ_AGAIN_SECONDS = 60.0  # a token is written anew long before its end


class Authorization(Protocol):
    """What makes the header of a request; None: nobody in particular asks."""

    async def header(self) -> str | None: ...

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """One header for ever."""

    value: str | None = field(repr=False)

    async def header(self) -> str | None:
        return self.value

    async def aclose(self) -> None:
        """Hold nothing, close nothing."""


class TokenFile:
    """A token that somebody else writes anew: it is read again every minute."""

    def __init__(self, path: Path, *, now: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._now = now
        self._token = path.read_text().strip()
        if not self._token:
            raise ValueError(f"{path} is empty")
        self._read_at = now()

    async def header(self) -> str | None:
        if self._now() - self._read_at >= _READ_AGAIN_SECONDS:
            self._read_at = self._now()
            self._token = await asyncio.to_thread(self._read)
        return f"Bearer {self._token}"

    async def aclose(self) -> None:
        """Hold nothing, close nothing."""

    def _read(self) -> str:
        try:
            return self._path.read_text().strip() or self._token
        except OSError:  # it is being replaced; the last one is good for a while yet
            return self._token


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A header, a client's certificate with its key, or neither."""

    authorization: Authorization
    certificate: str | None = None
    key: str | None = field(default=None, repr=False)


def identity(user: User, base: Path) -> Identity:
    """Read what a kubeconfig in the directory `base` says of a user."""
    return Identity(
        authorization=_authorization(user, base),
        certificate=content("client-certificate", user.certificate_data, user.certificate, base),
        key=content("client-key", user.key_data, user.key, base),
    )


def _authorization(user: User, base: Path) -> Authorization:
    if user.token_file:
        return TokenFile(base / user.token_file)
    if user.token:
        return Fixed(f"Bearer {user.token}")
    if user.username is not None and user.password is not None:
        pair = f"{user.username}:{user.password}"
        return Fixed(f"Basic {base64.b64encode(pair.encode()).decode()}")
    return Fixed(None)
