"""Schemas of the built-in kinds, by API version and kind."""

from collections.abc import Mapping

from llmaz.local.objects.builtin.budgets import POD_DISRUPTION_BUDGET
from llmaz.local.objects.builtin.core import CONFIG_MAP, NAMESPACE, NODE, SECRET, SERVICE_ACCOUNT
from llmaz.local.objects.builtin.definition import DEFINITION
from llmaz.local.objects.builtin.network import ENDPOINT_SLICE, SERVICE
from llmaz.local.objects.builtin.pods import POD
from llmaz.local.objects.builtin.priority import PRIORITY_CLASS
from llmaz.local.objects.builtin.records import CONTROLLER_REVISION, EVENT, LEASE, NEW_EVENT
from llmaz.local.objects.builtin.scaling import HORIZONTAL_POD_AUTOSCALER
from llmaz.local.objects.values import Schema

SCHEMAS: Mapping[tuple[str, str], Schema] = {
    ("v1", "ConfigMap"): CONFIG_MAP,
    ("v1", "Event"): EVENT,
    ("v1", "Namespace"): NAMESPACE,
    ("v1", "Node"): NODE,
    ("v1", "Pod"): POD,
    ("v1", "Secret"): SECRET,
    ("v1", "Service"): SERVICE,
    ("v1", "ServiceAccount"): SERVICE_ACCOUNT,
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"): DEFINITION,
    ("apps/v1", "ControllerRevision"): CONTROLLER_REVISION,
    ("autoscaling/v2", "HorizontalPodAutoscaler"): HORIZONTAL_POD_AUTOSCALER,
    ("coordination.k8s.io/v1", "Lease"): LEASE,
    ("discovery.k8s.io/v1", "EndpointSlice"): ENDPOINT_SLICE,
    ("events.k8s.io/v1", "Event"): NEW_EVENT,
    ("policy/v1", "PodDisruptionBudget"): POD_DISRUPTION_BUDGET,
    ("scheduling.k8s.io/v1", "PriorityClass"): PRIORITY_CLASS,
}
