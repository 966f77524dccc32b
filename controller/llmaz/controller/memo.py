"""What was worked out of the same objects before: it changes how long a decision takes alone.

Most objects are the same from one decision to the next: an informer replaces those that changed and
keeps the others. So the objects themselves, and not what they say, tell whether an answer is known.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

T = TypeVar("T")


def _together(*objects: T) -> tuple[T, ...]:
    return objects


class Memo:
    """Answers of pure functions by the identity of what they were asked."""

    def __init__(self) -> None:
        self._before: dict[tuple[int, ...], tuple[object, ...]] = {}
        self._now: dict[tuple[int, ...], tuple[object, ...]] = {}
        self._values_before: dict[object, object] = {}
        self._values: dict[object, object] = {}

    def recall(self, work: Callable[..., T], *asked: Any) -> T:  # noqa: ANN401  # of any function
        """Return what a function answers. Neither it nor what it is asked may ever change."""
        key = (id(work), *map(id, asked))
        known = self._now.get(key)
        if known is None:
            # What was asked is kept with the answer: as long as it lives, its identity is its own.
            known = self._before.get(key) or (work(*asked), work, *asked)
            self._now[key] = known
        return cast("T", known[0])

    def same(self, *objects: T) -> tuple[T, ...]:
        """Return these objects as a tuple: the same one as before for the same objects."""
        return self.recall(_together, *objects)

    def as_before(self, key: object, value: T) -> T:
        """Return what was given under a key last where it equals: it is known by its identity."""
        known = self._values.get(key, self._values_before.get(key))
        if known != value:
            known = value
        self._values[key] = known
        return known

    def forget_unused(self) -> None:
        """Forget what nobody asked since this was called last."""
        self._before, self._now = self._now, {}
        self._values_before, self._values = self._values, {}
