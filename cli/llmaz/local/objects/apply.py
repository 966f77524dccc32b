"""Server-side apply and the tracking of other writes: who changed a field manages it.

Applying states what one manager wants and nothing else: its fields are laid over the live object, a
field that it stops stating goes unless somebody else manages it, and a field that somebody else
manages is a conflict unless the values agree or the manager insists.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from llmaz.local.objects import typed
from llmaz.local.objects.defaulting import TYPED, blank
from llmaz.local.objects.fieldset import FieldSet, Path, shown
from llmaz.local.objects.managed import (
    Manager,
    Managers,
    Owned,
    managers_of,
    stamp,
    stripped,
    with_managers,
)
from llmaz.local.objects.merging import Comparison, compared, merged, without
from llmaz.local.objects.values import Json, Object, Schema, equal

# Written by the server alone: an applied object may carry them, read from the server, without
# meaning them.
_SERVER_FIELDS_WORDS = (
    "creationTimestamp deletionGracePeriodSeconds deletionTimestamp generation managedFields "
    "resourceVersion selfLink uid"
)
_SERVER_FIELDS = frozenset(_SERVER_FIELDS_WORDS.split())
_BEFORE_FIRST_APPLY = "before-first-apply"


@dataclass(frozen=True, slots=True, order=True)
class Conflict:
    """A field that another manager manages with another value."""

    manager: Manager
    path: Path


class ApplyConflict(Exception):
    """Applying without force would take fields from other managers; the server answers 409."""

    def __init__(self, conflicts: Collection[Conflict]) -> None:
        self.conflicts = tuple(sorted(conflicts))
        self.message = _conflict_message(self.conflicts)
        super().__init__(self.message)

    def causes(self) -> list[Object]:
        """Return the causes of the Status."""
        return [
            {
                "reason": "FieldManagerConflict",
                "message": f"conflict with {conflict.manager}",
                "field": shown(conflict.path),
            }
            for conflict in self.conflicts
        ]


class ApplyError(ValueError):
    """An object with fields which its kind does not have; the server answers 500."""


def server_side_apply(
    live: Object | None,
    config: Object,
    *,
    manager: str,
    force: bool,
    subresource: str,
    schema: Schema | None,
    now: datetime,
    drop: Collection[str] = (),
) -> Object:
    """Return the live object after `manager` applied `config`; raise ApplyConflict or ApplyError.

    `drop` names top-level fields that this request can't write (`status`, where it is a
    subresource). On a subresource only the field of its name is taken from `config`.
    """
    whole = typed.resource(schema)
    applied = _applied(config, subresource, drop)
    _check(whole, applied)
    base = {} if live is None else _without_managers(live)
    managers = _managers_before(live, whole)
    me = Manager(manager, "Apply", subresource)
    last = managers.get(me)
    own = typed.field_set(whole, applied)
    managers[me] = Owned(own, config.get("apiVersion", ""), last.time if last else None)
    result = merged(whole, base, applied)
    if last is not None and last.fields:
        result = _thinned(whole, result, last.fields, managers)
    managers, _ = _taken(compared(whole, base, result), managers, me, force=force)
    if not equal(base, result) and me in managers:
        managers[me] = replace(managers[me], time=stamp(now))
    return with_managers(result, stripped(managers))


def track_update(
    old: Object | None,
    new: Object,
    *,
    manager: str,
    subresource: str,
    schema: Schema | None,
    now: datetime | None,
    api_version: str,
) -> Object:
    """Return `new` with managedFields that give `manager` what a write changed.

    Managed fields that `new` brings are taken as they are, and `[{}]` clears them, as clients may.
    For an object that has none, nothing is tracked until somebody applies. Without `now` the entry
    gets no time.
    """
    whole = typed.resource(schema)
    brought = new.get("metadata", {}).get("managedFields")
    managers = managers_of(new) or ({} if old is None or brought == [{}] else managers_of(old))
    bare = _without_managers(new)
    if old is not None and not managers:
        return with_managers(bare, {})
    me = Manager(manager, "Update", subresource, api_version)
    comparison = compared(whole, _start(whole) if old is None else _without_managers(old), bare)
    managers, changed = _taken(comparison, managers, None, force=True)
    changed -= typed.stripped_fields()
    if changed:
        mine = managers[me].fields if me in managers else frozenset()
        managers[me] = Owned(mine | changed, api_version, None if now is None else stamp(now))
    return with_managers(bare, stripped(managers))


def _applied(config: Object, subresource: str, drop: Collection[str]) -> Object:
    metadata = {
        key: value for key, value in config.get("metadata", {}).items() if key not in _SERVER_FIELDS
    }
    if subresource:
        names = {key: metadata[key] for key in ("name", "namespace") if key in metadata}
        kept = {key: config[key] for key in ("apiVersion", "kind", subresource) if key in config}
        return {**kept, "metadata": names}
    rest = {key: value for key, value in config.items() if key not in drop}
    return {**rest, "metadata": metadata}


def _check(schema: Schema, applied: Object) -> None:
    problems = list(typed.undeclared(schema, applied))
    if not problems:
        return
    metadata = applied["metadata"]
    where = f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"
    kind = f"{applied.get('apiVersion')}, Kind={applied.get('kind')}"
    words = (
        problems[0] if len(problems) == 1 else "".join(["errors:", *(f"\n  {p}" for p in problems)])
    )
    raise ApplyError(f"failed to create typed patch object ({where}; {kind}): {words}")


def _managers_before(live: Object | None, schema: Schema) -> Managers:
    """Return the live object's managers; what was never tracked gets a made-up one."""
    if live is None:
        return {}
    managers = managers_of(live)
    if managers:
        return managers
    version = live.get("apiVersion", "")
    everything = frozenset(compared(schema, {}, _without_managers(live)).added)
    return {Manager(_BEFORE_FIRST_APPLY, "Update", "", version): Owned(everything, version)}


def _thinned(schema: Schema, result: Json, last: FieldSet, managers: Managers) -> Json:
    """Remove what the manager applied last time and nobody manages now."""
    before = typed.with_named(schema, last)
    pruned = without(schema, result, before)
    everything = typed.with_named(schema, typed.field_set(schema, result))
    kept = typed.with_named(schema, typed.field_set(schema, pruned))
    for owned in managers.values():
        kept |= typed.with_named(schema, owned.fields)
    return without(schema, result, (everything - kept) & before)


def _taken(
    comparison: Comparison, managers: Managers, me: Manager | None, *, force: bool
) -> tuple[Managers, FieldSet]:
    """Take changed and removed fields from all managers but `me`; return them, and what changed."""
    changed = frozenset(comparison.modified | comparison.added)
    others = {manager: owned for manager, owned in managers.items() if manager != me}
    conflicts = [
        Conflict(manager, path)
        for manager, owned in others.items()
        for path in owned.fields & changed
    ]
    if conflicts and not force:
        raise ApplyConflict(conflicts)
    lost = changed | comparison.removed
    rest = {
        manager: owned if manager == me else replace(owned, fields=owned.fields - lost)
        for manager, owned in managers.items()
    }
    return {manager: owned for manager, owned in rest.items() if owned.fields}, changed


def _start(schema: Schema) -> Object:
    """Return what a new object is before anybody writes to it."""
    return blank(schema) if schema.get(TYPED) else {}


def _without_managers(obj: Object) -> Object:
    metadata = {
        key: value for key, value in obj.get("metadata", {}).items() if key != "managedFields"
    }
    return {**obj, "metadata": metadata}


def _conflict_message(conflicts: tuple[Conflict, ...]) -> str:
    if len(conflicts) == 1:
        only = conflicts[0]
        return f"Apply failed with 1 conflict: conflict with {only.manager}: {shown(only.path)}"
    lines: list[str] = []
    for manager in dict.fromkeys(conflict.manager for conflict in conflicts):
        lines.append(f"conflicts with {manager}:")
        lines += [
            f"- {shown(conflict.path)}" for conflict in conflicts if conflict.manager == manager
        ]
    return f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)
