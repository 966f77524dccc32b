"""The kinds of objects that the programs read and write, and how the API server addresses them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind: its group (empty for the core group), version, name, plural and scope."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(
        self, name: str | None = None, namespace: str | None = None, subresource: str = ""
    ) -> str:
        """Return the URL path of the collection, or of one object or its subresource.

        Without a namespace, a namespaced kind's path spans all namespaces.
        """
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if self.namespaced and namespace is not None:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/" + "/".join(parts)


OPEN_MODEL = Kind("llmaz.io", "v1alpha1", "OpenModel", "openmodels", namespaced=False)
TENANT = Kind("llmaz.io", "v1alpha1", "Tenant", "tenants", namespaced=False)
INFERENCE_NODE = Kind("llmaz.io", "v1alpha1", "InferenceNode", "inferencenodes", namespaced=False)
PLAYGROUND = Kind("inference.llmaz.io", "v1alpha1", "Playground", "playgrounds", namespaced=True)
SERVICE = Kind("inference.llmaz.io", "v1alpha1", "Service", "services", namespaced=True)
BACKEND_RUNTIME = Kind(
    "inference.llmaz.io", "v1alpha1", "BackendRuntime", "backendruntimes", namespaced=False
)

NODE = Kind("", "v1", "Node", "nodes", namespaced=False)
NAMESPACE = Kind("", "v1", "Namespace", "namespaces", namespaced=False)
SECRET = Kind("", "v1", "Secret", "secrets", namespaced=True)
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps", namespaced=True)
CORE_SERVICE = Kind("", "v1", "Service", "services", namespaced=True)
POD = Kind("", "v1", "Pod", "pods", namespaced=True)
EVENT = Kind("", "v1", "Event", "events", namespaced=True)
ENDPOINT_SLICE = Kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", namespaced=True)
CONTROLLER_REVISION = Kind(
    "apps", "v1", "ControllerRevision", "controllerrevisions", namespaced=True
)
HORIZONTAL_POD_AUTOSCALER = Kind(
    "autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", namespaced=True
)
POD_DISRUPTION_BUDGET = Kind(
    "policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", namespaced=True
)
PRIORITY_CLASS = Kind(
    "scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", namespaced=False
)
NODE_FEATURE = Kind("nfd.k8s-sigs.io", "v1alpha1", "NodeFeature", "nodefeatures", namespaced=True)
LEASE = Kind("coordination.k8s.io", "v1", "Lease", "leases", namespaced=True)
CUSTOM_RESOURCE_DEFINITION = Kind(
    "apiextensions.k8s.io",
    "v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    namespaced=False,
)
