"""What every object has: metadata and conditions."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerReference:
    """The object whose deletion deletes this one."""

    LENIENT: ClassVar = True
    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False
    block_owner_deletion: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectMeta:
    """The part of an object's metadata that the programs look at; the rest is passed over."""

    LENIENT: ClassVar = True
    name: str = ""
    namespace: str | None = None
    uid: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    finalizers: tuple[str, ...] = ()
    owner_references: tuple[OwnerReference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One aspect of an object's state, as metav1.Condition.

    type: the aspect, in CamelCase
    status: True, False or Unknown
    reason: one word in CamelCase for programs
    message: a sentence for people
    observed_generation: the generation that this condition is about
    last_transition_time: when the status last changed
    """

    LENIENT: ClassVar = True
    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str = ""
    message: str = field(default="", metadata={"keep": True})
    observed_generation: int = 0
    last_transition_time: datetime | None = None

    @property
    def is_true(self) -> bool:
        return self.status == "True"


def find_condition(conditions: Sequence[Condition], type_: str) -> Condition | None:
    """Return the condition of a type, or None where it was never set."""
    return next((condition for condition in conditions if condition.type == type_), None)


def with_condition(
    conditions: Sequence[Condition], new: Condition, now: datetime
) -> tuple[Condition, ...]:
    """Return `conditions` with `new` in place of the one of its type.

    The time of the last transition moves only when the status does, as Kubernetes has it.
    """
    old = find_condition(conditions, new.type)
    kept = old.last_transition_time if old is not None and old.status == new.status else None
    placed = dataclasses.replace(new, last_transition_time=kept or now)
    if old is None:
        return (*conditions, placed)
    return tuple(placed if condition.type == new.type else condition for condition in conditions)
