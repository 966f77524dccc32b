"""A controller of the simulation: the real observer, plan and performer, on watches that lag."""

import asyncio
import dataclasses
from collections.abc import Collection, Coroutine
from datetime import datetime
from typing import Any, TypeVar, cast

from llmaz.api import names
from llmaz.api.kinds import (
    CONTROLLER_REVISION,
    CORE_SERVICE,
    ENDPOINT_SLICE,
    HORIZONTAL_POD_AUTOSCALER,
    Kind,
)
from llmaz.controller.actions import Action
from llmaz.controller.loop import _ACTS, _LONGEST_SILENCE, refused
from llmaz.controller.observe import Observer
from llmaz.controller.perform import Performer, Superseded
from llmaz.controller.plan import plan
from llmaz.controller.snapshot import ClusterSnapshot, Denial, Ref
from llmaz.kube import Informer, Kube, KubeError, WatchEvent
from support.simulator.server import Client, Server

T = TypeVar("T")

_OURS = frozenset({CONTROLLER_REVISION, CORE_SERVICE, ENDPOINT_SLICE, HORIZONTAL_POD_AUTOSCALER})


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration as end:
        return cast("T", end.value)
    raise AssertionError("the simulated server made somebody wait")


class Controller:
    """One controller. What it knows is what its watches have told, and answers to its writes."""

    def __init__(self, server: Server, *, blind: Collection[Kind] = ()) -> None:
        """List every kind; lists of kinds that it is `blind` for are empty."""
        self._server = server
        client = cast("Kube", Client(self._server))
        self._observer = Observer(
            client,
            asyncio.Event(),
            gateway_url="",
            slot_policy=self._server.slot_policy,
            decode=self._server.decode,
        )
        self._observer._memo = self._server.memo
        self._performer = Performer(client, self._observer)
        self._refused: dict[Ref, Denial] = {}
        self._silent = 0
        self._decided: tuple[ClusterSnapshot, datetime, tuple[Action, ...]] | None = None
        self._heard_since = self._server.now
        self._read: dict[Kind, int] = {}
        for kind, informer in self._informers.items():
            informer._version = "0"  # an empty list, at the version before the first write
            informer.synced = True
            self._read[kind] = 0 if kind in blind else self._server.version
        for ref, manifest in self._server.objects.items():
            if ref.kind in self._informers and ref.kind not in blind:
                self._tell(ref.kind, WatchEvent("ADDED", manifest))

    def hear(self, *, deaf: Collection[Kind] = ()) -> None:
        """Take in what the watches tell, but for kinds whose watch hangs."""
        ends = dict.fromkeys(self._informers, self._server.version)
        self._hear(ends | {kind: self._read[kind] for kind in deaf if kind in self._read})

    def relist(self, kind: Kind) -> None:
        """Take a list for what is there: what was deleted is told by its absence alone."""
        informer = self._informers[kind]
        there = [one for ref, one in self._server.objects.items() if ref.kind == kind]
        informer._objects.clear()
        for manifest in there:
            informer._keep(manifest)
        informer._version = str(self._server.version)
        self._read[kind] = self._server.version

    def _hear(self, ends: dict[Kind, int]) -> None:
        first = min(self._read.values())
        for at, (ref, event) in enumerate(self._server.log[first:], first):
            if ref.kind in self._read and self._read[ref.kind] <= at < ends[ref.kind]:
                self._tell(ref.kind, event)
        self._read = ends

    def look(self) -> ClusterSnapshot:
        seen = self._observer.snapshot(self._refused)
        return dataclasses.replace(seen, leases_heard_since=self._heard_since)

    def planned(self, now: datetime) -> tuple[Action, ...]:
        """Decide; what is seen again at the same time is not decided on again."""
        seen = self.look()
        if self._decided is None or self._decided[:2] != (seen, now):
            self._decided = seen, now, plan(seen, now).actions
        return self._decided[2]

    def round(self, now: datetime, *, most: int | None = None) -> int:
        """Decide, and perform as many of the actions as asked; return how many there were."""
        actions = self.planned(now)
        denials = {}
        for action in self._due(actions)[:most]:
            try:
                at_once(self._performer.perform(action))
            except Superseded:
                continue
            except KubeError as error:
                if (denied := refused(action, error)) is not None:
                    denials[denied.ref] = denied
        self._refused = denials
        return len(actions)

    def _due(self, actions: tuple[Action, ...]) -> tuple[Action, ...]:
        """Return what the loop would do at once: statuses wait while there is more to do."""
        acts = tuple(action for action in actions if isinstance(action, _ACTS))
        self._silent = self._silent + 1 if acts and self._silent < _LONGEST_SILENCE else 0
        return acts if self._silent else actions

    @property
    def _informers(self) -> dict[Kind, Informer]:
        return self._observer._informers

    def _tell(self, kind: Kind, event: WatchEvent) -> None:
        labels = cast("Any", event.object["metadata"]).get("labels") or {}
        if kind in _OURS and labels.get("app.kubernetes.io/managed-by") != names.CONTROLLER:
            return
        self._informers[kind]._take(event)
