"""Credentials and HTTP: one request in, one answer out, through the official asyncio client.

Only its configuration and its HTTP layer are used. Its generated models are loaded when they are
named, which nothing here does: they would cost memory and time, and know no custom resources.
"""

import asyncio
import ipaddress
import json
import logging
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import cast
from urllib.parse import urlencode, urlsplit

import aiohttp
import yaml
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config.kube_config import KubeConfigLoader

from llmaz.api.manifest import Json
from llmaz.kube.errors import KubeError, Unavailable, from_answer

logger = logging.getLogger(__name__)

_RENEW_SECONDS = 60.0
# What the client raises for a kubeconfig that is none; it checks few of its types itself.
_UNREADABLE = (config.ConfigException, OSError, ValueError, TypeError, KeyError, yaml.YAMLError)


class Connection:
    """One API server and the credentials for it."""

    def __init__(self, client: ApiClient, renewal: "asyncio.Task[None] | None") -> None:
        self._client = client
        self._renewal = renewal

    @classmethod
    async def open(cls, kubeconfig: Path | None) -> "Connection":
        """Read a kubeconfig, or a pod's service account when there is none."""
        configuration = Configuration()
        try:
            renewal = await _load(kubeconfig, configuration)
        except _UNREADABLE as error:
            where = kubeconfig or "in-cluster configuration (no kubeconfig was given)"
            raise KubeError(f"{where}: {error}") from error
        configuration.client_session_kwargs = {
            "read_bufsize": 2**18,
            # A proxy of the environment can't reach this machine's own loopback.
            "trust_env": not _is_loopback(configuration.host),
        }
        try:
            return cls(ApiClient(configuration), renewal)
        except (OSError, ssl.SSLError) as error:
            raise KubeError(f"{kubeconfig}: certificate: {error}") from error

    async def close(self) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
        await self._client.close()

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
        await self._client.update_params_for_auth(headers, None, ["BearerToken"], path, method, "")
        url = self._client.configuration.host + path + (f"?{urlencode(query)}" if query else "")
        answer = await self._client.rest_client.request(
            method, url, headers=headers, body=body, _request_timeout=timeout
        )
        return cast("aiohttp.ClientResponse", answer.response)


async def _load(
    kubeconfig: Path | None, configuration: Configuration
) -> "asyncio.Task[None] | None":
    if kubeconfig is None:
        config.load_incluster_config(client_configuration=configuration)
        return None
    if not await asyncio.to_thread(kubeconfig.is_file):
        raise FileNotFoundError("there is no such file")
    loader = await config.load_kube_config(
        config_file=str(kubeconfig), client_configuration=configuration, persist_config=False
    )
    return asyncio.create_task(_renew(loader, configuration), name="kubeconfig credentials")


async def _renew(loader: KubeConfigLoader, configuration: Configuration) -> None:
    """Keep short-lived credentials fresh; ends by itself where there is nothing to renew."""
    while "user" in loader.current_context["context"]:
        try:
            await config.refresh_token(loader, configuration, interval=_RENEW_SECONDS)
        except Exception:  # a plug-in is another's program: whatever it raised, it is asked again
            logger.exception("credentials of the kubeconfig not renewed")
            await asyncio.sleep(_RENEW_SECONDS)
        else:
            return


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
