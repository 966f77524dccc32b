"""Keep the gateway's table up to date with the cluster."""

import asyncio
import logging
from collections.abc import Iterable, Iterator
from typing import TypeVar

from llmaz.api.kinds import ENDPOINT_SLICE, OPEN_MODEL, PLAYGROUND
from llmaz.api.manifest import Manifest, ManifestError, decode
from llmaz.api.names import KUBERNETES_SERVICE_NAME, MODEL_NAME
from llmaz.api.openmodel import OpenModel
from llmaz.gateway.app import Gateway
from llmaz.gateway.objects import EndpointSlice, Playground
from llmaz.gateway.routes import table
from llmaz.kube import Informer, Kube

logger = logging.getLogger(__name__)

T = TypeVar("T")


async def follow(kube: Kube, gateway: Gateway) -> None:
    """Show the gateway every change of Playgrounds and of their EndpointSlices, for ever."""
    changed = asyncio.Event()
    playgrounds = Informer(kube, PLAYGROUND, changed=changed)
    slices = Informer(
        kube,
        ENDPOINT_SLICE,
        changed=changed,
        label_selector=f"{KUBERNETES_SERVICE_NAME},{MODEL_NAME}",
    )
    models = Informer(kube, OPEN_MODEL, changed=changed)
    informers = (playgrounds, slices, models)
    async with asyncio.TaskGroup() as tasks:
        for informer in informers:
            tasks.create_task(informer.run(), name=f"informer {informer.kind.plural}")
        while True:
            await changed.wait()
            changed.clear()
            if all(informer.synced for informer in informers):
                gateway.show(
                    table(
                        list(_read(Playground, playgrounds.objects.values())),
                        list(_read(EndpointSlice, slices.objects.values())),
                        list(_read(OpenModel, models.objects.values())),
                    )
                )


def _read(cls: type[T], manifests: Iterable[Manifest]) -> Iterator[T]:
    for manifest in manifests:
        try:
            yield decode(cls, manifest)
        except ManifestError as error:
            logger.warning("passing over a malformed %s: %s", cls.__name__, error)
