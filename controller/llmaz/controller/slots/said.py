"""What a slot's pod waits for, in words for the user. Pure."""

from collections.abc import Sequence

from llmaz.controller.actions import Refusal
from llmaz.controller.outcomes import Unplaced
from llmaz.controller.seats import Seat
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


def why_not_running(seat: Seat, pods: Sequence[SlotPod]) -> Refusal | None:
    """Say why the pod of an engine does not run although it is bound; None where it may."""
    slot = seat.engine.slot
    pod = next((pod for pod in pods if slot is not None and pod.uid == slot.uid), None)
    if pod is None or pod.waiting is None:
        return None
    words = f"on {seat.node}: pod {pod.name} does not run: {pod.waiting}"
    return Refusal(reason="SlotNotRunning", message=words)


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
