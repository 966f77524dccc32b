"""Bring the API server what the programs need: the CRDs, the runtimes that ship, a namespace."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import yaml

from llmaz.api.kinds import BACKEND_RUNTIME, CUSTOM_RESOURCE_DEFINITION, NAMESPACE
from llmaz.api.manifest import Manifest
from llmaz.api.names import SYSTEM_NAMESPACE
from llmaz.kube import Conflict, Kube, NotFound
from llmaz.local.wait import until

MANIFESTS = Path(__file__).parent / "manifests"
_MANAGER = "llmaz"
_SERVED_WITHIN_SECONDS = 60.0


async def install(kube: Kube, say: Callable[[str], None], manifests: Path = MANIFESTS) -> None:
    """Apply everything; doing it again changes nothing.

    A BackendRuntime that somebody has edited stays as it is.
    """
    namespace: Manifest = {"metadata": {"name": SYSTEM_NAMESPACE}}
    await kube.apply(NAMESPACE, namespace, manager=_MANAGER)
    for crd in documents(manifests / "crds"):
        await kube.apply(CUSTOM_RESOURCE_DEFINITION, crd, manager=_MANAGER)
    await until(lambda: _served(kube), within_seconds=_SERVED_WITHIN_SECONDS)
    for runtime in documents(manifests / "runtimes"):
        try:
            await kube.apply(BACKEND_RUNTIME, runtime, manager=_MANAGER, force=False)
        except Conflict:
            name = cast("Manifest", runtime["metadata"])["name"]
            say(f"backendruntime {name}: was edited, stays as it is")


def documents(directory: Path) -> Iterator[Manifest]:
    """Yield the manifests of a directory's files, in the order of their names."""
    for path in sorted(directory.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            if document:
                yield cast("Manifest", document)


async def _served(kube: Kube) -> bool:
    """Return whether the new kinds can be asked for: that comes a moment after their CRDs."""
    try:
        await kube.list(BACKEND_RUNTIME)
    except NotFound:
        return False
    return True
