"""Which evictions PodDisruptionBudgets allow.

On Kubernetes a controller counts pods ahead of time, and writes what it finds into a budget's
status. Here they are counted when one is to be evicted. Shares are of the pods that there are.
"""

from collections.abc import Iterable, Mapping

from llmaz.local.apiserver import status
from llmaz.local.apiserver.builtinrules import member
from llmaz.local.apiserver.context import Context
from llmaz.local.apiserver.metadata import meta
from llmaz.local.apiserver.resource import Key
from llmaz.local.objects.values import Json, Object

_BUDGETS = "poddisruptionbudgets.policy"
_PODS = "pods"
_OVER = ("Succeeded", "Failed", "Pending")  # phases of pods that nobody would miss


def require_budget(context: Context, key: Key) -> None:
    """Refuse the eviction of a pod that is to stay."""
    live = context.store.latest(_PODS, key)
    if live is None or "deletionTimestamp" in meta(live.obj) or _is_over(live.obj):
        return
    labels = _labels(live.obj)
    stored = context.store.select_latest(_BUDGETS, key[0])
    budgets = [one.obj for one in stored if selects(one.obj, labels)]
    if len(budgets) > 1:
        raise status.internal(
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does "
            "not support."
        )
    for budget in budgets:
        _require(budget, live.obj, [one.obj for one in context.store.select_latest(_PODS, key[0])])


def selects(budget: Object, labels: Mapping[str, str]) -> bool:
    """Tell whether a budget is of a pod with these labels; one without a selector is of none."""
    selector = member(budget, "spec").get("selector")
    if not isinstance(selector, dict):
        return False
    said = member(selector, "matchLabels")
    return all(labels.get(key) == value for key, value in said.items()) and all(
        _meets(labels, requirement) for requirement in selector.get("matchExpressions") or []
    )


def needed(spec: Object, pods: int) -> int:
    """Return how many of so many pods have to be ready."""
    if spec.get("maxUnavailable") is not None:
        return max(0, pods - _scaled(spec["maxUnavailable"], pods))
    return _scaled(spec.get("minAvailable", 1), pods)


def _require(budget: Object, pod: Object, pods: Iterable[Object]) -> None:
    spec = member(budget, "spec")
    if not _is_ready(pod) and spec.get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return
    own = [one for one in pods if selects(budget, _labels(one))]
    healthy, least = sum(map(_is_ready, own)), needed(spec, len(own))
    if healthy > least or (not _is_ready(pod) and healthy >= least > 0):
        return
    raise status.too_many_evictions(meta(budget)["name"], needed=least, healthy=healthy)


def _meets(labels: Mapping[str, str], requirement: Object) -> bool:
    key, values = requirement["key"], requirement.get("values") or []
    match requirement["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
    return key not in labels


def _scaled(value: Json, pods: int) -> int:
    if isinstance(value, str):
        return -(-int(value.removesuffix("%")) * pods // 100)
    return int(value)


def _labels(obj: Object) -> Mapping[str, str]:
    return member(meta(obj), "labels")


def _is_over(pod: Object) -> bool:
    return member(pod, "status").get("phase") in _OVER


def _is_ready(pod: Object) -> bool:
    told = member(pod, "status").get("conditions") or []
    is_ready = any((one.get("type"), one.get("status")) == ("Ready", "True") for one in told)
    return is_ready and "deletionTimestamp" not in meta(pod)
