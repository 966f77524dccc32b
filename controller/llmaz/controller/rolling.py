"""The condition RollingOut: how far an update of a Service's replicas is. Pure.

It is there from the first update on. What it says of an update that has halted stays until that one
is done or another begins, so that each of its reasons is one turn, and one event.
"""

from llmaz.api.meta import Condition
from llmaz.controller.progress import Progress

ROLLING_OUT = "RollingOut"


def rolling_out(old: Condition | None, before: int, seen: Progress) -> Condition | None:
    """Return what is to be said of an update; `before` is the revision that was told last."""
    is_new = bool(before and seen.wanted) and seen.revision not in (0, before)
    if is_new:
        words = f"from revision {before} to {seen.revision}"
        return _said("RolloutUndone" if seen.revision < before else "RolloutStarted", words)
    if old is None or not old.is_true:
        if seen.wanted and seen.reloaded and seen.refused is None:
            return _said("RolloutStarted", "the weights of its models have changed")
        return old
    if seen.is_updated:
        words = f"revision {seen.revision}: {seen.ready} of {seen.wanted} replicas are ready"
        return _said("RolloutCompleted", words)
    if seen.stuck is not None and old.reason != "RolloutHalted":
        return _said("RolloutHalted", f"at revision {seen.revision}: {seen.stuck.message}")
    return old


def _said(reason: str, words: str) -> Condition:
    is_under_way = reason != "RolloutCompleted"
    return Condition(
        type=ROLLING_OUT, status="True" if is_under_way else "False", reason=reason, message=words
    )
