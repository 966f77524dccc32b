"""BackendRuntimes: whether Playgrounds can use them, before anybody tries."""

from collections.abc import Iterator
from datetime import datetime

from llmaz.api import template
from llmaz.api.backendruntime import BackendRuntime, BackendRuntimeSpec, BackendRuntimeStatus
from llmaz.api.kinds import BACKEND_RUNTIME
from llmaz.api.meta import Condition, with_condition
from llmaz.controller.actions import SetStatus
from llmaz.controller.snapshot import ClusterSnapshot, Ref

# Whatever the claims and the flavor, nothing else is ever known to an argument.
_PLACEHOLDERS = template.placeholders(model_name="name", draft=True, params={"TP": "1"})


def report_runtimes(snapshot: ClusterSnapshot, now: datetime) -> Iterator[SetStatus]:
    """Yield the writes that bring every BackendRuntime's status up to date."""
    for name, runtime in sorted(snapshot.runtimes.items()):
        status = _status(runtime, now)
        if status != runtime.status:
            ref = Ref(kind=BACKEND_RUNTIME, name=name)
            yield SetStatus(ref=ref, uid=runtime.metadata.uid, status=status)


def _status(runtime: BackendRuntime, now: datetime) -> BackendRuntimeStatus:
    generation, problem = runtime.metadata.generation, _problem(runtime.spec)
    ready = Condition(
        type="Ready",
        status="False" if problem else "True",
        reason="InvalidTemplate" if problem else "Valid",
        message=problem or "Playgrounds can use it",
        observed_generation=generation,
    )
    return BackendRuntimeStatus(
        observed_generation=generation,
        conditions=with_condition(runtime.status.conditions, ready, now.replace(microsecond=0)),
    )


def _problem(spec: BackendRuntimeSpec) -> str | None:
    """Say which argument no Playground could ever have rendered."""
    for config in spec.recommended_configs:
        rendered = template.render(config.args, _PLACEHOLDERS)
        if isinstance(rendered, template.UnknownPlaceholder):
            return f"recommendedConfig {config.name}: {rendered}"
    return None
