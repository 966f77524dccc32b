"""What is said of a Playground or Service whose spec can't be read: where it is wrong, and what."""

import dataclasses
from collections.abc import Iterator
from datetime import datetime

from llmaz.api.kinds import PLAYGROUND, SERVICE
from llmaz.controller.actions import RecordEvent, Refusal, SetStatus
from llmaz.controller.conditions import refused_conditions
from llmaz.controller.events import turn
from llmaz.controller.snapshot import ClusterSnapshot


def report_unreadable(
    snapshot: ClusterSnapshot, now: datetime
) -> Iterator[SetStatus | RecordEvent]:
    """Yield the writes that tell why; what was started before the spec broke goes on."""
    for ref, seen in snapshot.unreadable.items():
        if ref.kind not in (PLAYGROUND, SERVICE):
            continue
        why = Refusal(reason="InvalidManifest", message=seen.why)
        meta, old = seen.metadata, seen.status.conditions
        status = dataclasses.replace(
            seen.status,
            observed_generation=meta.generation,
            message=seen.why,
            conditions=refused_conditions(old, why, meta.generation, now),
        )
        if status != seen.status:
            yield SetStatus(ref=ref, uid=meta.uid, status=status)
            yield from turn(ref, meta.uid, old, status.conditions)
