"""What the controller writes into an inference Service's status."""

from collections.abc import Iterator
from datetime import datetime

from llmaz.api.kinds import SERVICE
from llmaz.api.service import Service
from llmaz.api.workload import WorkloadStatus
from llmaz.controller.actions import RecordEvent, SetStatus
from llmaz.controller.conditions import Conditions, service_conditions, with_refusal, with_rollout
from llmaz.controller.denials import refused_for
from llmaz.controller.endpoints import selector
from llmaz.controller.events import turn
from llmaz.controller.progress import Progress
from llmaz.controller.snapshot import ClusterSnapshot, Ref


def report_service(
    service: Service, seen: Progress, snapshot: ClusterSnapshot, now: datetime
) -> Iterator[SetStatus | RecordEvent]:
    """Yield the write of a Service's status where it differs, and the event of a turn."""
    meta = service.metadata
    ref = Ref(kind=SERVICE, namespace=meta.namespace or "", name=meta.name)
    refused = refused_for(meta, snapshot)
    status = WorkloadStatus(
        observed_generation=meta.generation,
        replicas=seen.placed,
        ready_replicas=seen.ready,
        updated_replicas=seen.updated,
        revision=seen.revision,
        ready=f"{seen.ready}/{seen.wanted}",
        selector=selector(service),
        flavor=seen.flavor,
        message=refused or seen.message,
        conditions=with_refusal(
            _conditions(service, seen, now, progress_ends=snapshot.progress_ends),
            *(refused, meta.generation, now),
        ),
    )
    if status == service.status:
        return
    yield SetStatus(ref=ref, uid=meta.uid, status=status)
    yield from turn(ref, meta.uid, service.status.conditions, status.conditions)


def _conditions(
    service: Service, seen: Progress, now: datetime, *, progress_ends: bool
) -> Conditions:
    old, generation = service.status, service.metadata.generation
    new = service_conditions(old.conditions, seen, generation, now, progress_ends=progress_ends)
    return with_rollout(new, old.revision, seen, generation, now)
