"""Watch the objects and say what happens to them."""

import asyncio
import logging
from collections.abc import Iterable, Iterator
from typing import TypeVar

from llmaz.api.kinds import INFERENCE_NODE, PLAYGROUND
from llmaz.api.manifest import Manifest, ManifestError, decode
from llmaz.api.node import InferenceNode
from llmaz.api.playground import Playground
from llmaz.kube import Informer, Kube
from llmaz.local import story
from llmaz.local.supervise import Say

logger = logging.getLogger(__name__)

T = TypeVar("T")


async def narrate(kube: Kube, gateway_url: str, say: Say) -> None:
    """Say a line for each piece of news, for ever."""
    changed = asyncio.Event()
    playgrounds = Informer(kube, PLAYGROUND, changed=changed)
    nodes = Informer(kube, INFERENCE_NODE, changed=changed)
    known: story.Facts = {}
    async with asyncio.TaskGroup() as tasks:
        for informer in (playgrounds, nodes):
            tasks.create_task(informer.run(), name=f"informer {informer.kind.plural}")
        while True:
            await changed.wait()
            changed.clear()
            if playgrounds.synced and nodes.synced:
                now = story.facts(
                    _read(Playground, playgrounds.objects.values()),
                    _read(InferenceNode, nodes.objects.values()),
                    gateway_url,
                )
                for line in story.news(known, now):
                    say(line)
                known = now


def _read(cls: type[T], manifests: Iterable[Manifest]) -> Iterator[T]:
    for manifest in manifests:
        try:
            yield decode(cls, manifest)
        except ManifestError as error:
            logger.debug("passing over a malformed %s: %s", cls.__name__, error)
