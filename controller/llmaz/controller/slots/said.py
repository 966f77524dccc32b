"""What a slot's pod waits for, in words for the user. Pure."""

from llmaz.controller.outcomes import Unplaced
from llmaz.controller.slots.attempts import Attempt
from llmaz.controller.slots.pod import SlotPod
from llmaz.controller.slots.unit import Unit


def why_not_bound(attempt: Attempt, unit: Unit) -> Unplaced:
    """Say why a replica has no node yet: what the scheduler says comes first."""
    pods = [unit.current.get(rank) for rank in range(unit.size)]
    refused = next((pod for pod in pods if pod is not None and pod.unschedulable), None)
    if refused is not None:
        words = f"pod {refused.name} waits for a node: {refused.unschedulable}"
        return Unplaced(reasons=(f"{attempt.name}: {words}",))
    over = next((unit.before(rank) for rank, pod in enumerate(pods) if pod is None), None)
    if over is not None and over.ended is not None:
        words = f"pod {over.name} has ended: {over.ended}; another follows"
        return Unplaced(reasons=(f"{attempt.name}: {words}",))
    return Unplaced(reasons=(_waits(pods),), reason="Pending")


def _waits(pods: "list[SlotPod | None]") -> str:
    missing = sum(pod is None for pod in pods)
    if missing:
        return (
            "its pod is being made" if len(pods) == 1 else f"{missing} of its pods are being made"
        )
    unbound = next((pod for pod in pods if pod is not None and not pod.node), None)
    if unbound is not None:
        return f"pod {unbound.name} waits for the scheduler"
    return "its pods have no addresses yet"
