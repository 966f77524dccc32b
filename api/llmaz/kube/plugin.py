"""Credentials that another program or a provider's protocol makes: by the official client.

Loading this module costs as much memory as all of an agent, so it is loaded where it is needed.
"""

import asyncio
import logging
from pathlib import Path

from kubernetes.aio import config
from kubernetes.aio.client import Configuration
from kubernetes.aio.config.kube_config import KubeConfigLoader

from llmaz.kube.credentials import Identity
from llmaz.kube.errors import KubeError

logger = logging.getLogger(__name__)

_RENEW_SECONDS = 60.0


class Renewed:
    """A header that is made anew before it ends."""

    def __init__(self, loader: KubeConfigLoader, configuration: Configuration) -> None:
        self._configuration = configuration
        self._renewal = asyncio.create_task(
            _renew(loader, configuration), name="kubeconfig credentials"
        )

    async def header(self) -> str | None:
        token: str | None = self._configuration.api_key.get("BearerToken")
        return token

    async def aclose(self) -> None:
        self._renewal.cancel()


async def identity(kubeconfig: Path) -> Identity:
    """Have the current context's plug-in tell who asks; raise KubeError where it can't."""
    configuration = Configuration()
    try:
        loader = await config.load_kube_config(
            config_file=str(kubeconfig), client_configuration=configuration, persist_config=False
        )
    # It checks few of the types that it reads.
    except (config.ConfigException, TypeError, KeyError) as error:
        raise KubeError(f"{kubeconfig}: {error}") from error
    # A plug-in that failed is a line of its log, no error: without a word nobody would be asking.
    if not configuration.api_key and not configuration.cert_file:
        raise KubeError(f"{kubeconfig}: the user's plug-in gave no credentials")
    return Identity(
        authorization=Renewed(loader, configuration),
        certificate=await _text(configuration.cert_file),
        key=await _text(configuration.key_file),
    )


async def _text(file: str | None) -> str | None:
    return None if file is None else await asyncio.to_thread(Path(file).read_text)


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
