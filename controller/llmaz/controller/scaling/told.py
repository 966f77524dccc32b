"""The condition ScalingActive: what decides a Playground's replicas, and whether it can. Pure."""

from llmaz.api.kinds import HORIZONTAL_POD_AUTOSCALER as HPA
from llmaz.api.meta import Condition
from llmaz.api.playground import Playground
from llmaz.controller.scaling.hpa import hpa_rules
from llmaz.controller.snapshot import ClusterSnapshot, Ref

_TYPE = "ScalingActive"


def scaling_of(playground: Playground, snapshot: ClusterSnapshot) -> Condition | None:
    """Return the condition; None for a Playground that is not elastic."""
    elastic, meta = playground.spec.elastic_config, playground.metadata
    if elastic is None:
        return None
    if hpa_rules(playground, snapshot) is not None:
        own = Ref(kind=HPA, namespace=meta.namespace or "", name=meta.name)
        if own in snapshot.refused:
            words = f"the HorizontalPodAutoscaler {meta.name} is refused: nothing scales"
            return _condition("False", "AutoscalerRefused", words)
        words = f"the HorizontalPodAutoscaler {meta.name} decides"
        if elastic.min_replicas == 0:
            words += f"; the last replica stops after {elastic.load.idle_seconds} idle seconds"
        return _condition("True", "HorizontalPodAutoscaler", words)
    if elastic.scale_trigger_ref is not None:
        backend = playground.spec.backend_runtime_config.backend_name
        words = f"BackendRuntime {backend} has no scaleTrigger {elastic.scale_trigger_ref.name}"
        return _condition("False", "TriggerNotFound", f"{words}: the engines' load decides")
    if (meta.namespace or "", meta.name) in snapshot.unknown_loads:
        words = "no engine tells its load: nothing is scaled by it"
        return _condition("False", "LoadUnknown", words)
    bounds = f"from {elastic.min_replicas} to {elastic.max_replicas} replicas"
    return _condition("True", "Load", f"{bounds}, as the engines' load asks for")


def _condition(status: str, reason: str, message: str) -> Condition:
    return Condition(
        type=_TYPE,
        status="True" if status == "True" else "False",
        reason=reason,
        message=message,
    )
