"""The built-in resources: which are served, by what names, and by which rules."""

from dataclasses import replace

from llmaz.local.apiserver import builtinrules as rules
from llmaz.local.apiserver import definitions, events
from llmaz.local.apiserver.resource import ALL_VERBS, Resource, Rules
from llmaz.local.apiserver.reviews import review_resources
from llmaz.local.apiserver.services import service_rules
from llmaz.local.apiserver.store import Store
from llmaz.local.objects.builtin import SCHEMAS
from llmaz.local.objects.columns import COLUMNS

_NO_COLLECTION = tuple(verb for verb in ALL_VERBS if verb != "deletecollection")


def builtin_resources(store: Store) -> list[Resource]:
    """Return the built-in resources in the order of discovery."""
    return [
        *_core_resources(store),
        _events(),
        *review_resources(),
        _definitions(),
        replace(
            _grouped("apps", "ControllerRevision", "controllerrevisions"),
            rules=Rules(check=rules.unchanged_data),
        ),
        replace(
            _grouped(
                "autoscaling", "HorizontalPodAutoscaler", "horizontalpodautoscalers", version="v2"
            ),
            short_names=("hpa",),
            categories=("all",),
            has_status=True,
            rules=Rules(defaults=rules.horizontal_pod_autoscaler),
        ),
        _grouped("coordination.k8s.io", "Lease", "leases"),
        replace(
            _grouped("policy", "PodDisruptionBudget", "poddisruptionbudgets"),
            short_names=("pdb",),
            has_status=True,
            has_generation=True,
            rules=Rules(check=rules.disruption_budget_errors),
        ),
        replace(
            _grouped("scheduling.k8s.io", "PriorityClass", "priorityclasses"),
            short_names=("pc",),
            namespaced=False,
            has_generation=True,
        ),
        replace(
            _grouped("discovery.k8s.io", "EndpointSlice", "endpointslices"),
            has_generation=True,
            rules=Rules(defaults=rules.endpoint_slice, check=rules.endpoint_slice_errors),
        ),
    ]


def _core_resources(store: Store) -> list[Resource]:
    return [
        replace(
            _core("ConfigMap", "configmaps", "cm"), rules=Rules(check=rules.data_key_complaints)
        ),
        replace(
            _core("Event", "events", "ev"),
            selectable=events.SELECTABLE,
            rules=Rules(prepare=events.prepared),
        ),
        replace(
            _core("Namespace", "namespaces", "ns", namespaced=False),
            verbs=_NO_COLLECTION,
            has_status=True,
            selectable=("status.phase",),
            rules=Rules(defaults=rules.named_by_label, prepare=rules.namespace),
        ),
        replace(
            _core("Node", "nodes", "no", namespaced=False),
            has_status=True,
            selectable=("spec.unschedulable",),
            rules=Rules(defaults=rules.allocatable),
        ),
        replace(
            _core("Pod", "pods", "po"),
            categories=("all",),
            has_status=True,
            selectable=("spec.nodeName", "spec.restartPolicy", "status.phase", "status.podIP"),
            rules=Rules(prepare=rules.pod),
        ),
        replace(
            _core("Secret", "secrets"),
            selectable=("type",),
            rules=Rules(defaults=rules.secret, check=rules.data_key_complaints),
        ),
        _core("ServiceAccount", "serviceaccounts", "sa"),
        replace(
            _core("Service", "services", "svc"),
            categories=("all",),
            has_status=True,
            selectable=("spec.clusterIP", "spec.type"),
            rules=service_rules(store),
        ),
    ]


def _core(kind: str, plural: str, *short_names: str, namespaced: bool = True) -> Resource:
    return Resource(
        group="",
        version="v1",
        kind=kind,
        plural=plural,
        singular=kind.lower(),
        short_names=short_names,
        namespaced=namespaced,
        schema=SCHEMAS["v1", kind],
        columns=COLUMNS["v1", kind],
        storage=plural,
    )


def _grouped(group: str, kind: str, plural: str, *, version: str = "v1") -> Resource:
    core = _core("Pod", "pods")
    return replace(
        core,
        group=group,
        version=version,
        kind=kind,
        plural=plural,
        singular=kind.lower(),
        schema=SCHEMAS[f"{group}/{version}", kind],
        columns=COLUMNS[f"{group}/{version}", kind],
        storage=f"{plural}.{group}",
    )


def _events() -> Resource:
    """Events of events.k8s.io are those of the core group under other names of their fields."""
    return replace(
        _grouped("events.k8s.io", "Event", "events"),
        short_names=("ev",),
        storage="events",
        selectable=events.SELECTABLE_NEW,
        rules=Rules(
            prepare=events.prepared_new, to_storage=events.to_core, from_storage=events.from_core
        ),
    )


def _definitions() -> Resource:
    return replace(
        _grouped("apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions"),
        namespaced=False,
        short_names=("crd", "crds"),
        categories=("api-extensions",),
        has_status=True,
        has_generation=True,
        rules=Rules(
            defaults=definitions.with_defaults,
            prepare=definitions.prepared,
            check=definitions.errors,
        ),
    )
