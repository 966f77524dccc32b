"""How important the replicas of a Service are: its PriorityClass, as for pods."""

from collections.abc import Mapping
from dataclasses import dataclass

from llmaz.api.service import Service
from llmaz.controller.actions import Refusal
from llmaz.controller.snapshot import PriorityClass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Priority:
    """A value, and whether replicas of lower ones make way for it."""

    value: int = 0
    displaces: bool = True


def priority_of(service: Service, classes: Mapping[str, PriorityClass]) -> Priority | Refusal:
    """Return the priority that a Service names, else the cluster's default one, else 0."""
    spec = service.spec
    leader = spec.workload_template.leader_template or spec.workload_template.worker_template
    name = spec.placement.priority_class_name or leader.spec.priority_class_name
    if not name:
        defaults = [one for one in classes.values() if one.is_default]
        found = min(defaults, key=lambda one: (one.value, one.name), default=None)
    else:
        found = classes.get(name)
        if found is None:
            words = f"PriorityClass {name} does not exist"
            return Refusal(reason="PriorityClassNotFound", message=words)
    if found is None:
        return Priority()
    return Priority(value=found.value, displaces=found.displaces)
