"""Start a Playground that was scaled to zero: one write through its scale subresource.

That is all that the gateway may write. It says so only of what it saw at zero, and names the
version that it saw: of several gateways one wakes, and what a user or the autoscaler wrote since
stays. Nothing has to be remembered, neither here nor by the controller.
"""

import logging
import time
from typing import Protocol

from llmaz.api.kinds import PLAYGROUND
from llmaz.api.manifest import Manifest
from llmaz.gateway.metrics import Metrics
from llmaz.gateway.routes import Served
from llmaz.kube import Conflict, Kube, KubeError

logger = logging.getLogger(__name__)

GATEWAY = "llmaz-gateway"
_AGAIN_SECONDS = 2.0


class Waker(Protocol):
    """What requests that wait ask for an engine."""

    async def wake(self, playground: Served) -> None: ...


class ScaleWaker:
    """Wakes Playgrounds, each at most once in two seconds."""

    def __init__(self, kube: Kube, metrics: Metrics) -> None:
        self._kube = kube
        self._metrics = metrics
        self._asked: dict[str, float] = {}

    async def wake(self, playground: Served) -> None:
        """Ask for one replica. A failure is told and tried again: somebody still waits."""
        now = time.monotonic()
        if now < self._asked.get(playground.name, 0.0) + _AGAIN_SECONDS:
            return
        self._asked[playground.name] = now
        namespace, _, name = playground.name.partition("/")
        patch: Manifest = {
            "metadata": {"resourceVersion": playground.version},
            "spec": {"replicas": 1},
        }
        try:
            await self._kube.patch(
                PLAYGROUND, name, patch, namespace, subresource="scale", manager=GATEWAY
            )
        except Conflict:
            logger.debug("Playground %s was written in the meantime", playground.name)
        except KubeError as error:
            logger.warning("Playground %s not woken: %s", playground.name, error)
        else:
            logger.info("woke Playground %s: a request waits for it", playground.name)
            self._metrics.woke(playground.model)
