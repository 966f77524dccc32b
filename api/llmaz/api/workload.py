"""The status that Playgrounds and Services have in common."""

from dataclasses import dataclass, field
from datetime import datetime

from llmaz.api.meta import Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadStatus:
    """How many replicas there are, where, and why it is not as it should be.

    observed_generation: the generation that this status is about
    replicas: how many replicas were made, whether ready or not
    ready_replicas: how many replicas answer requests
    updated_replicas: how many replicas are assigned as they shall be now
    revision: the number of the ControllerRevision that the replicas shall be
    ready: ready replicas of those wanted, as n/m
    selector: labels of the engines' EndpointSlices, as text
    flavor: the accelerators in use, such as a10, or a10,a100 while replicas differ
    idle_since: since when no replicas are asked for, of a Playground that comes back by itself
    url: the OpenAI endpoint at which the model answers, where the controller was told
    message: why it waits or failed, in one sentence
    conditions: Progressing, and Available
    """

    observed_generation: int = 0
    replicas: int = field(default=0, metadata={"keep": True})
    ready_replicas: int = field(default=0, metadata={"keep": True})
    updated_replicas: int = 0
    revision: int = 0
    ready: str = ""
    selector: str = ""
    flavor: str = ""
    idle_since: datetime | None = None
    url: str = ""
    message: str = ""
    conditions: tuple[Condition, ...] = ()
