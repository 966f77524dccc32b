"""Looks at what followers want to hear of, once for all of them, and wakes those whom it concerns.

A node of a large swarm has dozens of followers, and a model has hundreds of files: were each looked
at for each follower, many times a second, nothing else would be done.
"""

import asyncio
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager

LOOK_SECONDS = 0.02  # between two looks: what a chunk's way to the next node takes longer for it
_AT_MOST = 0.1  # the share of the time that is spent looking


class Follower:
    """One who is told of changes of some keys, of each first that it is there at all."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._order = {key: number for number, key in enumerate(keys)}
        self._changed = set(keys)
        self._woken = asyncio.Event()

    def wake(self, key: str) -> None:
        """A key has changed."""
        self._changed.add(key)
        self._woken.set()

    def changed(self) -> list[str]:
        """Return the keys that changed since this was asked last, in the order of the question."""
        keys = sorted(self._changed, key=self._order.__getitem__)
        self._changed.clear()
        self._woken.clear()
        return keys

    async def wait(self, seconds: float) -> None:
        """Wait until something changes, but no longer than so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return


class Watch:
    """Followers of one process. `state` says what a key is like: another value is a change."""

    def __init__(self, state: Callable[[str], Hashable]) -> None:
        self._state = state
        self._followers: dict[str, list[Follower]] = {}
        self._seen: dict[str, Hashable] = {}
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def follower(self, keys: Sequence[str]) -> Iterator[Follower]:
        """Have somebody follow keys inside the `with` block."""
        follower = Follower(keys)
        for key in keys:
            self._followers.setdefault(key, []).append(follower)
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        try:
            yield follower
        finally:
            for key in keys:
                self._leave(key, follower)

    def look(self) -> None:
        """Look once at each key that somebody follows."""
        for key, followers in self._followers.items():
            state = self._state(key)
            if state != self._seen.get(key):
                self._seen[key] = state
                for follower in followers:
                    follower.wake(key)

    def _leave(self, key: str, follower: Follower) -> None:
        self._followers[key].remove(follower)
        if not self._followers[key]:
            del self._followers[key]
            self._seen.pop(key, None)

    async def _run(self) -> None:
        try:
            while self._followers:
                began = time.monotonic()
                try:
                    self.look()
                except OSError:
                    self._wake_all()  # who asked for that key meets it too; the others go on
                took = time.monotonic() - began
                await asyncio.sleep(max(LOOK_SECONDS, took / _AT_MOST))
        finally:
            self._task = None

    def _wake_all(self) -> None:
        for key, followers in self._followers.items():
            for follower in followers:
                follower.wake(key)
