"""The InferenceNode of this node, as the API server shows it."""

import asyncio
from collections.abc import Callable
from typing import cast

from llmaz.agent.assignment import Reading, read_assignment
from llmaz.api.kinds import INFERENCE_NODE
from llmaz.api.manifest import Json, Manifest
from llmaz.kube import Informer, Kube
from llmaz.kube.errors import NotFound


class OwnNode:
    """Watches one object by its name, and reads it anew where a watch is not proof enough."""

    def __init__(
        self,
        kube: Kube,
        name: str,
        *,
        changed: asyncio.Event,
        missing: Callable[[], None],
    ) -> None:
        self._kube = kube
        self._name = name
        self._changed = changed
        self._missing = missing
        self._news = asyncio.Event()
        self._informer = Informer(
            kube, INFERENCE_NODE, changed=self._news, field_selector=f"metadata.name={name}"
        )

    @property
    def synced(self) -> bool:
        """Whether the API server has ever told whether the object is there."""
        return self._informer.synced

    def shown(self) -> "Manifest | None":
        """Return the object as it was shown last; None where it is gone or never was shown."""
        return self._informer.objects.get(("", self._name))

    async def fresh(self) -> Reading:
        """Read the assignment from the API server itself; an object that is gone has none."""
        try:
            return read_assignment(await self._kube.get(INFERENCE_NODE, self._name))
        except NotFound:
            return None

    async def run(self) -> None:
        """Watch until cancelled; an object that is gone is reported as missing."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._informer.run())
            known: object = None
            while True:
                await self._news.wait()
                self._news.clear()
                shown = self.shown()
                if shown is None:
                    self._missing()
                version = shown and _version(shown)
                if version != known:  # the echo of the agent's own status is no news
                    self._changed.set()
                known = version


def _version(shown: Manifest) -> tuple[Json, Json]:
    """Return what differs between two objects, and between two specs of one."""
    metadata = cast("Manifest", shown["metadata"])
    return metadata.get("uid"), metadata.get("generation")
