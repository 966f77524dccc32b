"""What the revisions of a Service tell a person: which there were, and what changed. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from llmaz.api import names
from llmaz.api.manifest import Json, Manifest

HEADERS = ("Revision", "Created", "Change")
_NAMED = 3  # changes of a revision that are named; the rest are counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One revision of a Service."""

    number: int
    created: str  # as the API server wrote it
    state: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """How far an update is, by the status of a Playground or a Service."""

    wanted: int
    updated: int
    ready: int
    revision: int
    pinned: str  # the annotation; empty without one
    is_seen: bool  # whether the status is about the object as it is now
    message: str

    @property
    def is_done(self) -> bool:
        return self.is_seen and self.updated == self.ready == self.wanted

    def __str__(self) -> str:
        if not self.is_seen:
            return "waits for the controller to read it"
        kept = " (kept there)" if self.pinned else ""
        counts = f"{self.updated} of {self.wanted} replicas updated, {self.ready} ready"
        words = f"revision {self.revision}{kept}: {counts}"
        return f"{words}; {self.message}" if self.message and not self.is_done else words


def recorded(manifests: Sequence[Manifest]) -> list[Recorded]:
    """Return the revisions among ControllerRevisions, the oldest first."""
    found = [
        Recorded(
            number=cast("int", manifest.get("revision") or 0),
            created=str(_object(manifest.get("metadata")).get("creationTimestamp") or ""),
            state=_object(manifest.get("data")),
        )
        for manifest in manifests
    ]
    return sorted(found, key=lambda one: one.number)


def rows(revisions: Sequence[Recorded], current: int) -> Iterator[tuple[str, str, str]]:
    """Yield a row for each revision; a star marks the one that the replicas shall be."""
    for index, one in enumerate(revisions):
        before = revisions[index - 1].state if index else None
        mark = " *" if one.number == current else ""
        yield f"{one.number}{mark}", one.created, _change(before, one.state)


def rollout_of(manifest: Manifest) -> Rollout:
    """Read how far the update of a Playground or a Service is."""
    meta, spec = _object(manifest.get("metadata")), _object(manifest.get("spec"))
    status = _object(manifest.get("status"))
    return Rollout(
        wanted=_count(spec, "replicas", 1),
        updated=_count(status, "updatedReplicas"),
        ready=_count(status, "readyReplicas"),
        revision=_count(status, "revision"),
        pinned=str(_object(meta.get("annotations")).get(names.REVISION) or ""),
        is_seen=_count(status, "observedGeneration") >= _count(meta, "generation"),
        message=str(status.get("message") or ""),
    )


def before(revisions: Sequence[Recorded], current: int) -> int | None:
    """Return the revision before the current one; None: there is none."""
    return max((one.number for one in revisions if one.number < current), default=None)


def _change(old: Json, new: Json) -> str:
    if old is None:
        return "first recorded"
    changed = list(dict.fromkeys(differences(old, new)))
    if not changed:
        return "nothing that is recorded"
    more = f", and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
    return ", ".join(changed[:_NAMED]) + more


def differences(old: Json, new: Json, path: str = "") -> Iterator[str]:
    """Yield the paths at which two values differ; list items are found by their name."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif _are_named(old) and _are_named(new):
        yield from differences(_by_name(old), _by_name(new), path)
    elif old != new:
        yield path


def _are_named(value: Json) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, dict) and "name" in item for item in value
    )


def _by_name(value: Json) -> Manifest:
    return {str(item["name"]): item for item in cast("list[Manifest]", value)}


def _object(value: Json) -> Manifest:
    return value if isinstance(value, dict) else {}


def _count(of: Manifest, name: str, missing: int = 0) -> int:
    value = of.get(name)
    return value if isinstance(value, int) else missing
