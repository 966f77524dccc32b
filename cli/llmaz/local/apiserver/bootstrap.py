"""What every cluster has from its first moment: namespaces and the Service of the API."""

from llmaz.api import names
from llmaz.local.apiserver.context import Context
from llmaz.local.apiserver.establishing import settle
from llmaz.local.apiserver.metadata import meta
from llmaz.local.apiserver.services import API
from llmaz.local.apiserver.writing import Write, create
from llmaz.local.objects.values import Object

_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system", names.SYSTEM_NAMESPACE)


async def bootstrap(context: Context) -> None:
    """Create what is missing, and serve the stored CRDs."""
    await settle(context)
    for name in _NAMESPACES:
        await _ensure(context, "namespaces", "", {"metadata": {"name": name}})
    port = {"name": "https", "port": 443, "targetPort": 6443}
    service = {
        "metadata": {"name": "kubernetes"},
        "spec": {"clusterIP": API, "ports": [port]},
    }
    await _ensure(context, "services", "default", service)


async def _ensure(context: Context, plural: str, namespace: str, obj: Object) -> None:
    resource = context.registry.find("", "v1", plural)
    assert resource is not None
    if context.store.latest(resource.storage, (namespace, meta(obj)["name"])) is None:
        await create(context, Write(resource=resource, namespace=namespace), obj)
