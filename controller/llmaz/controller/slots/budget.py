"""A PodDisruptionBudget as it was last seen: one of ours, or somebody else's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from llmaz.api import names
from llmaz.api.manifest import Manifest, decode

HELD_SINCE = "llmaz.io/held-since"  # since when a slot that shall go has found no other place
LET_THROUGH = "llmaz.io/let-through"  # "true": that has lasted, and evictions are held no longer


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What a label has to be: In, NotIn, Exists or DoesNotExist."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def is_met(self, labels: Mapping[str, str]) -> bool:
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
        return self.key not in labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Which pods it is of, and what one of ours says of evictions."""

    namespace: str
    name: str
    uid: str
    service: str = ""  # whose it is; empty for somebody else's
    labels: Mapping[str, str] = field(default_factory=dict)
    requirements: tuple[Requirement, ...] = ()
    held_since: datetime | None = None
    lets_through: bool = False

    def selects(self, labels: Mapping[str, str]) -> bool:
        said = all(labels.get(key) == value for key, value in self.labels.items())
        return said and all(one.is_met(labels) for one in self.requirements)


def read_budget(manifest: Manifest) -> Budget | None:
    """Read a budget; None where it is of no pods at all."""
    meta = cast("dict[str, Any]", manifest["metadata"])
    selector = cast("dict[str, Any]", manifest.get("spec") or {}).get("selector")
    if selector is None:
        return None
    labels, notes = meta.get("labels") or {}, meta.get("annotations") or {}
    is_ours = labels.get("app.kubernetes.io/managed-by") == names.CONTROLLER
    since = notes.get(HELD_SINCE)
    return Budget(
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        uid=meta.get("uid", ""),
        service=labels.get(names.SERVICE_NAME, "") if is_ours else "",
        labels=selector.get("matchLabels") or {},
        requirements=tuple(
            Requirement(
                key=one["key"], operator=one["operator"], values=tuple(one.get("values") or ())
            )
            for one in selector.get("matchExpressions") or ()
        ),
        held_since=decode(datetime, since) if since else None,
        lets_through=notes.get(LET_THROUGH) == "true",
    )
