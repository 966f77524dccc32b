"""Bring the CustomResourceDefinitions to this version: `python -m llmaz.controller.definitions`.

The chart runs it before an upgrade, since helm leaves definitions alone that are there. Replaced,
not applied: what an older version wrote and this one does not, such as a rule that was too strict,
would stay with whoever wrote it.
"""

import asyncio
import logging
import os
import sys
from pathlib import Path
from typing import cast

from llmaz.api.crd import SERVED, definition
from llmaz.api.kinds import CUSTOM_RESOURCE_DEFINITION
from llmaz.api.manifest import Json, Manifest
from llmaz.daemon import logs
from llmaz.kube import AlreadyExists, Conflict, Kube, KubeError, NotFound

logger = logging.getLogger(__name__)

_WITHIN_SECONDS = 60.0


def main() -> None:
    logs.configure("text")
    kubeconfig = os.environ.get("KUBECONFIG")
    try:
        asyncio.run(run(Path(kubeconfig) if kubeconfig else None))
    except (KubeError, OSError, TimeoutError) as error:
        sys.exit(f"llmaz.controller.definitions: {error}")


async def run(kubeconfig: Path | None) -> None:
    """Write every definition, whether it is there or not."""
    async with await Kube.connect(kubeconfig) as kube, asyncio.timeout(_WITHIN_SECONDS):
        for kind in SERVED:
            wanted = definition(kind)
            while not await _brought(kube, wanted):
                pass  # somebody else wrote it in between: read anew
            logger.info("brought to this version: %s", _name(wanted))


async def _brought(kube: Kube, wanted: Manifest) -> bool:
    """Make a definition, or replace it; false where another's write came between."""
    try:
        old = await kube.get(CUSTOM_RESOURCE_DEFINITION, _name(wanted))
    except NotFound:
        try:
            await kube.create(CUSTOM_RESOURCE_DEFINITION, wanted)
        except AlreadyExists:
            return False
        return True
    try:
        await kube.replace(CUSTOM_RESOURCE_DEFINITION, renewed(old, wanted))
    except Conflict:
        return False
    return True


def renewed(old: Manifest, wanted: Manifest) -> Manifest:
    """Return the definition as it is, with the spec that is wanted.

    Labels and annotations that others gave it stay, as helm's own do; the version that was read
    makes the write conditional.
    """
    before, after = _metadata(old), _metadata(wanted)
    merged: dict[str, Json] = {
        key: {**cast("Manifest", before.get(key) or {}), **cast("Manifest", after.get(key) or {})}
        for key in ("labels", "annotations")
    }
    return {**old, "metadata": {**before, **merged}, "spec": wanted["spec"]}


def _metadata(manifest: Manifest) -> Manifest:
    return cast("Manifest", manifest["metadata"])


def _name(manifest: Manifest) -> str:
    return str(_metadata(manifest)["name"])


if __name__ == "__main__":
    main()
