"""Look, decide, act, wait: the only loop of the controller."""

import asyncio
import contextlib
import gc
import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Protocol, TypeAlias

from llmaz.controller.actions import Action, ApplyOwned, Assign, DeleteOwned, OpenGate, Plan
from llmaz.controller.denials import denial
from llmaz.controller.metrics import Metrics
from llmaz.controller.news import news
from llmaz.controller.observe import Observer
from llmaz.controller.perform import Performer, Superseded
from llmaz.controller.plan import plan
from llmaz.controller.snapshot import ClusterSnapshot, Denial, Ref
from llmaz.daemon import backoff
from llmaz.kube import Conflict, KubeError, NotFound, Unavailable

logger = logging.getLogger(__name__)

_SETTLE_SECONDS = 0.002  # changes that come together are decided on together
_AT_ONCE = 16  # requests under way
_LEASE_SETTLE_SECONDS = 0.2
_LONGEST_SILENCE = 3  # rounds in a row that only act, before one also says so
# A kube-apiserver's answer where a webhook that has to be asked is away: nobody knows for how long.
_WEBHOOK_AWAY = "failed calling webhook"
_ACTS = (ApplyOwned, Assign, DeleteOwned, OpenGate)

Decide: TypeAlias = Callable[[ClusterSnapshot, datetime], Plan]


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Look for no garbage meanwhile: all that a decision makes is in use until it is made.

    With thousands of engines each look goes through all of them, and takes a quarter of the time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Lead(Protocol):
    """Whether this controller is the one that acts, and for how long nobody else can be."""

    @property
    def is_held(self) -> bool: ...

    @property
    def seconds_left(self) -> float: ...


class Loop:
    """Decides whenever something changed, and acts while it leads."""

    def __init__(
        self,
        observer: Observer,
        performer: Performer,
        leadership: Lead,
        metrics: Metrics,
        *,
        decide: Decide = plan,
    ) -> None:
        self._decide = decide
        self._observer = observer
        self._performer = performer
        self._leadership = leadership
        self._metrics = metrics
        self._refused: Mapping[Ref, Denial] = {}
        self._failures = 0
        self._silent_rounds = 0
        self._fresh: frozenset[str] = frozenset()
        self._saw: ClusterSnapshot | None = None

    async def run(self) -> None:
        """Go on for ever. A round that fails is tried again: what it left undone is seen then."""
        wait: float | None = None
        while True:
            await self._wait(wait)
            if not self._may_act():
                self._saw = wait = None
                if not self._leadership.is_held:
                    self._metrics.stands_by()
                continue
            try:
                wait = await self._round()
            except Exception:
                logger.exception("a round failed")
                self._failures += 1
                wait = self._pause()

    async def watch_leases(self) -> None:
        """Wake the loop when a node comes to life; every other renewal is no news.

        A Lease that runs out makes no noise at all: the plan says when to look.
        """
        while True:
            await self._observer.leases_changed.wait()
            self._observer.leases_changed.clear()
            if not self._fresh_now() <= self._fresh:
                self._observer.changed.set()
            await asyncio.sleep(_LEASE_SETTLE_SECONDS)

    async def _wait(self, seconds: float | None) -> None:
        """Wait for a change, or for so long; what changes from here on is for the next round."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._observer.changed.wait()
                await asyncio.sleep(_SETTLE_SECONDS)
        self._observer.changed.clear()

    def _may_act(self) -> bool:
        return self._leadership.is_held and self._observer.missing() is None

    async def _round(self) -> float | None:
        self._fresh = self._fresh_now()
        snapshot = self._observer.snapshot(self._refused)
        started = time.perf_counter()
        with undisturbed():
            # In a thread: a Lease that nobody renews while a large cluster is decided on is lost.
            decided = await asyncio.to_thread(self._decide, snapshot, datetime.now(UTC))
        self._metrics.decided(time.perf_counter() - started, decided)
        snapshot.memo.forget_unused()
        if not self._may_act():  # what was seen may be older than what another leader did since
            return None
        self._metrics.saw(snapshot)
        told = tuple(news(self._saw, snapshot)) if self._saw is not None else ()
        self._saw = snapshot
        failed = await self._act((*self._due(decided.actions), *told))
        refused = {one.ref: one for one in failed if one is not None}
        if refused != self._refused:
            self._observer.changed.set()
        self._refused = refused
        self._failures = self._failures + 1 if failed else 0
        waits = (decided.look_again_in, self._pause())
        return min((wait for wait in waits if wait is not None), default=None)

    def _due(self, actions: tuple[Action, ...]) -> tuple[Action, ...]:
        """Return what to do in this round: what runs where comes before what is said of it.

        An assignment does not wait for statuses to be written, and states that pass within
        milliseconds are never told. The next round, which a write brings about, says the rest.
        """
        acts = tuple(action for action in actions if isinstance(action, _ACTS))
        if not acts or self._failures or self._silent_rounds >= _LONGEST_SILENCE:
            self._silent_rounds = 0
            return actions
        self._silent_rounds += 1
        self._observer.changed.set()
        return acts

    async def _act(self, actions: tuple[Action, ...]) -> list[Denial | None]:
        """Perform the actions; return what the server refused to write, None for other failures."""
        if actions:
            logger.debug("performing %d actions", len(actions))
        gate = asyncio.Semaphore(_AT_ONCE)
        results = await asyncio.gather(*(self._perform(action, gate) for action in actions))
        return [denied for failed in results for denied in failed]

    async def _perform(self, action: Action, gate: asyncio.Semaphore) -> tuple[Denial | None, ...]:
        """Perform one action; return how it failed, which is nothing where it did not."""
        async with gate:
            if not self._leadership.is_held:
                return ()
            try:
                # Nothing that was begun as the leader goes on as somebody who leads no more.
                async with asyncio.timeout(self._leadership.seconds_left):
                    await self._performer.perform(action)
            except TimeoutError:
                logger.warning("%s given up: the Lease ran out", type(action).__name__)
                return ()
            except Superseded as error:
                logger.debug("%s not performed: %s", type(action).__name__, error)
                return ()
            except KubeError as error:
                return (self._failed(action, error),)
            self._metrics.performed(action)
            return ()

    def _failed(self, action: Action, error: KubeError) -> Denial | None:
        self._metrics.failed()
        logger.warning("%s not performed: %s", type(action).__name__, error)
        return refused(action, error)

    def _pause(self) -> float | None:
        if not self._failures:
            return None
        return backoff.delay(self._failures, jitter=random.random())  # noqa: S311  # no secret

    def _fresh_now(self) -> frozenset[str]:
        now = datetime.now(UTC)
        leases = self._observer.leases().items()
        return frozenset(name for name, until in leases if now < until)


def refused(action: Action, error: KubeError) -> Denial | None:
    """Return what the server will not have as it is wanted; None if it may yet."""
    words = str(error)
    if isinstance(error, Unavailable) and _WEBHOOK_AWAY not in words:
        return None
    if isinstance(error, NotFound | Conflict) and not isinstance(action, ApplyOwned):
        return None  # what others made changed or went since it was seen
    return denial(action, words)
