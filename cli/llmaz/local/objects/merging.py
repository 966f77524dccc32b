"""Merging, comparing and thinning of values as server-side apply sees them (see `typed`)."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from llmaz.local.objects import typed
from llmaz.local.objects.fieldset import FieldSet, Path, below
from llmaz.local.objects.validating import ABSENT, Absent
from llmaz.local.objects.values import Json, Schema, copied, equal


@dataclass(slots=True)
class Comparison:
    """What differs between two values."""

    added: set[Path] = field(default_factory=set)
    modified: set[Path] = field(default_factory=set)
    removed: set[Path] = field(default_factory=set)


def compared(schema: Schema | None, old: Json, new: Json) -> Comparison:
    """Return the fields which `new` adds, changes and lacks."""
    result = Comparison()
    _compare(schema, old, new, (), result)
    return result


def _compare(schema: Schema | None, old: Json, new: Json, path: Path, result: Comparison) -> None:
    sample = old if isinstance(new, Absent) or not new else new
    if typed.shape(schema, sample) == "leaf" or (_empty(old) and _empty(new)):
        if isinstance(old, Absent):
            result.added.add(path)
        elif isinstance(new, Absent):
            result.removed.add(path)
        elif not equal(old, new):
            result.modified.add(path)
        return
    before, after = _by_step(schema, old), _by_step(schema, new)
    for step in {**before, **after}:
        own = (after if step in after else before)[step][0]
        was = before[step][1] if step in before else ABSENT
        now = after[step][1] if step in after else ABSENT
        _compare(own, was, now, (*path, step), result)
    if isinstance(old, Absent):
        result.added.add(path)
    elif isinstance(new, Absent):
        result.removed.add(path)


def _empty(value: Json) -> bool:
    return isinstance(value, Absent) or value is None or value in ({}, [])


def _by_step(schema: Schema | None, value: Json) -> dict[str, tuple[Schema | None, Json]]:
    return {step: (own, item) for step, own, item in typed.members(schema, value)}


def merged(schema: Schema | None, live: Json, applied: Json) -> Json:
    """Return the live value with the applied one laid over it."""
    kind = typed.shape(schema, applied)
    if kind == "leaf" or typed.shape(schema, live) != kind:
        return copied(applied)
    if kind == "list":
        return list(_merged_items(schema, live, applied))
    result = dict(live)
    for key, item in applied.items():
        result[key] = merged(typed.field(schema, key), live.get(key), item)
    return result


def _merged_items(schema: Schema | None, live: list[Json], applied: list[Json]) -> Iterator[Json]:
    """Yield the items in the order of the applied list; the others keep their place among them."""
    theirs = {typed.step(schema, item): item for item in live}
    ours = {typed.step(schema, item): item for item in applied}
    left, right = deque(theirs), deque(ours)
    shared = deque(step for step in ours if step in theirs)
    done: set[str] = set()
    while left or right:
        if left and (left[0] in done or (right and left[0] in ours and left[0] != shared[0])):
            left.popleft()  # yielded already, or it comes later, where the applied list has it
        elif left and left[0] not in ours:
            yield theirs[left.popleft()]
        else:
            step = right.popleft()
            done.add(step)
            if shared and shared[0] == step:
                shared.popleft()
            yield merged(typed.items(schema), theirs.get(step), ours[step])


def without(schema: Schema | None, value: Json, fields: FieldSet) -> Json:
    """Return the value without the fields of a set; what is emptied by that stays, empty."""
    if not fields or typed.shape(schema, value) == "leaf":
        return value
    kept = [
        (step, without(own, item, below(fields, step)))
        for step, own, item in typed.members(schema, value)
        if (step,) not in fields
    ]
    if isinstance(value, dict):
        return {step.removeprefix("f:"): rest for step, rest in kept}
    return [rest for _, rest in kept]
