"""HTTP to one API server: one request in, one answer out."""

import ipaddress
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import cast
from urllib.parse import urlencode, urlsplit

import aiohttp

from llmaz.api.manifest import Json
from llmaz.kube import access
from llmaz.kube.access import Access
from llmaz.kube.errors import Unavailable, from_answer


class Connection:
    """One API server and the credentials for it."""

    def __init__(self, to: Access) -> None:
        self._to = to
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=to.tls),
            read_bufsize=2**18,
            # A proxy of the environment can't reach this machine's own loopback.
            trust_env=not _is_loopback(to.server),
        )

    @classmethod
    async def open(cls, kubeconfig: Path | None) -> "Connection":
        """Read a kubeconfig, or a pod's service account when there is none."""
        if kubeconfig is None:
            return cls(access.from_pod(os.environ))
        return cls(await access.from_kubeconfig(kubeconfig))

    async def close(self) -> None:
        await self._to.authorization.aclose()
        await self._session.close()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        request: str,
        query: Mapping[str, str],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # aiohttp's own, which bounds each phase
        body: Json = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Json:
        """Send one request and return the JSON of its answer; `request` names it in errors."""
        try:
            response = await self.send(
                method,
                path,
                query=query,
                timeout=timeout,
                body=body,
                content_type=content_type,
                accept=accept,
            )
            async with response:
                text = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unavailable(f"{request}: {_words(error)}") from error
        answer = _parse(text)
        if response.status >= 400:
            seconds = _retry_after(response)
            raise from_answer(request, response.status, answer, retry_after_seconds=seconds)
        if answer is None:
            raise Unavailable(f"{request}: the answer is no JSON")
        return answer

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # aiohttp's own, which bounds each phase
        body: Json = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> aiohttp.ClientResponse:
        """Send one request and return its answer with the body still to be read."""
        headers = {
            "Content-Type": content_type,
            "Accept": accept,
            "User-Agent": "llmaz",
        }
        if (authorization := await self._to.authorization.header()) is not None:
            headers["Authorization"] = authorization
        return await self._session.request(
            method,
            self._to.server + path + (f"?{urlencode(query)}" if query else ""),
            headers=headers,
            data=None if body is None else json.dumps(body),
            timeout=timeout,
            server_hostname=self._to.server_name,
            proxy=self._to.proxy,
        )


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _parse(text: bytes) -> Json:
    try:
        return cast("Json", json.loads(text))
    except ValueError:
        return None


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    seconds = response.headers.get("Retry-After", "")
    return float(seconds) if seconds.isdecimal() else None


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error) or type(error).__name__
