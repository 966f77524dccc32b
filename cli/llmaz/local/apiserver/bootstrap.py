"""What every cluster has from its first moment: the namespaces and the Service of the API itself."""

from llmaz.api import names
from llmaz.local.apiserver.context import Context
from llmaz.local.apiserver.establishing import settle
from llmaz.local.apiserver.writing import Write, create

_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system", names.SYSTEM_NAMESPACE)


async def bootstrap(context: Context) -> None:
    """Create what is missing and serve the stored CRDs."""
    await settle(context)
    namespaces = context.registry.find("", "v1", "namespaces")
    assert namespaces is not None
    for name in _NAMESPACES:
        if context.store.latest("namespaces", ("", name)) is None:
            await create(context, Write(resource=namespaces), {"metadata": {"name": name}})
